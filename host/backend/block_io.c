/*
 * host/backend/block_io.c: the io_uring of a domain's disks.
 *
 * What the page cache holds is read while io_uring_enter() runs, so the caller
 * submits a batch and finds most results at once; the rest shows as a readable
 * ring descriptor. One entry for a batch costs less than one system call each.
 * Not so for a batch of one: a read that is alone is first tried by preadv2(),
 * which takes three quarters of the time when the page cache has it all.
 *
 * The ring starts disabled, gets the disks' files and its restrictions, and is
 * enabled for good: whoever takes over this process may do no more with it.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "host/backend/block_private.h"
#include "host/domain.h"
#include "host/log.h"
#include "host/wait.h"

#define NR_SQES 256
#define NR_CQES 1024

static void block_io_ready(void *context, short revents)
{
    (void)revents;
    block_turn(context);
}

static int register_files(struct block_io *io, const struct domain *dom)
{
    int fds[CONFIG_MAX_DISKS];

    for (unsigned i = 0; i < dom->nr_disks; i++)
        fds[i] = dom->disks[i]->file.fd;
    return io_uring_register_files(&io->ring, fds, dom->nr_disks);
}

static int restrict_ring(struct block_io *io)
{
    static const uint8_t ops[] = {IORING_OP_READ,  IORING_OP_READV,
                                  IORING_OP_WRITE, IORING_OP_WRITEV,
                                  IORING_OP_FSYNC, IORING_OP_FALLOCATE};
    struct io_uring_restriction rules[sizeof ops + 2];
    unsigned nr = 0;

    memset(rules, 0, sizeof rules);
    for (; nr < sizeof ops; nr++) {
        rules[nr].opcode = IORING_RESTRICTION_SQE_OP;
        rules[nr].sqe_op = ops[nr];
    }
    rules[nr].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rules[nr++].sqe_flags = IOSQE_FIXED_FILE;
    rules[nr].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
    rules[nr++].sqe_flags = IOSQE_FIXED_FILE;
    return io_uring_register_restrictions(&io->ring, rules, nr);
}

int block_io_create(struct domain *dom)
{
    struct io_uring_params params = {
        .flags =
            IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
        .cq_entries = NR_CQES,
    };
    struct block_io *io = calloc(1, sizeof *io);
    const char *step = "make it";
    int rc = -ENOMEM;

    if (!io)
        goto fail;
    rc = io_uring_queue_init_params(NR_SQES, &io->ring, &params);
    if (rc)
        goto fail_free;
    step = "register the disks";
    rc = register_files(io, dom);
    if (rc < 0)
        goto fail_exit;
    step = "restrict it";
    rc = restrict_ring(io);
    if (rc < 0)
        goto fail_exit;
    step = "wait for it";
    rc = -ENOSPC;
    io->source = wait_add(&dom->wait, io->ring.ring_fd, 0, block_io_ready, dom);
    if (!io->source)
        goto fail_exit;
    step = "enable it";
    rc = io_uring_enable_rings(&io->ring);
    if (rc < 0)
        goto fail_remove;
    sandbox_allow_arg(&dom->sandbox, SYS_io_uring_enter, io->ring.ring_fd);
    for (unsigned i = 0; i < dom->nr_disks; i++)
        sandbox_allow_arg(&dom->sandbox, SYS_preadv2, dom->disks[i]->file.fd);
    dom->block_io = io;
    return 0;

fail_remove:
    wait_remove(&dom->wait, io->source);
fail_exit:
    io_uring_queue_exit(&io->ring);
fail_free:
    free(io);
fail:
    log_error("io_uring for the disks: cannot %s: %s: Linux 5.10 or newer is "
              "needed, with kernel.io_uring_disabled=0",
              step, strerror(-rc));
    return rc;
}

void block_io_destroy(struct domain *dom)
{
    struct block_io *io = dom->block_io;

    if (!io)
        return;
    wait_remove(&dom->wait, io->source);
    io_uring_queue_exit(&io->ring);
    free(io);
    dom->block_io = NULL;
}

static void prepare_transfer(struct io_uring_sqe *sqe,
                             const struct block_request *req, int file)
{
    const struct iovec *iov = req->iov;
    bool read = block_step(req) == BLOCK_READ;

    if (req->nr_iov > 1)
        io_uring_prep_rw(read ? IORING_OP_READV : IORING_OP_WRITEV, sqe, file,
                         iov, req->nr_iov, req->offset);
    else /* saves the kernel looking for a list of one */
        io_uring_prep_rw(read ? IORING_OP_READ : IORING_OP_WRITE, sqe, file,
                         iov->iov_base, (unsigned)iov->iov_len, req->offset);
}

