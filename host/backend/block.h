/*
 * host/backend/block.h: the block backend: blkif (xen/io/blkif.h) over a ring,
 * grants, one event channel and io_uring.
 */
#ifndef HOST_BACKEND_BLOCK_H
#define HOST_BACKEND_BLOCK_H

#include "host/config.h"

struct blockdev;
struct domain;

/*
 * Open the disk, publish its directories in the store and wait for the
 * frontend. 0, or -errno with a sentence logged. Appended to dom->disks.
 */
int blockdev_create(struct domain *dom, const struct disk_config *config);

/* Wait for I/O in flight, flush, unmap, close. */
void blockdev_destroy(struct blockdev *dev);

#endif
