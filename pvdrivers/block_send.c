/*
 * pvdrivers/block_send.c: parts of requests as the backend sees them
 * (xen/io/blkif.h).
 *
 * No memory is allocated and nothing is copied, unless with persistent grants.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "blkfront.h"

static struct part *part_take(struct block *block,
                              struct block_request *request, uint32_t at)
{
    uint32_t index = block->free_parts[--block->nr_free];
    struct part *part = &block->parts[index];

    part->request = request;
    part->id = (uint64_t)++block->generation << 32 | index;
    part->at = at;
    part->nr_sectors = 0;
    part->status = 0;
    part->nr_pages = 0;
    part->pooled = block->persistent;
    part->again = false;
    return part;
}

void part_release(struct block *block, struct part *part)
{
    part->state = PART_FREE;
    block->free_parts[block->nr_free++] = (uint16_t)(part - block->parts);
}

static void part_sent(struct block *block, struct part *part)
{
    part->state = PART_SENT;
    part->request->parts_left++;
    block->unpublished = true;
}

/*
 * The senders put the next part of (extent) into the ring, which has room, and
 * shorten it. They return 1, 0 if it has to wait, or why it will never go.
 */
static int send_direct(struct block *block, struct part *part,
                       struct extent *extent, uint8_t op, char *data)
{
    struct blkif_request req;
    uint32_t nr;

    nr = pages_lend(block, part, data, extent->left, req.seg,
                    BLKIF_MAX_SEGMENTS_PER_REQUEST);
    if (!nr)
        return 0;
    req.operation = op;
    req.nr_segments = (uint8_t)nr;
    req.handle = (blkif_vdev_t)block->info.virtual_device;
    req.id = part->id;
    req.sector_number = extent->request->sector + extent->at;
    ring_front_put(&block->ring, &req,
                   offsetof(struct blkif_request, seg) + nr * sizeof *req.seg);
    return 1;
}

static int send_indirect(struct block *block, struct part *part,
                         struct extent *extent, uint8_t op, char *data)
{
    struct blkif_request_indirect req = {
        .operation = BLKIF_OP_INDIRECT,
        .indirect_op = op,
        .id = part->id,
        .sector_number = extent->request->sector + extent->at,
        .handle = (blkif_vdev_t)block->info.virtual_device,
    };
    uint32_t nr;

    nr = pages_lend(block, part, data, extent->left, part->list->segments,
                    block->max_segments);
    if (!nr)
        return 0;
    req.nr_segments = (uint16_t)nr;
    req.indirect_grefs[0] = part->list->ref;
    ring_front_put(&block->ring, &req, sizeof req);
    return 1;
}

static int send_data(struct block *block, struct extent *extent)
{
    struct block_request *request = extent->request;
    uint8_t op = request->op == BLOCK_WRITE ? BLKIF_OP_WRITE : BLKIF_OP_READ;
    char *data = (char *)request->buffer + (size_t)extent->at * BLOCK_SECTOR;
    uintptr_t first = (uintptr_t)data / BLOCK_SECTOR % PAGE_SECTORS;
    bool indirect =
        first + extent->left > BLKIF_MAX_SEGMENTS_PER_REQUEST * PAGE_SECTORS &&
        block->max_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST;
    struct segment_list *list = NULL;
    struct part *part;
    int rc;

    if (indirect) {
        list = list_take(block);
        /* Without one now, but others busy: theirs will come back. */
        if (!list && block->nr_lists)
            return 0;
    }
    part = part_take(block, request, extent->at);
    part->list = list;
    rc = (list ? send_indirect : send_direct)(block, part, extent, op, data);
    if (rc <= 0) {
        if (list)
            list_release(block, list);
        part->list = NULL;
        part_release(block, part);
        /* No page could be lent: they come back if any is lent by us. */
        return block->nr_free == block->nr_parts ? -ENOMEM : rc;
    }
    extent->at += part->nr_sectors;
    extent->left -= part->nr_sectors;
    part_sent(block, part);
    return 1;
}

static int send_flush(struct block *block, struct extent *extent)
{
    struct blkif_request req;
    struct part *part;

    if (!block->flush && !block->barrier)
        return -EOPNOTSUPP;
    part = part_take(block, extent->request, 0);
    memset(&req, 0, sizeof req);
    req.operation =
        block->flush ? BLKIF_OP_FLUSH_DISKCACHE : BLKIF_OP_WRITE_BARRIER;
    req.handle = (blkif_vdev_t)block->info.virtual_device;
    req.id = part->id;
    ring_front_put(&block->ring, &req, sizeof req);
    extent->left = 0;
    part_sent(block, part);
    return 1;
}

static int send_discard(struct block *block, struct extent *extent)
{
    struct blkif_request_discard req = {
        .operation = BLKIF_OP_DISCARD,
        .handle = (blkif_vdev_t)block->info.virtual_device,
        .sector_number = extent->request->sector,
        .nr_sectors = extent->request->nr_sectors,
    };
    struct part *part;

    if (!block->discard)
        return -EOPNOTSUPP;
    part = part_take(block, extent->request, 0);
    req.id = part->id;
    ring_front_put(&block->ring, &req, sizeof req);
    extent->left = 0;
    part_sent(block, part);
    return 1;
}

int block_send(struct block *block, struct extent *extent)
{
    if (block->error)
        return block->error;
    if (!block->running || !block->nr_free || !ring_front_room(&block->ring))
        return 0;
    switch (extent->request->op) {
    case BLOCK_READ:
    case BLOCK_WRITE:
        return send_data(block, extent);
    case BLOCK_FLUSH:
        return send_flush(block, extent);
    case BLOCK_DISCARD:
        return send_discard(block, extent);
    }
    return -EINVAL;
}
