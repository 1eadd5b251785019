/*
 * Giving pages back to the hypervisor and taking them again. A page given back
 * is a hole in the p2m list, which is all the book there is to keep; where
 * there is no such list, a bit in one of our own.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>

#include <string.h>

#include <hypercall/calls.h>

#include "abi.h"
#include "internal.h"

static size_t nr_given;

static uint8_t *book;   /* a bit for each pfn given back; or NULL */
static bool book_begun; /* it is still what RAM held before */

void balloon_init(void *bits)
{
    book = bits;
}

static bool is_given(size_t pfn)
{
    if (page_p2m)
        return page_p2m[pfn] == ~0ull;
    return book_begun && book[pfn / 8] >> pfn % 8 & 1;
}

static void note_given(size_t pfn)
{
    if (page_p2m) {
        page_p2m[pfn] = ~0ull;
        return;
    }
    if (!book_begun)
        memset(book, 0, (page_nr_pfns() + 7) / 8);
    book_begun = true;
    book[pfn / 8] |= (uint8_t)(1u << pfn % 8);
}

static void note_taken(size_t pfn, uint64_t frame)
{
    if (page_p2m)
        page_p2m[pfn] = frame;
    else
        book[pfn / 8] &= (uint8_t) ~(1u << pfn % 8);
}

static uintptr_t address_of(size_t pfn)
{
    return (uintptr_t)guest_virt_base + pfn * PAGE_SIZE;
}

static size_t pfn_of(const void *page)
{
    return ((uintptr_t)page - (uintptr_t)guest_virt_base) / PAGE_SIZE;
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
    size_t pfns[BALLOON_BATCH] = {0}, found = 0, done;
    xen_pfn_t mfns[BALLOON_BATCH];
    void *page;

    for (; found < nr && (page = page_alloc(1)); found++) {
        pfns[found] = pfn_of(page);
        mfns[found] = page_mfn(page);
    }
    if (found == 0)
        return 0;
    if (!guest_abi->show_pages(pfns, found, false))
        guest_panic("the hypervisor keeps pages mapped that are given back");
    done = change_reservation(XENMEM_decrease_reservation, mfns, found);

    for (size_t i = 0; i < done; i++)
        note_given(pfns[i]);
    nr_given += done;
    if (done < found && guest_abi->show_pages(pfns + done, found - done, true))
        free_pages(pfns + done, found - done);
    return done;
}

static size_t take_some(size_t nr)
{
    size_t pfns[BALLOON_BATCH] = {0}, found = 0, done;
    xen_pfn_t frames[BALLOON_BATCH];

    for (size_t pfn = 0; pfn < page_nr_pfns() && found < nr; pfn++)
        if (is_given(pfn)) {
            pfns[found] = pfn;
            frames[found++] = pfn;
        }
    done = change_reservation(XENMEM_populate_physmap, frames, found);

    for (size_t i = 0; i < done; i++)
        note_taken(pfns[i], frames[i]);
    nr_given -= done;
    if (done == 0 || !guest_abi->show_pages(pfns, done, true))
        return 0;
    free_pages(pfns, done);
    return done;
}

size_t page_give_back(size_t nr)
{
    size_t total = 0, done;
    GUEST_LOCKED;

    do {
        done =
            give_some(nr - total < BALLOON_BATCH ? nr - total : BALLOON_BATCH);
        total += done;
    } while (done && total < nr);
    return total;
}

size_t page_take_again(size_t nr)
{
    size_t total = 0, done;
    GUEST_LOCKED;

    if (nr > nr_given)
        nr = nr_given;
    while (total < nr) {
        done =
            take_some(nr - total < BALLOON_BATCH ? nr - total : BALLOON_BATCH);
        total += done;
        if (done == 0)
            break;
    }
    return total;
}