static void prepare(struct io_uring_sqe *sqe, struct block_request *req)
{
    int file = (int)req->dev->index;

    switch (block_step(req)) {
    case BLOCK_PREFLUSH:
    case BLOCK_POSTFLUSH:
        req->flush_mark = req->dev->nr_written;
        io_uring_prep_fsync(sqe, file, IORING_FSYNC_DATASYNC);
        break;
    case BLOCK_READ:
    case BLOCK_WRITE:
        prepare_transfer(sqe, req, file);
        break;
    case BLOCK_DISCARD:
        io_uring_prep_fallocate(sqe, file,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                (off_t)req->offset, (off_t)req->left);
        break;
    }
    io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
    io_uring_sqe_set_data(sqe, req);
}

static bool queue(struct block_io *io, struct block_request *req)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);

    if (!sqe) {
        io_uring_submit(&io->ring);
        sqe = io_uring_get_sqe(&io->ring);
    }
    if (!sqe)
        return false;
    prepare(sqe, req);
    return true;
}

/* Into the ring, or the backlog when it is full. */
static void queue_or_keep(struct block_io *io, struct block_request *req)
{
    if (queue(io, req))
        return;
    req->next = io->backlog;
    io->backlog = req;
}

static void queue_lone(struct block_io *io)
{
    struct block_request *req = io->lone;

    io->lone = NULL;
    if (req)
        queue_or_keep(io, req);
}

void block_io_queue(struct block_io *io, struct block_request *req)
{
    io->nr_inflight++;
    queue_lone(io);
    if (block_io_queued(io) == 0)
        io->lone = req;
    else
        queue_or_keep(io, req);
}

unsigned block_io_queued(const struct block_io *io)
{
    return io_uring_sq_ready(&io->ring) + (io->backlog || io->lone ? 1 : 0);
}

/*
 * Not for direct I/O, which would wait for the disk here. Whatever does not
 * succeed is left to the ring to do, and to fail.
 */
static bool read_lone(struct block_io *io)
{
    struct block_request *req = io->lone;
    ssize_t n;

    if (!req || io->read || block_step(req) != BLOCK_READ ||
        req->dev->no_nowait)
        return false;
    n = preadv2(req->dev->file.fd, req->iov, (int)req->nr_iov,
                (off_t)req->offset, RWF_NOWAIT);
    if (n < 0 && errno == EOPNOTSUPP)
        req->dev->no_nowait = true;
    if (n <= 0)
        return false;
    io->lone = NULL;
    io->read = req;
    io->read_res = (int)n;
    return true;
}

static void queue_backlog(struct block_io *io)
{
    while (io->backlog) {
        struct block_request *req = io->backlog;

        io->backlog = req->next;
        if (!queue(io, req)) {
            req->next = io->backlog;
            io->backlog = req;
            return;
        }
    }
}

void block_io_submit(struct block_io *io, bool wait)
{
    bool done = read_lone(io);

    if (!done)
        queue_lone(io);
    queue_backlog(io);
    if (wait && !done)
        io_uring_submit_and_wait(&io->ring, 1);
    else if (io_uring_sq_ready(&io->ring) > 0)
        io_uring_submit(&io->ring);
    io->source->events = io->nr_inflight > 0 ? POLLIN : 0;
}

struct block_request *block_io_take(struct block_io *io, int *res)
{
    struct block_request *req = io->read;
    struct io_uring_cqe *cqe;

    if (req) {
        io->read = NULL;
        *res = io->read_res;
    } else {
        if (io_uring_peek_cqe(&io->ring, &cqe))
            return NULL;
        req = io_uring_cqe_get_data(cqe);
        *res = cqe->res;
        io_uring_cqe_seen(&io->ring, cqe);
    }
    io->nr_inflight--;
    if (!io->nr_inflight)
        io->source->events = 0;
    return req;
}
