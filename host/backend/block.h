/*
 * host/backend/block.h: the block backend: blkif (xen/io/blkif.h) over a ring,
 * grants, one event channel and io_uring.
 *
 * One io_uring serves all disks of a domain. It is made only if there is a
 * disk; it is restricted, before the guest runs, to reading, writing, flushing
 * and discarding on the disks' own files.
 */
#ifndef HOST_BACKEND_BLOCK_H
#define HOST_BACKEND_BLOCK_H

struct domain;

/*
 * Open every disk of dom->config, publish their directories in the store, make
 * and restrict the io_uring, allow it in dom->sandbox, and wait for frontends.
 * 0, or -errno with a sentence logged and nothing left behind.
 */
int block_create_all(struct domain *dom);

/*
 * Answer what the kernel has finished. For the tick while the guest runs; when
 * it blocks, dom->wait finds out. Cheap when nothing is in flight.
 */
void block_poll_all(struct domain *dom);

/*
 * Ask the guest to let go of the disk called (vdev), which is not given again:
 * 0, or -ENOENT.
 */
int block_unplug(struct domain *dom, const char *vdev);

/*
 * The guest is done: finish I/O in flight and make all it wrote durable. Needs
 * nothing but io_uring_enter, so it works inside the sandbox.
 */
void block_settle_all(struct domain *dom);

/* Settle, disconnect, close. A domain without disks is fine. */
void block_destroy_all(struct domain *dom);

#endif
