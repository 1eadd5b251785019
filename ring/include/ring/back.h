/*
 * ring/back.h: the backend's end of a request/response ring.
 *
 * The mirror image of ring/front.h, for the end that serves. The frontend may
 * rewrite any byte of the ring at any time; a request is copied out once and
 * only the copy is looked at.
 */
#ifndef RING_BACK_H
#define RING_BACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_back {
    void *shared;
    uint32_t nr_slots;
    uint32_t slot_size;
    uint32_t req_cons; /* private: requests taken */
    uint32_t rsp_prod; /* private: responses written, published or not */
};

/*
 * Attach to a ring of (bytes) at (shared) whose slots are (slot_size) bytes.
 * Starts from the counters found there, as after a reconnect. Returns 0, or
 * -EPROTO if those make no sense.
 */
int ring_back_attach(struct ring_back *back, void *shared, size_t bytes,
                     size_t slot_size);

/*
 * Copy the next request's first (len) bytes to (req). Returns 1 if there was
 * one, 0 if not yet, -EPROTO if the frontend claims more requests than the
 * ring has slots. Requests taken and not answered never exceed nr_slots.
 */
int ring_back_take(struct ring_back *back, void *req, size_t len);

/*
 * Write one response of (len) bytes into the next response slot. Bytes the
 * response does not have are the caller's to zero in (rsp).
 */
void ring_back_put(struct ring_back *back, const void *rsp, size_t len);

/* Publish responses; true if the frontend asked to be woken. */
bool ring_back_publish(struct ring_back *back);

/*
 * Before sleeping: ask to be woken by the next request. Returns true if it is
 * safe to sleep, false if there is more to take.
 */
bool ring_back_may_sleep(struct ring_back *back);

#endif
