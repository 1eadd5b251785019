/*
 * Giving pages back to the hypervisor and taking them again. A page given back
 * is a hole in the p2m list: that is all the book there is to keep.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <hypercall/calls.h>

#include "internal.h"

#define BATCH 32

static size_t nr_given;

static uint64_t *p2m(void)
{
    return (uint64_t *)guest_start_info->mfn_list;
}

static uintptr_t address_of(size_t pfn)
{
    return (uintptr_t)guest_virt_base + pfn * PAGE_SIZE;
}

static size_t pfn_of(const void *page)
{
    return ((uintptr_t)page - (uintptr_t)guest_virt_base) / PAGE_SIZE;
}

/* Map (nr) pages to what the p2m list says of them, or to nothing. */
static bool remap(const size_t *pfns, size_t nr, bool present)
{
    multicall_entry_t calls[BATCH];
    bool good = true;

    for (size_t i = 0; i < nr; i++)
        calls[i] = (multicall_entry_t){
            .op = __HYPERVISOR_update_va_mapping,
            .args = {address_of(pfns[i]),
                     present ? p2m()[pfns[i]] << PAGE_SHIFT | PTE_RAM : 0,
                     UVMF_INVLPG},
        };
    if (hypercall_multicall(calls, (unsigned)nr))
        return false;
    for (size_t i = 0; i < nr; i++)
        good &= calls[i].result == 0;
    return good;
}

/* The hypervisor counts what it did; the list is machine or guest frames. */
static size_t change_reservation(unsigned op, xen_pfn_t *frames, size_t nr)
{
    struct xen_memory_reservation arg = {.nr_extents = nr, .domid = DOMID_SELF};
    long done;

    set_xen_guest_handle(arg.extent_start, frames);
    done = hypercall_memory_op(op, &arg);
    if (done < 0)
        return 0;
    return (size_t)done < nr ? (size_t)done : nr;
}

static void free_pages(const size_t *pfns, size_t nr)
{
    for (size_t i = 0; i < nr; i++)
        page_free((void *)address_of(pfns[i]), 1);
}

static size_t give_some(size_t nr)
{
    size_t pfns[BATCH] = {0}, found = 0, done;
    xen_pfn_t mfns[BATCH];
    void *page;

    for (; found < nr && (page = page_alloc(1)); found++) {
        pfns[found] = pfn_of(page);
        mfns[found] = page_mfn(page);
    }
    if (found == 0)
        return 0;
    if (!remap(pfns, found, false))
        guest_panic("the hypervisor keeps pages mapped that are given back");
    done = change_reservation(XENMEM_decrease_reservation, mfns, found);

    for (size_t i = 0; i < done; i++)
        p2m()[pfns[i]] = ~0ull;
    nr_given += done;
    if (done < found && remap(pfns + done, found - done, true))
        free_pages(pfns + done, found - done);
    return done;
}

static size_t take_some(size_t nr)
{
    size_t pfns[BATCH] = {0}, found = 0, done;
    xen_pfn_t frames[BATCH];

    for (size_t pfn = 0; pfn < guest_start_info->nr_pages && found < nr; pfn++)
        if (p2m()[pfn] == ~0ull) {
            pfns[found] = pfn;
            frames[found++] = pfn;
        }
    done = change_reservation(XENMEM_populate_physmap, frames, found);

    for (size_t i = 0; i < done; i++)
        p2m()[pfns[i]] = frames[i];
    nr_given -= done;
    if (done == 0 || !remap(pfns, done, true))
        return 0;
    free_pages(pfns, done);
    return done;
}

size_t page_give_back(size_t nr)
{
    size_t total = 0, done;

    do {
        done = give_some(nr - total < BATCH ? nr - total : BATCH);
        total += done;
    } while (done && total < nr);
    return total;
}

size_t page_take_again(size_t nr)
{
    size_t total = 0, done;

    if (nr > nr_given)
        nr = nr_given;
    while (total < nr) {
        done = take_some(nr - total < BATCH ? nr - total : BATCH);
        total += done;
        if (done == 0)
            break;
    }
    return total;
}
