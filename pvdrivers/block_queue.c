/*
 * pvdrivers/block_queue.c: requests on their way through the ring.
 *
 * Responses are looked for in the ring itself, so a backend that answers before
 * our notification returns costs no event.
 *
 * The backend is not trusted: a response counts only if it carries the id of a
 * part that is outstanding, and ids are never used twice in a row. Whatever
 * else it says ends the connection.
 */
#include <errno.h>

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

/* What a backend that left did not answer goes first. False: no room. */
static bool pump_redo(struct block *block)
{
    while (block->nr_redo) {
        struct extent *extent = &block->redo[block->nr_redo - 1];
        struct block_request *request = extent->request;
        int rc = block_send(block, extent);

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
            int rc = block_send(block, &extent);

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
    GUEST_LOCKED;

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
    GUEST_LOCKED;

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
