/*
 * ring/shared.h: the only loads and stores on counters that a peer shares.
 * Private to ring/; public for the sake of the inline functions of its headers.
 *
 * Handing over data. Who fills a slot stores its counter with
 * ring_counter_publish(); who empties it loads the counter with
 * ring_counter_read() first. The one releases what the other acquires, so that
 * a slot is seen whole, and is overwritten only after it was copied out.
 *
 * Falling asleep. A consumer which found nothing leaves a mark, the number of
 * the message it wants to be woken for, and looks again:
 *
 *     consumer                          producer
 *     1. event = cons + 1               a. prod = new
 *     2. look at prod: sleep if empty   b. look at event: wake if reached
 *
 * If each side's look could pass its own store, both could look first: the
 * consumer sees an empty ring and sleeps, the producer sees the old mark and
 * wakes nobody, and the message waits for ever. x86 does let a load pass an
 * older store to another address. Hence all four steps are sequentially
 * consistent: in any single order of them 1 comes before b (the producer wakes)
 * or a before 2 (the consumer stays). The partner of publish in step a is
 * publish in step 1, and that of the look in step b is the look in step 2.
 *
 * Fences would cost the same and hide from the thread sanitizer.
 */
#ifndef RING_SHARED_H
#define RING_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include <xen/io/ring.h>

/* The layout of any ring, with slots of one byte. */
struct ring_any_slot {
    uint8_t byte;
};
DEFINE_RING_TYPES(ring_any, struct ring_any_slot, struct ring_any_slot);

#define RING_HEADER_SIZE offsetof(struct ring_any_sring, ring)

/* Partner: ring_counter_publish() by the owner of (counter). */
static inline uint32_t ring_counter_read(const uint32_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

/* Steps 1 and a of falling asleep, and the handing over of data. */
static inline void ring_counter_publish(uint32_t *counter, uint32_t value)
{
    __atomic_store_n(counter, value, __ATOMIC_SEQ_CST);
}

/* Steps 2 and b of falling asleep: never before the publish above it. */
static inline uint32_t ring_counter_look(const uint32_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

/* Handing over data where nobody sleeps on a mark. */
static inline void ring_counter_release(uint32_t *counter, uint32_t value)
{
    __atomic_store_n(counter, value, __ATOMIC_RELEASE);
}

/*
 * Copy out of a slot, once. The compiler believes that memory holds still, and
 * might fetch a field again from the slot in place of the copy; past the
 * barrier it may not.
 */
static inline void ring_slot_read(void *to, const void *slot, size_t len)
{
    __builtin_memcpy(to, slot, len);
    __asm__ volatile("" ::: "memory");
}

static inline void ring_slot_write(void *slot, const void *from, size_t len)
{
    __builtin_memcpy(slot, from, len);
}

/* Where slot (counter) of a ring of (nr_slots), a power of two, begins. */
static inline size_t ring_slot_offset(uint32_t nr_slots, uint32_t slot_size,
                                      uint32_t counter)
{
    size_t index = counter & (nr_slots - 1);

    return RING_HEADER_SIZE + index * slot_size;
}

static inline void *ring_slot(void *shared, uint32_t nr_slots,
                              uint32_t slot_size, uint32_t counter)
{
    return (uint8_t *)shared + ring_slot_offset(nr_slots, slot_size, counter);
}

/*
 * A ring whose pages lie apart: (offset) in it is byte (offset % page) of
 * pages[offset / page], and a slot may begin on one page and end on the next.
 */
#define RING_PAGE_SIZE 4096u

static inline void ring_scattered_read(void *to, void *const *pages,
                                       size_t offset, size_t len)
{
    size_t at = offset % RING_PAGE_SIZE;
    size_t before = RING_PAGE_SIZE - at < len ? RING_PAGE_SIZE - at : len;
    void *const *page = pages + offset / RING_PAGE_SIZE;

    ring_slot_read(to, (const uint8_t *)page[0] + at, before);
    if (before < len)
        ring_slot_read((uint8_t *)to + before, page[1], len - before);
}

static inline void ring_scattered_write(void *const *pages, size_t offset,
                                        const void *from, size_t len)
{
    size_t at = offset % RING_PAGE_SIZE;
    size_t before = RING_PAGE_SIZE - at < len ? RING_PAGE_SIZE - at : len;
    void *const *page = pages + offset / RING_PAGE_SIZE;

    ring_slot_write((uint8_t *)page[0] + at, from, before);
    if (before < len)
        ring_slot_write(page[1], (const uint8_t *)from + before, len - before);
}

/* How many slots fit: the largest power of two, 0 if none. */
uint32_t ring_nr_slots(size_t bytes, size_t slot_size);

/* Does the publication of (prod), formerly (old), reach the peer's mark? */
static inline int ring_reaches(uint32_t prod, uint32_t old, uint32_t event)
{
    return prod - event < prod - old;
}

#endif
