/*
 * ring/front.h: the frontend's end of a request/response ring.
 *
 * One ring (one or more pages seen as one), one frontend, one backend. The
 * frontend writes requests, the backend answers each in some slot it has
 * consumed. Counters run freely and wrap at 2^32; a slot is
 * (counter & (nr_slots - 1)). Layout: xen/io/ring.h.
 *
 * The backend may rewrite any byte of the ring at any time. Every function
 * here reads a shared counter once, checks the copy, and uses the copy; what a
 * slot means is the caller's business.
 *
 * What happens once per message is inline: with a constant (len) the copy is a
 * few moves.
 */
#ifndef RING_FRONT_H
#define RING_FRONT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ring/shared.h>

struct ring_front {
    void *shared;      /* the first byte of the ring's first page */
    uint32_t nr_slots; /* a power of two */
    uint32_t slot_size;
    uint32_t req_prod;  /* private: requests written, published or not */
    uint32_t published; /* private: requests published */
    uint32_t rsp_cons;  /* private: responses taken */
};

/*
 * Make (shared), (bytes) long and ours alone yet, an empty ring of slots of
 * (slot_size) bytes: the larger of a request and a response, as the protocol's
 * union. (bytes) must hold the 64-byte header and one slot at least.
 */
void ring_front_init(struct ring_front *front, void *shared, size_t bytes,
                     size_t slot_size);

/* How many requests may be written now without overrunning the ring. */
static inline uint32_t ring_front_room(const struct ring_front *front)
{
    return front->nr_slots - (front->req_prod - front->rsp_cons);
}

/*
 * Copy one request of (len) bytes, at most slot_size, into the next slot.
 * Returns false, having done nothing, when the ring has no room.
 */
static inline bool ring_front_put(struct ring_front *front, const void *req,
                                  size_t len)
{
    if (!ring_front_room(front))
        return false;

    ring_slot_write(ring_slot(front->shared, front->nr_slots, front->slot_size,
                              front->req_prod),
                    req, len);
    front->req_prod++;
    return true;
}

/*
 * Publish all requests written so far. Returns true if the backend asked to be
 * woken: send the event then, and only then.
 */
static inline bool ring_front_publish(struct ring_front *front)
{
    struct ring_any_sring *shared = front->shared;
    uint32_t old = front->published;

    if (front->req_prod == old)
        return false;

    front->published = front->req_prod;
    ring_counter_publish(&shared->req_prod, front->req_prod);
    return ring_reaches(front->req_prod, old,
                        ring_counter_look(&shared->req_event));
}

/*
 * Copy the next response's first (len) bytes to (rsp). Returns 1 if there was
 * one, 0 if not yet, -EPROTO if the backend claims to have answered requests
 * never published.
 */
static inline int ring_front_take(struct ring_front *front, void *rsp,
                                  size_t len)
{
    const struct ring_any_sring *shared = front->shared;
    uint32_t ready = ring_counter_read(&shared->rsp_prod) - front->rsp_cons;

    if (!ready)
        return 0;
    if (ready > front->published - front->rsp_cons)
        return -EPROTO;

    ring_slot_read(rsp,
                   ring_slot(front->shared, front->nr_slots, front->slot_size,
                             front->rsp_cons),
                   len);
    front->rsp_cons++;
    return 1;
}

/*
 * Before sleeping: ask to be woken by the next response. Returns true if it is
 * safe to sleep, false if a response came meanwhile (take it first).
 */
static inline bool ring_front_may_sleep(struct ring_front *front)
{
    struct ring_any_sring *shared = front->shared;

    ring_counter_publish(&shared->rsp_event, front->rsp_cons + 1);
    return ring_counter_look(&shared->rsp_prod) == front->rsp_cons;
}

#endif
