/*
 * host/backend/block_private.h: what the files of the block backend share.
 *
 *   block.c           a disk's life: directories, connect, disconnect
 *   block_serve.c     ring to requests, results to ring
 *   block_request.c   is this request allowed, and what does it take
 *   block_page.c      the guest's data pages while a request uses them
 *   block_io.c        the io_uring
 *   disk_file.c       the file or device behind
 *
 * A request is one slot of the ring copied out, then a list of *steps*, each
 * one submission to the kernel. A ring has as many requests as slots, so there
 * is always one free; only the page lists of indirect requests are fewer.
 */
#ifndef HOST_BACKEND_BLOCK_PRIVATE_H
#define HOST_BACKEND_BLOCK_PRIVATE_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <grant/borrow.h>
#include <ring/back.h>
#include <xen/io/blkif.h>

#include "host/backend/block.h"
#include "host/backend/disk_file.h"
#include "host/backend/lent_page.h"
#include "host/backend/xenbus.h"

#define BLOCK_MAX_ORDER      4   /* ring pages: 16 */
#define BLOCK_MAX_SLOTS      512 /* that many requests fit these */
#define BLOCK_MAX_INDIRECT   256 /* segments of an indirect request */
#define BLOCK_NR_LONG        64  /* indirect requests at a time */
#define BLOCK_MAX_PERSISTENT 1056
#define BLOCK_MAX_REFS       (GRANT_MAX_FRAMES * GRANT_ENTRIES_PER_PAGE)

/* A slot of the ring, by operation. */
union block_slot {
    struct blkif_request rw;
    struct blkif_request_discard discard;
    struct blkif_request_indirect indirect;
};

/*
 * As i386 lays it out, a slot has no hole before its id; the rest is the same,
 * and of a response all but its last bytes, which nobody looks at.
 */
#define BLOCK_HOLE_START    4
#define BLOCK_HOLE_SIZE     4
#define BLOCK_NARROW_SLOT   (sizeof(union block_slot) - BLOCK_HOLE_SIZE)
#define BLOCK_RESPONSE_SIZE 12

/* A page of the guest in use by a request. */
struct block_page {
    struct lent_page lent;
    uint16_t persistent; /* 1 + index of the kept page this is; 0: our own */
};

/* The arrays of an indirect request. */
struct block_long {
    struct block_long *next;
    struct iovec iov[BLOCK_MAX_INDIRECT];
    struct block_page pages[BLOCK_MAX_INDIRECT];
};

/* In the order in which they are taken. */
enum block_step {
    BLOCK_PREFLUSH = 1 << 0,
    BLOCK_READ = 1 << 1,
    BLOCK_WRITE = 1 << 2,
    BLOCK_DISCARD = 1 << 3,
    BLOCK_POSTFLUSH = 1 << 4,
};

struct block_request {
    struct blockdev *dev;
    struct block_request *next; /* in the free list, or the io's backlog */
    uint64_t id;
    uint8_t operation; /* as the response names it */
    uint8_t steps;     /* to do; the lowest is under way */
    uint8_t tries;     /* of this step, for no fault of the disk's */
    uint64_t offset;   /* on the disk, bytes: what is left */
    uint64_t left;
    struct iovec *iov; /* what is left: read and write */
    unsigned nr_iov;
    struct block_page *pages;
    unsigned nr_pages;
    uint64_t flush_mark; /* dev->nr_written when the flush began */

    struct block_long *longer; /* NULL: these */
    struct iovec own_iov[BLKIF_MAX_SEGMENTS_PER_REQUEST];
    struct block_page own_pages[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

/* The step under way, or to be taken next. */
static inline enum block_step block_step(const struct block_request *req)
{
    return (enum block_step)(req->steps & -req->steps);
}

/* A page the frontend lends for good. */
struct block_kept {
    struct lent_page lent;
    uint32_t uses;    /* requests using it now */
    bool used_lately; /* since the hand last came by */
};

struct blockdev {
    struct domain *dom;
    const struct disk_config *config;
    struct disk_file file;
    struct xenbus_device bus;
    unsigned index; /* in dom->disks, and of the file in the io_uring */

    bool connected;
    bool broken;     /* the ring's counters lied */
    bool persistent; /* negotiated */
    bool narrow;     /* the ring is laid out as i386 does */
    uint32_t port;
    struct ring_back ring;
    void *ring_pages[1 << BLOCK_MAX_ORDER];
    struct lent_page ring_grants[1 << BLOCK_MAX_ORDER];
    unsigned nr_ring_pages;

    bool no_nowait; /* a read without the ring would have to wait */
    unsigned nr_inflight;
    bool barrier; /* one is in flight: nothing else may start */
    bool held;    /* (held_slot) was taken and cannot start yet */
    union block_slot held_slot;

    uint64_t nr_written, nr_durable; /* writes done, and of these flushed */
    unsigned complained;             /* 1 << kind: said once */

    struct block_request *free;
    struct block_long *free_long;

    unsigned nr_kept, hand;
    struct block_kept kept[BLOCK_MAX_PERSISTENT];

    /* Large, and touched only as far as a ring needs them. */
    struct block_request requests[BLOCK_MAX_SLOTS];
    struct block_long longs[BLOCK_NR_LONG];
    uint16_t kept_of[BLOCK_MAX_REFS]; /* 1 + index in (kept), by reference */
};

/* block_serve.c */

/* Make all of the ring's requests free. */
void block_requests_reset(struct blockdev *dev);

/* The guest's signal. */
void block_notified(void *dev);

/* Start what can be started, answer what is done, until neither is possible. */
void block_turn(struct domain *dom);

/* Wait until nothing of (dev) is in flight; the ring is not served. */
void block_quiesce(struct blockdev *dev);

/* Make durable all that was written; nothing may be in flight. */
void block_flush(struct blockdev *dev);

/* block_request.c */

/*
 * Judge (slot) and fill (req): 0 with req->steps to be done (none: it is done),
 * or a BLKIF_RSP_ error with no page borrowed. req->operation and req->id are
 * filled in any case.
 */
int16_t block_request_parse(struct block_request *req,
                            const union block_slot *slot);

/* Give back its pages. */
void block_request_release(struct block_request *req);

/* block_page.c */

/* As lent_page_borrow, for data pages, which persistent grants allow to keep.
 */
uint8_t *block_page_use(struct blockdev *dev, grant_ref_t ref, bool write,
                        struct block_page *page);
void block_page_done(struct blockdev *dev, const struct block_page *page,
                     bool write);

/* Let go of all kept pages; none may be in use. */
void block_pages_forget(struct blockdev *dev);

/* block_io.c */

struct block_io {
    struct io_uring ring;
    unsigned nr_inflight;       /* queued or given to the kernel */
    struct block_request *lone; /* queued, and nothing after it yet */
    struct block_request *read; /* read without the ring: (read_res) */
    int read_res;
    struct block_request *backlog; /* found no room, last first */
    struct wait_source *source;
};

/* Make dom->block_io, disabled, with (nr) files of dom->disks. */
int block_io_create(struct domain *dom);

/* Let it run, restricted. */
int block_io_enable(struct domain *dom);
void block_io_destroy(struct domain *dom);

/* Queue the request's next step. */
void block_io_queue(struct block_io *io, struct block_request *req);

/* How many steps the kernel has not been given yet. */
unsigned block_io_queued(const struct block_io *io);

/* Give all that is queued to the kernel; (wait): until one is done. */
void block_io_submit(struct block_io *io, bool wait);

/* The next result: its request and (res), or NULL. */
struct block_request *block_io_take(struct block_io *io, int *res);

#endif
