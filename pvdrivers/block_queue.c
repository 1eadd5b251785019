/*
 * pvdrivers/block_queue.c: requests on their way through the ring.
 *
 * No memory is allocated for a request and nothing is copied: its pages are
 * lent as they are. Responses are looked for in the ring itself, so a backend
 * that answers before our notification returns costs no event.
 *
 * The backend is not trusted: a response counts only if it carries the id of a
 * part that is outstanding, and ids are never used twice in a row. Whatever
 * else it says ends the connection.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blkfront.h"
#include <pvguest/event.h>

#define DRAIN_LIMIT 1024u /* told at one time, before others get their turn */
#define HELD_RETRY  10000000ull

static void block_again(void *context)
{
    block_drain(context);
}

/* Have block_drain run soon, though no event will say so. */
static void drain_later(struct block *block, uint64_t delay_ns)
{
    if (!block->again.armed)
        timer_arm(&block->again, clock_system_ns() + delay_ns, block_again,
                  block);
}

/* To be told by the next drain: where we are, a callback must not run. */
static void request_finish(struct block *block, struct block_request *request)
{
    request->next = block->finished;
    block->finished = request;
    if (!block->draining)
        drain_later(block, 0);
}

static void request_tell(struct block *block, struct block_request *request)
{
    block->nr_pending--;
    block->nr_told++;
    request->done(request);
}

/* One part of (request) is over: true when that was the last. */
static bool part_over(struct block_request *request, int status)
{
    if (status && !request->status)
        request->status = status;
    return --request->parts_left == 0 &&
           request->sectors_sent == request->nr_sectors;
}

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

static void part_release(struct block *block, struct part *part)
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

static int send_extent(struct block *block, struct extent *extent)
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

/* What a backend that left did not answer goes first. False: no room. */
static bool pump_redo(struct block *block)
{
    while (block->nr_redo) {
        struct extent *extent = &block->redo[block->nr_redo - 1];
        struct block_request *request = extent->request;
        int rc = send_extent(block, extent);

        if (!rc)
            return false;
        if (rc > 0 && extent->left)
            continue;
        /* The extent stood for one part; now its own parts do. */
        block->nr_redo--;
        if (part_over(request, rc < 0 ? rc : 0))
            request_finish(block, request);
    }
    return true;
}

/* Send what waits, in order, as far as there is room. */
static void pump(struct block *block)
{
    struct block_request *request;

    if (!pump_redo(block))
        return;
    while ((request = block->first)) {
        uint32_t at = request->sectors_sent;
        struct extent extent = {request, at, request->nr_sectors - at};

        while (!request->status) {
            int rc = send_extent(block, &extent);

            request->sectors_sent = extent.at;
            if (!rc)
                return;
            if (rc < 0)
                request->status = rc;
            else if (!extent.left)
                break;
        }
        block->first = request->next;
        request->sectors_sent = request->nr_sectors;
        if (!request->parts_left)
            request_finish(block, request);
    }
}

/* What the request asks wrongly, before the backend hears of it. */
static int request_check(const struct block *block,
                         const struct block_request *request)
{
    const struct block_info *info = &block->info;
    uint32_t unit = info->sector_size / BLOCK_SECTOR;

    if (request->op == BLOCK_FLUSH)
        return 0;
    if (request->op != BLOCK_READ && info->readonly)
        return -EROFS;
    if (!request->nr_sectors || request->sector > info->nr_sectors ||
        request->nr_sectors > info->nr_sectors - request->sector)
        return -EINVAL;
    if (unit > 1 && (request->sector % unit || request->nr_sectors % unit))
        return -EINVAL;
    if (request->op != BLOCK_DISCARD &&
        (uintptr_t)request->buffer % info->sector_size)
        return -EINVAL;
    return 0;
}

void block_submit(struct block *block, struct block_request *request)
{
    request->next = NULL;
    request->parts_left = 0;
    request->sectors_sent = 0;
    request->status =
        block->error ? block->error : request_check(block, request);
    block->nr_pending++;

    if (request->status) {
        request_finish(block, request);
        return;
    }
    if (block->first) {
        block->last->next = request; /* behind others that wait */
        block->last = request;
        return;
    }
    block->first = block->last = request;
    pump(block);
}

/* What still waits for room was kicked too, and goes as soon as it fits. */
static void block_publish(struct block *block)
{
    block->unpublished = false;
    block->kicked = block->first || block->nr_redo;
    if (ring_front_publish(&block->ring))
        event_send(block->port);
}

