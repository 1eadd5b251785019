/*
 * host/backend/block_serve.c: rings emptied, requests driven through their
 * steps, responses written.
 *
 * All runs on the domain's one thread and never while the guest runs, but a
 * result can come at any time: at once after submitting, or turns later.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "host/backend/block_private.h"
#include "host/domain.h"
#include "host/log.h"
#include "host/port.h"

/* A step is tried so often when the kernel says "again". */
#define MAX_TRIES 100

/* A held request, a barrier, a full queue each take another turn. */
#define MAX_TURNS 4096

enum complaint { COMPLAINT_SHRUNK, COMPLAINT_FULL, COMPLAINT_FAILS };

void block_requests_reset(struct blockdev *dev)
{
    dev->free = NULL;
    for (unsigned i = dev->ring.nr_slots; i-- > 0;) {
        dev->requests[i].dev = dev;
        dev->requests[i].next = dev->free;
        dev->free = &dev->requests[i];
    }
    dev->free_long = NULL;
    for (unsigned i = BLOCK_NR_LONG; i-- > 0;) {
        dev->longs[i].next = dev->free_long;
        dev->free_long = &dev->longs[i];
    }
    dev->held = false;
    dev->barrier = false;
    dev->broken = false;
}

static const char *operation_name(const struct block_request *req)
{
    switch (req->operation) {
    case BLKIF_OP_READ:
        return "read";
    case BLKIF_OP_WRITE:
        return "write";
    case BLKIF_OP_WRITE_BARRIER:
        return "barrier";
    case BLKIF_OP_FLUSH_DISKCACHE:
        return "flush";
    case BLKIF_OP_DISCARD:
        return "discard";
    default:
        return "unknown operation";
    }
}

/* Each kind of trouble is worth one line, however often it comes. */
static void complain(struct blockdev *dev, const struct block_request *req,
                     enum complaint kind, int error)
{
    const char *vdev = dev->config->vdev, *path = dev->config->target;

    if (dev->complained & 1u << kind)
        return;
    dev->complained |= 1u << kind;
    switch (kind) {
    case COMPLAINT_SHRUNK:
        log_error("disk %s: %s has become shorter than the %llu bytes it had; "
                  "the guest gets I/O errors beyond its end",
                  vdev, path,
                  (unsigned long long)dev->file.sectors * SECTOR_SIZE);
        break;
    case COMPLAINT_FULL:
        log_error("disk %s: cannot write to %s: %s: the guest gets I/O errors "
                  "until there is room",
                  vdev, path, strerror(error));
        break;
    case COMPLAINT_FAILS:
        log_error("disk %s: %s at byte %llu of %s: %s: the guest gets an I/O "
                  "error",
                  vdev, operation_name(req), (unsigned long long)req->offset,
                  path, strerror(error));
        break;
    }
}

static void trace(const struct block_request *req, int16_t status)
{
    static const char *const names[] = {"okay", "error", "not supported"};

    log_trace("block: %s: %s, id %#llx, up to byte %llu: %s",
              req->dev->config->vdev, operation_name(req),
              (unsigned long long)req->id, (unsigned long long)req->offset,
              names[-status]);
}

/* Answer and free it. While disconnecting nobody listens any more. */
static void answer(struct block_request *req, int16_t status)
{
    struct blockdev *dev = req->dev;
    struct blkif_response rsp;

    if (dev->dom->config->trace & TRACE_BLOCK)
        trace(req, status);
    if (dev->connected) {
        memset(&rsp, 0, sizeof rsp); /* the padding goes to the guest too */
        rsp.id = req->id;
        rsp.operation = req->operation;
        rsp.status = status;
        ring_back_put(&dev->ring, &rsp, BLOCK_RESPONSE_SIZE);
    }
    req->next = dev->free;
    dev->free = req;
}

static void finish(struct block_request *req, int16_t status)
{
    struct blockdev *dev = req->dev;

    block_request_release(req);
    dev->nr_inflight--;
    dev->barrier = false; /* it was alone */
    answer(req, status);
}

/* (done) bytes of the transfer are over: true if none are left. */
static bool advance(struct block_request *req, size_t done)
{
    req->offset += done;
    req->left -= done;
    while (done > 0 && done >= req->iov->iov_len) {
        done -= req->iov->iov_len;
        req->iov++;
        req->nr_iov--;
    }
    if (done > 0) {
        req->iov->iov_base = (uint8_t *)req->iov->iov_base + done;
        req->iov->iov_len -= done;
    }
    return req->left == 0;
}

static void step_failed(struct block_request *req, int error)
{
    enum complaint kind = COMPLAINT_FAILS;
    int16_t status = BLKIF_RSP_ERROR;

    if (error == ENOSPC || error == EDQUOT || error == EFBIG)
        kind = COMPLAINT_FULL;
    if (error == ENODATA)
        kind = COMPLAINT_SHRUNK;
    if (error == EOPNOTSUPP && block_step(req) == BLOCK_DISCARD)
        status = BLKIF_RSP_EOPNOTSUPP; /* the guest will stop asking */
    else
        complain(req->dev, req, kind, error);
    finish(req, status);
}

/* Nobody here cancels: the kernel does, when signals kept it from starting the
 * thread for a request that has to wait. */
static bool was_given_up(int res)
{
    return res == -EINTR || res == -EAGAIN || res == -ECANCELED;
}

