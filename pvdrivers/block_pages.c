/*
 * pvdrivers/block_pages.c: which pages the backend may touch, and until when.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blkfront.h"
#include <pvguest/grant.h>
#include <pvguest/page.h>

static uint32_t *part_pages(struct part *part)
{
    return part->list ? part->list->pages : part->pages;
}

/* A page that stays lent: from the pool, or made now. Index, or -ENOMEM. */
static int64_t pool_take(struct block *block)
{
    struct persistent_page *fresh;
    uint32_t index;
    int64_t ref;

    if (block->pool_free) {
        index = block->pool_free - 1;
        block->pool_free = block->pool[index].next;
        return index;
    }
    if (!block->pool)
        block->pool = calloc(MAX_PERSISTENT, sizeof *block->pool);
    if (!block->pool || block->nr_pool == MAX_PERSISTENT)
        return -ENOMEM;
    fresh = &block->pool[block->nr_pool];
    fresh->page = page_alloc_zeroed(1);
    if (!fresh->page)
        return -ENOMEM;
    ref = guest_grant(block->hs.backend_id, fresh->page, false);
    if (ref < 0) {
        page_free(fresh->page, 1);
        return -ENOMEM;
    }
    fresh->ref = (grant_ref_t)ref;
    return block->nr_pool++;
}

static void pool_release(struct block *block, uint32_t index)
{
    block->pool[index].next = block->pool_free;
    block->pool_free = index + 1;
}

/* Lend one page's worth at (data): a grant or a pool index, or negative. */
static int64_t lend_one(struct block *block, const struct part *part,
                        char *data, uint32_t bytes, grant_ref_t *ref)
{
    bool write = part->request->op == BLOCK_WRITE;
    uintptr_t offset = (uintptr_t)data & (PAGE_SIZE - 1);
    int64_t page;

    if (!part->pooled) {
        page = guest_grant(block->hs.backend_id, data - offset, write);
        *ref = (grant_ref_t)page;
        return page;
    }
    page = pool_take(block);
    if (page < 0)
        return page;
    *ref = block->pool[page].ref;
    if (write)
        memcpy(block->pool[page].page + offset, data, bytes);
    return page;
}

uint32_t pages_lend(struct block *block, struct part *part, char *data,
                    uint32_t nr_sectors, struct blkif_request_segment *segments,
                    uint32_t max)
{
    uint32_t *pages = part_pages(part);
    uint32_t nr = 0;

    part->nr_sectors = 0;
    while (nr < max && nr_sectors) {
        uint32_t offset = (uint32_t)((uintptr_t)data & (PAGE_SIZE - 1));
        uint32_t first = offset / BLOCK_SECTOR;
        uint32_t sectors = PAGE_SECTORS - first;
        grant_ref_t ref;
        int64_t page;

        if (sectors > nr_sectors)
            sectors = nr_sectors;
        page = lend_one(block, part, data, sectors * BLOCK_SECTOR, &ref);
        if (page < 0)
            break;
        pages[nr] = (uint32_t)page;
        segments[nr] = (struct blkif_request_segment){
            .gref = ref,
            .first_sect = (uint8_t)first,
            .last_sect = (uint8_t)(first + sectors - 1),
        };
        nr++;
        data += (size_t)sectors * BLOCK_SECTOR;
        nr_sectors -= sectors;
        part->nr_sectors += sectors;
    }
    part->nr_pages = (uint16_t)nr;
    return nr;
}

/* Copy what was read out of the driver's pages, and keep those for others. */
static void pool_return(struct block *block, struct part *part)
{
    const struct block_request *request = part->request;
    bool copy = request->op == BLOCK_READ && !part->status && !part->again;
    char *data = (char *)request->buffer + (size_t)part->at * BLOCK_SECTOR;
    size_t left = (size_t)part->nr_sectors * BLOCK_SECTOR;
    const uint32_t *pages = part_pages(part);

    for (uint32_t i = 0; i < part->nr_pages; i++) {
        uintptr_t offset = (uintptr_t)data & (PAGE_SIZE - 1);
        size_t bytes = PAGE_SIZE - offset < left ? PAGE_SIZE - offset : left;

        if (copy)
            memcpy(data, block->pool[pages[i]].page + offset, bytes);
        data += bytes;
        left -= bytes;
        pool_release(block, pages[i]);
    }
    part->nr_pages = 0;
}

bool pages_return(struct block *block, struct part *part)
{
    uint32_t *pages = part_pages(part);

    if (part->pooled) {
        pool_return(block, part);
    } else {
        while (part->nr_pages && !guest_grant_end(pages[part->nr_pages - 1]))
            part->nr_pages--;
    }
    if (part->nr_pages)
        return false;
    if (part->list)
        list_release(block, part->list);
    part->list = NULL;
    return true;
}

struct segment_list *list_take(struct block *block)
{
    struct segment_list *list = block->lists;
    int64_t ref;

    if (list) {
        block->lists = list->next;
        return list;
    }
    if (block->nr_lists == NR_LISTS)
        return NULL;
    list = malloc(sizeof *list);
    if (!list)
        return NULL;
    list->segments = page_alloc_zeroed(1);
    if (!list->segments)
        goto fail;
    /* xen/io/blkif.h, note 8: any page may stay mapped, then for writing. */
    ref = guest_grant(block->hs.backend_id, list->segments, !block->persistent);
    if (ref < 0)
        goto fail_page;
    list->ref = (grant_ref_t)ref;
    block->nr_lists++;
    return list;

fail_page:
    page_free(list->segments, 1);
fail:
    free(list);
    return NULL;
}

void list_release(struct block *block, struct segment_list *list)
{
    list->next = block->lists;
    block->lists = list;
}

void pages_destroy(struct block *block)
{
    struct segment_list *list;

    while ((list = block->lists)) {
        block->lists = list->next;
        block->nr_lists--;
        if (!guest_grant_end(list->ref))
            page_free(list->segments, 1);
        free(list);
    }
    for (uint32_t i = 0; i < block->nr_pool; i++)
        if (!guest_grant_end(block->pool[i].ref))
            page_free(block->pool[i].page, 1);
    block->nr_pool = 0;
    block->pool_free = 0;
}