void block_kick(struct block *block)
{
    block->kicked = true;
    if (block->unpublished && block->running)
        block_publish(block);
}

static void block_broken(struct block *block, const char *why)
{
    block->running = block->attached = false;
    handshake_fail(&block->hs, -EIO, why);
}

static int part_status(struct block *block, const struct part *part,
                       int16_t status)
{
    if (status == BLKIF_RSP_OKAY)
        return 0;
    if (status != BLKIF_RSP_EOPNOTSUPP)
        return -EIO;
    switch (part->request->op) {
    case BLOCK_FLUSH:
        block->flush = block->barrier = block->info.can_flush = false;
        break;
    case BLOCK_DISCARD:
        block->discard = block->info.can_discard = false;
        break;
    default:
        break;
    }
    return -EOPNOTSUPP;
}

/* The pages of (part) are back. The request if it is to be told, or NULL. */
static struct block_request *part_end(struct block *block, struct part *part)
{
    struct block_request *request = part->request;
    int status = part->status;

    if (part->again && !block->error) {
        block->redo[block->nr_redo++] =
            (struct extent){request, part->at, part->nr_sectors};
        part_release(block, part);
        return NULL;
    }
    if (part->again)
        status = block->error;
    part_release(block, part);
    return part_over(request, status) ? request : NULL;
}

/* Take one response: the part it is for, or NULL and the backend is broken. */
static struct part *response_part(struct block *block,
                                  const struct blkif_response *rsp)
{
    uint32_t index = (uint32_t)rsp->id;
    struct part *part;

    if (index >= block->nr_parts)
        return NULL;
    part = &block->parts[index];
    if (part->state != PART_SENT || part->id != rsp->id)
        return NULL;
    return part;
}

static unsigned take_responses(struct block *block, unsigned limit)
{
    struct blkif_response rsp;
    unsigned nr = 0;
    int rc = 0;

    while (nr < limit && block->attached &&
           (rc = ring_front_take(&block->ring, &rsp, sizeof rsp)) > 0) {
        struct part *part = response_part(block, &rsp);
        struct block_request *request;

        if (!part) {
            block_broken(block, "the backend answered what was not asked");
            break;
        }
        part->status = part_status(block, part, rsp.status);
        if (!pages_return(block, part)) {
            part->state = PART_HELD;
            block->nr_held++;
            continue;
        }
        request = part_end(block, part);
        if (request) {
            nr++;
            request_tell(block, request);
        }
    }
    if (rc < 0)
        block_broken(block, "the backend's ring indices make no sense");
    return nr;
}

/* Pages the backend kept after its response: are they back now? */
static void retry_held(struct block *block)
{
    for (uint32_t i = 0; block->nr_held && i < block->nr_parts; i++) {
        struct part *part = &block->parts[i];
        struct block_request *request;

        if (part->state != PART_HELD || !pages_return(block, part))
            continue;
        block->nr_held--;
        request = part_end(block, part);
        if (request)
            request_finish(block, request);
    }
    if (block->nr_held)
        drain_later(block, HELD_RETRY);
}

static unsigned tell_finished(struct block *block)
{
    unsigned nr = 0;
    struct block_request *request;

    while ((request = block->finished)) {
        block->finished = request->next;
        request_tell(block, request);
        nr++;
    }
    return nr;
}

unsigned block_drain(struct block *block)
{
    unsigned nr = 0;

    if (block->draining)
        return 0; /* called from a callback of ours */
    block->draining = true;
    do {
        nr += take_responses(block, DRAIN_LIMIT - nr);
        if (block->nr_held)
            retry_held(block);
        pump(block);
        if (block->kicked && block->unpublished && block->running)
            block_publish(block);
        nr += tell_finished(block);
        /* Asleep only after asking to be woken by the next response. */
    } while (nr < DRAIN_LIMIT &&
             (block->finished ||
              (block->attached && !ring_front_may_sleep(&block->ring))));
    if (nr >= DRAIN_LIMIT)
        drain_later(block, 0);
    block->draining = false;

    if (nr)
        thread_wake_all(&block->told);
    return nr;
}

void block_recall(struct block *block)
{
    for (uint32_t i = 0; i < block->nr_parts; i++) {
        struct part *part = &block->parts[i];
        struct block_request *request;

        if (part->state != PART_SENT)
            continue;
        part->again = true;
        if (!pages_return(block, part)) {
            part->state = PART_HELD;
            block->nr_held++;
            continue;
        }
        request = part_end(block, part);
        if (request)
            request_finish(block, request);
    }
    block_drain(block);
}
