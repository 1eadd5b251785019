/*
 * ring/back.h: the backend's end of a request/response ring.
 *
 * The mirror image of ring/front.h, for the end that serves (layout:
 * xen/io/ring.h). The frontend may
 * rewrite any byte of the ring at any time; a request is copied out once and
 * only the copy is looked at.
 */
#ifndef RING_BACK_H
#define RING_BACK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ring/shared.h>

struct ring_back {
    void *shared;       /* the first page; all of it unless (pages) */
    void *const *pages; /* the pages one by one, or NULL */
    uint32_t nr_slots;
    uint32_t slot_size;
    uint32_t req_cons;  /* private: requests taken */
    uint32_t rsp_prod;  /* private: responses written, published or not */
    uint32_t published; /* private: responses published */
};

/*
 * Attach to a ring of (bytes) at (shared) whose slots are (slot_size) bytes.
 * Starts from the counters found there, as after a reconnect: requests nobody
 * answered are taken again. Returns 0, -EPROTO if the counters make no sense,
 * or -EINVAL if not even one slot fits.
 */
int ring_back_attach(struct ring_back *back, void *shared, size_t bytes,
                     size_t slot_size);

/*
 * The same for a ring of (nr) pages that lie apart: (pages), which stays the
 * caller's and must outlive (back), has the address of each.
 */
int ring_back_attach_pages(struct ring_back *back, void *const *pages,
                           size_t nr, size_t slot_size);

/*
 * Copy the next request's first (len) bytes to (req). Returns 1 if there was
 * one, 0 if not yet, -EPROTO if the frontend claims more requests than the
 * ring has slots. Requests taken and not answered never exceed nr_slots.
 */
static inline int ring_back_take(struct ring_back *back, void *req, size_t len)
{
    const struct ring_any_sring *shared = back->shared;
    uint32_t prod = ring_counter_read(&shared->req_prod);

    if (prod == back->req_cons)
        return 0;
    if (prod - back->req_cons > back->nr_slots ||
        prod - back->rsp_prod > back->nr_slots)
        return -EPROTO;

    if (back->pages)
        ring_scattered_read(
            req, back->pages,
            ring_slot_offset(back->nr_slots, back->slot_size, back->req_cons),
            len);
    else
        ring_slot_read(req,
                       ring_slot(back->shared, back->nr_slots, back->slot_size,
                                 back->req_cons),
                       len);
    back->req_cons++;
    return 1;
}

/*
 * Write one response of (len) bytes into the next response slot: at most one
 * for each request taken. Bytes the response does not have are the caller's to
 * zero in (rsp).
 */
static inline void ring_back_put(struct ring_back *back, const void *rsp,
                                 size_t len)
{
    if (back->pages)
        ring_scattered_write(
            back->pages,
            ring_slot_offset(back->nr_slots, back->slot_size, back->rsp_prod),
            rsp, len);
    else
        ring_slot_write(ring_slot(back->shared, back->nr_slots, back->slot_size,
                                  back->rsp_prod),
                        rsp, len);
    back->rsp_prod++;
}

/* Publish responses; true if the frontend asked to be woken. */
static inline bool ring_back_publish(struct ring_back *back)
{
    struct ring_any_sring *shared = back->shared;
    uint32_t old = back->published;

    if (back->rsp_prod == old)
        return false;

    back->published = back->rsp_prod;
    ring_counter_publish(&shared->rsp_prod, back->rsp_prod);
    return ring_reaches(back->rsp_prod, old,
                        ring_counter_look(&shared->rsp_event));
}

/*
 * Before sleeping: ask to be woken by the next request. Returns true if it is
 * safe to sleep, false if there is more to take.
 */
static inline bool ring_back_may_sleep(struct ring_back *back)
{
    struct ring_any_sring *shared = back->shared;

    ring_counter_publish(&shared->req_event, back->req_cons + 1);
    return ring_counter_look(&shared->req_prod) == back->req_cons;
}

#endif
