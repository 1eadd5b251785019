/* Pages of ours lent to ourselves. */
#include "race.h"

#include <pvguest/grant.h>
#include <pvguest/page.h>

#include <string.h>

uint64_t lent[NR_LENT][NR_ENTRIES] __attribute__((aligned(4096)));
static int64_t refs[NR_LENT];
/* Where they are mapped, each in place of a page of RAM. */
uint64_t windows[NR_LENT][NR_ENTRIES] __attribute__((aligned(4096)));
static int mapped[NR_LENT];
static grant_handle_t handles[NR_LENT];

static grant_ref_t a_ref(struct racer *self)
{
    return (grant_ref_t)refs[any(self, NR_LENT)];
}

static bool unmap(unsigned i)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = (uintptr_t)windows[i],
                                        .handle = handles[i]};

    return !hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1) &&
           op.status == GNTST_okay;
}

void map_a_grant(struct racer *self)
{
    unsigned i = (unsigned)any(self, NR_LENT);
    struct gnttab_map_grant_ref op = {.host_addr = (uintptr_t)windows[i],
                                      .flags = GNTMAP_host_map,
                                      .ref = a_ref(self),
                                      .dom = own_domid};

    if (any(self, 2))
        op.flags |= GNTMAP_readonly;
    if (!take(&mapped[i], HERE))
        return;
    if (hypercall_grant_table_op(GNTTABOP_map_grant_ref, &op, 1) ||
        op.status != GNTST_okay) {
        put(&mapped[i], HERE);
        return;
    }
    note(&nr_mapped, true);
    handles[i] = op.handle;
    put(&mapped[i], AWAY);
}

void unmap_a_grant(struct racer *self)
{
    unsigned i = (unsigned)any(self, NR_LENT);

    if (take(&mapped[i], AWAY))
        put(&mapped[i], unmap(i) ? HERE : AWAY);
}

void copy_a_grant(struct racer *self)
{
    struct gnttab_copy op = {.len = (uint16_t)(8 * any(self, NR_ENTRIES)),
                             .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};

    op.source.u.ref = a_ref(self);
    op.dest.u.ref = a_ref(self);
    op.source.domid = op.dest.domid = own_domid;
    hypercall_grant_table_op(GNTTABOP_copy, &op, 1);
}

void swap_grants(struct racer *self)
{
    struct gnttab_swap_grant_ref op = {.ref_a = a_ref(self),
                                       .ref_b = a_ref(self)};

    hypercall_grant_table_op(GNTTABOP_swap_grant_ref, &op, 1);
}

void ask_for_grants(struct racer *self)
{
    struct gnttab_query_size op = {.dom = DOMID_SELF};

    (void)self;
    hypercall_grant_table_op(GNTTABOP_query_size, &op, 1);
}

bool lend_pages(void)
{
    bool good = true;

    for (unsigned i = 0; i < NR_LENT; i++) {
        memset(lent[i], 1, sizeof lent[i]);
        refs[i] = guest_grant(own_domid, lent[i], false);
        good &= refs[i] > 0;
    }
    return good;
}

bool end_all_grants(void)
{
    bool good = true;

    for (unsigned i = 0; i < NR_LENT; i++) {
        good &= mapped[i] == HERE || (mapped[i] == AWAY && unmap(i));
        good &= hypercall_update_va_mapping((uintptr_t)windows[i],
                                            page_mfn(windows[i]) << PAGE_SHIFT |
                                                PTE_RAM,
                                            UVMF_INVLPG | UVMF_ALL) == 0;
    }
    for (unsigned i = 0; i < NR_LENT; i++)
        good &= guest_grant_end((grant_ref_t)refs[i]) == 0;
    return good;
}
