/*
 * host/backend/block_page.c: the guest's pages, by grant and only by grant.
 *
 * A borrowed page is held twice: its grant entry is marked, so that the guest
 * cannot withdraw it, and its frame is counted, so that the guest cannot give
 * it back to the host while the kernel reads or writes it.
 *
 * With persistent grants the frontend lends the same pages again and again:
 * they are kept borrowed, for writing, up to a number. Beyond it, one that was
 * not used lately makes room (a clock's hand goes round).
 */
#include "host/backend/block_private.h"

#include "host/domain.h"
#include "host/memory.h"

/*
 * The frame's bytes, counted as in use. Not a page table's or a descriptor
 * table's: these the guest itself may not write either.
 */
static uint8_t *frame_hold(struct memory *mem, mfn_t mfn, bool write,
                           uint32_t *index)
{
    struct frame *frame = memory_record(mem, mfn);

    if (!frame || frame->state != FRAME_RAM ||
        (write && frame->uses > 0 && frame->type != TYPE_NONE &&
         frame->type != TYPE_WRITABLE))
        return NULL;
    frame->refs++;
    *index = (uint32_t)memory_index(mem, mfn);
    return mem->base + (size_t)*index * PAGE_SIZE;
}

uint8_t *block_page_borrow(struct blockdev *dev, grant_ref_t ref, bool write,
                           struct block_page *page)
{
    struct domain *dom = dev->dom;
    uint8_t *bytes;
    uint64_t mfn;

    if (grant_pin(&dom->grants, ref, BACKEND_ID, write, &mfn) != GNTST_okay)
        return NULL;
    *page = (struct block_page){.ref = ref};
    bytes = frame_hold(&dom->mem, mfn, write, &page->frame);
    if (!bytes)
        grant_unpin(&dom->grants, ref, write);
    return bytes;
}

void block_page_return(struct blockdev *dev, const struct block_page *page,
                       bool write)
{
    dev->dom->mem.frames[page->frame].refs--;
    grant_unpin(&dev->dom->grants, page->ref, write);
}

static void kept_return(struct blockdev *dev, struct block_kept *kept)
{
    const struct block_page page = {.ref = kept->ref, .frame = kept->frame};

    block_page_return(dev, &page, true);
    dev->kept_of[kept->ref] = 0;
}

/* A place for one more kept page, or NULL while all are in use. */
static struct block_kept *kept_place(struct blockdev *dev)
{
    if (dev->nr_kept < BLOCK_MAX_PERSISTENT)
        return &dev->kept[dev->nr_kept++];

    /* The first round may do no more than take marks away. */
    for (unsigned i = 0; i < 2 * BLOCK_MAX_PERSISTENT; i++) {
        struct block_kept *kept = &dev->kept[dev->hand];

        dev->hand = (dev->hand + 1) % BLOCK_MAX_PERSISTENT;
        if (kept->uses)
            continue;
        if (!kept->used_lately) {
            kept_return(dev, kept);
            return kept;
        }
        kept->used_lately = false;
    }
    return NULL;
}

static uint8_t *kept_use(struct blockdev *dev, struct block_kept *kept,
                         struct block_page *page)
{
    kept->uses++;
    kept->used_lately = true;
    *page = (struct block_page){
        .ref = kept->ref,
        .frame = kept->frame,
        .persistent = (uint16_t)(kept - dev->kept + 1),
    };
    return dev->dom->mem.base + (size_t)kept->frame * PAGE_SIZE;
}

uint8_t *block_page_use(struct blockdev *dev, grant_ref_t ref, bool write,
                        struct block_page *page)
{
    struct block_kept *kept;
    uint8_t *bytes;

    if (!dev->persistent)
        return block_page_borrow(dev, ref, write, page);
    if (ref < BLOCK_MAX_REFS && dev->kept_of[ref])
        return kept_use(dev, &dev->kept[dev->kept_of[ref] - 1], page);

    bytes = block_page_borrow(dev, ref, true, page);
    if (!bytes) /* one that is lent for reading is served, but not kept */
        return write ? NULL : block_page_borrow(dev, ref, false, page);
    kept = kept_place(dev);
    if (kept) {
        *kept = (struct block_kept){.ref = ref, .frame = page->frame};
        dev->kept_of[ref] = (uint16_t)(kept - dev->kept + 1);
        return kept_use(dev, kept, page);
    }
    if (!write) { /* as block_page_done will give it back */
        block_page_return(dev, page, true);
        bytes = block_page_borrow(dev, ref, false, page);
    }
    return bytes;
}

void block_page_done(struct blockdev *dev, const struct block_page *page,
                     bool write)
{
    if (page->persistent)
        dev->kept[page->persistent - 1].uses--;
    else
        block_page_return(dev, page, write);
}

void block_pages_forget(struct blockdev *dev)
{
    for (unsigned i = 0; i < dev->nr_kept; i++)
        kept_return(dev, &dev->kept[i]);
    dev->nr_kept = 0;
    dev->hand = 0;
}
