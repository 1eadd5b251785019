/*
 * host/backend/block_page.c: the guest's data pages while requests use them.
 *
 * With persistent grants the frontend lends the same pages again and again:
 * they are kept borrowed, for writing, up to a number. Beyond it, one that was
 * not used lately makes room (a clock's hand goes round).
 */
#include "host/backend/block_private.h"

#include "host/domain.h"
#include "host/memory.h"

static void kept_return(struct blockdev *dev, struct block_kept *kept)
{
    lent_page_return(dev->dom, &kept->lent, true);
    dev->kept_of[kept->lent.ref] = 0;
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
        .lent = kept->lent,
        .persistent = (uint16_t)(kept - dev->kept + 1),
    };
    return dev->dom->mem.base + (size_t)kept->lent.frame * PAGE_SIZE;
}

uint8_t *block_page_use(struct blockdev *dev, grant_ref_t ref, bool write,
                        struct block_page *page)
{
    struct lent_page *lent = &page->lent;
    struct block_kept *kept;
    uint8_t *bytes;

    page->persistent = 0;
    if (!dev->persistent)
        return lent_page_borrow(dev->dom, ref, write, lent);
    if (ref < BLOCK_MAX_REFS && dev->kept_of[ref])
        return kept_use(dev, &dev->kept[dev->kept_of[ref] - 1], page);

    bytes = lent_page_borrow(dev->dom, ref, true, lent);
    if (!bytes) /* one that is lent for reading is served, but not kept */
        return write ? NULL : lent_page_borrow(dev->dom, ref, false, lent);
    kept = kept_place(dev);
    if (kept) {
        *kept = (struct block_kept){.lent = *lent};
        dev->kept_of[ref] = (uint16_t)(kept - dev->kept + 1);
        return kept_use(dev, kept, page);
    }
    if (!write) { /* as block_page_done will give it back */
        lent_page_return(dev->dom, lent, true);
        bytes = lent_page_borrow(dev->dom, ref, false, lent);
    }
    return bytes;
}

void block_page_done(struct blockdev *dev, const struct block_page *page,
                     bool write)
{
    if (page->persistent)
        dev->kept[page->persistent - 1].uses--;
    else
        lent_page_return(dev->dom, &page->lent, write);
}

void block_pages_forget(struct blockdev *dev)
{
    for (unsigned i = 0; i < dev->nr_kept; i++)
        kept_return(dev, &dev->kept[i]);
    dev->nr_kept = 0;
    dev->hand = 0;
}