/* The lowest step ended with (res): 0 to go on, 1 to repeat it, -errno. */
static int step_result(struct block_request *req, int res)
{
    struct blockdev *dev = req->dev;

    if (was_given_up(res))
        return ++req->tries < MAX_TRIES ? 1 : res;
    if (res < 0)
        return res;
    req->tries = 0;
    switch (block_step(req)) {
    case BLOCK_PREFLUSH:
    case BLOCK_POSTFLUSH:
        dev->nr_durable = req->flush_mark;
        return 0;
    case BLOCK_DISCARD:
        dev->nr_written++;
        return 0;
    case BLOCK_READ:
        if (res == 0)
            return -ENODATA;
        break;
    case BLOCK_WRITE:
        if (res == 0)
            return -ENOSPC;
        dev->nr_written++;
        break;
    }
    return advance(req, (size_t)res) ? 0 : 1;
}

static void step_done(struct block_io *io, struct block_request *req, int res)
{
    int rc = step_result(req, res);

    if (rc < 0) {
        step_failed(req, -rc);
        return;
    }
    if (rc == 0)
        req->steps &= (uint8_t)(req->steps - 1); /* drop the lowest */
    if (req->steps)
        block_io_queue(io, req);
    else
        finish(req, BLKIF_RSP_OKAY);
}

/*
 * False if it cannot start before something in flight is done: a barrier waits
 * for all before it, and all wait for it.
 */
static bool start(struct blockdev *dev, const union block_slot *slot)
{
    bool barrier = slot->rw.operation == BLKIF_OP_WRITE_BARRIER;
    struct block_request *req = dev->free;
    int16_t status;

    if (dev->barrier || (barrier && dev->nr_inflight > 0) ||
        (slot->rw.operation == BLKIF_OP_INDIRECT && !dev->free_long))
        return false;

    dev->free = req->next;
    status = block_request_parse(req, slot);
    if (status != BLKIF_RSP_OKAY || !req->steps) {
        answer(req, status);
        return true;
    }
    dev->nr_inflight++;
    dev->barrier = barrier;
    block_io_queue(dev->dom->block_io, req);
    return true;
}

static int take_narrow(struct blockdev *dev, union block_slot *slot)
{
    uint8_t narrow[BLOCK_NARROW_SLOT] = {0};
    uint8_t *wide = (uint8_t *)slot;
    int rc = ring_back_take(&dev->ring, narrow, sizeof narrow);

    memcpy(wide, narrow, BLOCK_HOLE_START);
    memset(wide + BLOCK_HOLE_START, 0, BLOCK_HOLE_SIZE);
    memcpy(wide + BLOCK_HOLE_START + BLOCK_HOLE_SIZE, narrow + BLOCK_HOLE_START,
           sizeof narrow - BLOCK_HOLE_START);
    return rc;
}

static int take_slot(struct blockdev *dev, union block_slot *slot)
{
    return dev->narrow ? take_narrow(dev, slot)
                       : ring_back_take(&dev->ring, slot, sizeof *slot);
}

/* Take all that the ring has and that can start now. */
static void take(struct blockdev *dev)
{
    if (dev->broken || (dev->held && !start(dev, &dev->held_slot)))
        return;
    dev->held = false;
    for (;;) {
        union block_slot slot;
        int rc = take_slot(dev, &slot);

        if (rc == 0 && ring_back_may_sleep(&dev->ring))
            return;
        dev->broken = rc < 0;
        dev->held = rc > 0 && !start(dev, &slot);
        if (dev->held)
            dev->held_slot = slot;
        if (dev->broken || dev->held)
            return;
    }
}

static void publish(struct blockdev *dev)
{
    if (ring_back_publish(&dev->ring))
        port_raise(dev->dom, dev->port);
    if (dev->broken)
        xenbus_fail(&dev->bus,
                    "disk %s: the guest's ring claims more requests than it "
                    "has slots; it is disconnected, the guest goes on",
                    dev->config->vdev);
}

/* One round of the kernel and back: true if it left something to submit. */
static bool turn_once(struct domain *dom)
{
    struct block_io *io = dom->block_io;
    struct block_request *req;
    int res;

    block_io_submit(io, false);
    while ((req = block_io_take(io, &res)))
        step_done(io, req, res);
    for (unsigned i = 0; i < dom->nr_disks; i++)
        if (dom->disks[i]->connected && dom->disks[i]->held)
            take(dom->disks[i]);
    return block_io_queued(io) > 0;
}

void block_turn(struct domain *dom)
{
    unsigned tries = 0;

    /* Bounded, as the kernel may be short of memory: the next turn goes on. */
    while (turn_once(dom) && ++tries < MAX_TURNS)
        ;
    for (unsigned i = 0; i < dom->nr_disks; i++)
        if (dom->disks[i]->connected)
            publish(dom->disks[i]);
}

void block_notified(void *context)
{
    struct blockdev *dev = context;

    take(dev);
    block_turn(dev->dom);
}

void block_poll_all(struct domain *dom)
{
    if (dom->block_io && dom->block_io->nr_inflight > 0)
        block_turn(dom);
}

void block_quiesce(struct blockdev *dev)
{
    struct block_io *io = dev->dom->block_io;

    while (dev->nr_inflight > 0) {
        struct block_request *req;
        int res;

        block_io_submit(io, true);
        while ((req = block_io_take(io, &res)))
            step_done(io, req, res);
    }
}

void block_flush(struct blockdev *dev)
{
    struct block_request req = {.dev = dev, .steps = BLOCK_PREFLUSH};
    struct block_io *io = dev->dom->block_io;
    int res = 0;

    if (dev->nr_durable == dev->nr_written)
        return;
    block_io_queue(io, &req);
    do {
        block_io_submit(io, true);
    } while (!block_io_take(io, &res));
    if (res < 0)
        log_error("disk %s: cannot flush %s: %s: its last writes may be lost",
                  dev->config->vdev, dev->config->target, strerror(-res));
    else
        dev->nr_durable = req.flush_mark;
}
