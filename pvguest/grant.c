/*
 * The running guest's own grant table: set up when first needed, and grown by
 * doubling, mapped in a row.
 */
#include <pvguest/grant.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>

#include <errno.h>

#include <grant/offer.h>
#include <hypercall/calls.h>

#include "abi.h"
#include "internal.h"

#define PER_FRAME      (PAGE_SIZE / sizeof(grant_entry_v1_t))
#define DEFAULT_FRAMES 4 /* where the limit cannot be asked for */

static struct grant_offers offers;
static uintptr_t table; /* address space for max_frames */
static uint32_t nr_frames, max_frames;

static bool map_frames(uint32_t wanted)
{
    nr_frames += guest_abi->grow_grants(nr_frames, wanted,
                                        table + nr_frames * PAGE_SIZE);
    return nr_frames == wanted;
}

/* More entries than pages to lend are no use. */
static uint32_t frames_wanted(void)
{
    struct gnttab_query_size size;
    unsigned long entries = page_nr_ram() + GNTTAB_NR_RESERVED_ENTRIES;
    unsigned long frames = (entries + PER_FRAME - 1) / PER_FRAME;
    uint32_t limit = DEFAULT_FRAMES;

    if (hypercall_grant_query_size(&size) == 0 && size.status == GNTST_okay)
        limit = size.max_nr_frames;
    if (limit > GRANT_MAX_FRAMES)
        limit = GRANT_MAX_FRAMES;
    return frames < limit ? (uint32_t)frames : limit;
}

static bool set_up(void)
{
    size_t bytes;
    uint32_t *next;

    if (nr_frames)
        return true;
    max_frames = frames_wanted();
    bytes = max_frames * PER_FRAME * sizeof *next;
    next = page_alloc((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
    if (!table)
        table = map_window(max_frames);
    if (!next || !table || !map_frames(1)) {
        page_free(next, next ? (bytes + PAGE_SIZE - 1) / PAGE_SIZE : 0);
        return false;
    }
    grant_offers_init(&offers, (grant_entry_v1_t *)table, PER_FRAME, next);
    return true;
}

static void grow(void)
{
    uint32_t wanted = nr_frames * 2;

    if (wanted > max_frames)
        wanted = max_frames;
    if (wanted > nr_frames)
        map_frames(wanted);
    grant_offers_grow(&offers, nr_frames * PER_FRAME);
}

int64_t guest_grant(domid_t borrower, const void *page, bool readonly)
{
    GUEST_LOCKED;

    if (!set_up())
        return -ENOSPC;
    if (offers.nr_free == 0)
        grow();
    return grant_offer(&offers, borrower, (uint32_t)page_mfn(page), readonly);
}

int guest_grant_end(grant_ref_t ref)
{
    GUEST_LOCKED;

    return grant_withdraw(&offers, ref);
}

uint32_t guest_grant_room(void)
{
    GUEST_LOCKED;

    return set_up() ? offers.nr_free : 0;
}
