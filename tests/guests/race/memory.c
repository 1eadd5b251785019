/* Pages that are given back and taken again. */
#include "race.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>

uint64_t given[NR_GIVEN][NR_ENTRIES] __attribute__((aligned(4096)));
static int balloon[NR_GIVEN];
static xen_pfn_t given_mfns[NR_GIVEN]; /* as they are, or were */

static unsigned long *p2m_of(const void *page)
{
    return (unsigned long *)guest_start_info->mfn_list + page_pfn(page);
}

void give_a_page(struct racer *self)
{
    unsigned i = (unsigned)any(self, NR_GIVEN);
    struct xen_memory_reservation op = {.nr_extents = 1, .domid = DOMID_SELF};
    xen_pfn_t mfn;

    if (!take(&balloon[i], HERE))
        return;
    mfn = given_mfns[i];
    hypercall_update_va_mapping((uintptr_t)given[i], 0, UVMF_INVLPG | UVMF_ALL);
    set_xen_guest_handle(op.extent_start, &mfn);
    if (hypercall_memory_op(XENMEM_decrease_reservation, &op) == 1) {
        note(&nr_given, true);
        *p2m_of(given[i]) = ~0ul;
        put(&balloon[i], AWAY);
        return;
    }
    hypercall_update_va_mapping((uintptr_t)given[i],
                                mfn << PAGE_SHIFT | PTE_RAM,
                                UVMF_INVLPG | UVMF_ALL);
    put(&balloon[i], HERE);
}

static bool populate(unsigned i)
{
    struct xen_memory_reservation op = {.nr_extents = 1, .domid = DOMID_SELF};
    xen_pfn_t frame = page_pfn(given[i]);

    set_xen_guest_handle(op.extent_start, &frame);
    if (hypercall_memory_op(XENMEM_populate_physmap, &op) != 1)
        return false;
    given_mfns[i] = frame;
    *p2m_of(given[i]) = frame;
    hypercall_update_va_mapping((uintptr_t)given[i],
                                frame << PAGE_SHIFT | PTE_RAM,
                                UVMF_INVLPG | UVMF_ALL);
    return true;
}

void take_a_page(struct racer *self)
{
    unsigned i = (unsigned)any(self, NR_GIVEN);

    if (take(&balloon[i], AWAY))
        put(&balloon[i], populate(i) ? HERE : AWAY);
}

void ask_for_memory(struct racer *self)
{
    domid_t domid = DOMID_SELF;

    hypercall_memory_op(any(self, 2) ? XENMEM_current_reservation
                                     : XENMEM_maximum_reservation,
                        &domid);
}

void find_frames(void)
{
    for (unsigned i = 0; i < NR_GIVEN; i++)
        given_mfns[i] = page_mfn(given[i]);
}

bool take_all_pages(void)
{
    bool good = true;

    for (unsigned i = 0; i < NR_GIVEN; i++)
        good &= balloon[i] == HERE || (balloon[i] == AWAY && populate(i));
    return good;
}
