/*
 * pvdrivers/block.h: disks: blkfront (xen/io/blkif.h) on pvguest.
 *
 * Asynchronous below, blocking above. Any number of requests may be submitted;
 * those that do not fit into the ring wait their turn inside the driver. A
 * backend that goes away and comes back finds all unanswered requests again.
 */
#ifndef PVDRIVERS_BLOCK_H
#define PVDRIVERS_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_SECTOR 512u /* the unit of all sector numbers */

struct block;

enum block_op {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_FLUSH,   /* what was completed before is on the medium after */
    BLOCK_DISCARD, /* (nr_sectors) at (sector) may be forgotten */
};

/*
 * One request: the caller's memory from submission to completion. Buffers lie
 * in RAM (page_alloc, malloc) and are aligned to (sector_size) in address and
 * size: others end with -EINVAL. Nothing is copied: until the request is done
 * the backend can see, and for reads write, the whole pages that the buffer
 * touches; page-aligned buffers lend it nothing else.
 *
 * Errors: -EINVAL beyond the end or ill aligned, -EROFS, -EOPNOTSUPP, -EIO
 * from the disk, -ENODEV when the disk was taken away.
 */
struct block_request {
    enum block_op op;
    uint64_t sector;
    void *buffer;
    uint32_t nr_sectors; /* any size; the driver splits */
    /*
     * Called as an event handler is, when done; status 0 or negative errno. It
     * may submit, this request again too, but not wait.
     */
    void (*done)(struct block_request *request);
    void *context;
    int status;
    struct block_request *next; /* private, as is all below */
    uint32_t parts_left;
    uint32_t sectors_sent;
};

struct block_info {
    char vdev[16]; /* "xvda" */
    uint32_t virtual_device;
    uint64_t nr_sectors; /* of 512 bytes */
    uint32_t sector_size, physical_sector_size;
    bool readonly, can_flush, can_discard;
    uint32_t max_request_sectors; /* that go as one request */
    uint32_t queue_depth;         /* requests the ring holds */
};

/* The (index)th disk, waiting for it to connect; NULL when there is none. */
struct block *block_open(unsigned index);

/* By name: "xvda"; NULL when there is none. */
struct block *block_find(const char *vdev);

/*
 * Disconnect and release, when called as often as the disk was opened. Requests
 * must have completed.
 */
void block_close(struct block *block);

/*
 * Before a disk is opened: keep the same pages lent for its life and copy, if
 * the backend can. Off at first: where grants are cheap, copying is not.
 */
void block_use_persistent(bool on);

/* What the backend said of the disk when it connected. */
void block_get_info(struct block *block, struct block_info *info);

/* How many requests are submitted and not done. */
unsigned block_nr_pending(const struct block *block);

/* Queue (request). Nothing is sent before block_kick or a wait. */
void block_submit(struct block *block, struct block_request *request);

/* Tell the backend what was queued. */
void block_kick(struct block *block);

/*
 * Take completions that are there, calling (done); if (wait), kicks, and blocks
 * for the first unless nothing is outstanding. Returns how many. Programs need
 * not poll: completions are told at any wait of any thread too.
 */
unsigned block_poll(struct block *block, bool wait);

/*
 * Blocking forms: the calling thread waits, others run. 0 or negative errno as
 * in a request's (status). (sector) and (nr_sectors) count 512 bytes.
 */
int block_read(struct block *block, uint64_t sector, void *buffer,
               uint32_t nr_sectors);
int block_write(struct block *block, uint64_t sector, const void *buffer,
                uint32_t nr_sectors);
int block_flush(struct block *block);
int block_discard(struct block *block, uint64_t sector, uint32_t nr_sectors);

#endif
