/*
 * pvguest/spinlock.h: locks between vCPUs, in the order of asking.
 *
 * Who waits long sleeps in the hypervisor until the lock is its (SCHEDOP_poll),
 * because the holder's vCPU may not even be running. Keep what is locked short;
 * a thread must not wait (pvguest/thread.h) while it holds one. With upcalls
 * between any two instructions on, keep them out around a lock that handlers
 * take as well.
 */
#ifndef PVGUEST_SPINLOCK_H
#define PVGUEST_SPINLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed, it is free. */
struct spinlock {
    uint32_t next;     /* ticket to be drawn */
    uint32_t owner;    /* ticket that may go on */
    uint32_t sleepers; /* who wait in the hypervisor */
};

#define SPINLOCK_INIT \
    {                 \
        0             \
    }

/* spinlock.c: wait for (ticket); wake who sleeps with (ticket). */
void spinlock_wait(struct spinlock *lock, uint32_t ticket);
void spinlock_wake(struct spinlock *lock, uint32_t ticket);

static inline void spin_lock(struct spinlock *lock)
{
    uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_ACQUIRE);

    if (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
        spinlock_wait(lock, ticket);
}

/* True if it was free and is the caller's now. */
static inline bool spin_trylock(struct spinlock *lock)
{
    uint32_t owner = __atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE);

    return __atomic_compare_exchange_n(&lock->next, &owner, owner + 1, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Does anybody wait for what the caller holds? */
static inline bool spin_is_wanted(const struct spinlock *lock)
{
    return __atomic_load_n(&lock->next, __ATOMIC_RELAXED) != lock->owner + 1;
}

static inline void spin_unlock(struct spinlock *lock)
{
    uint32_t ticket = lock->owner + 1;

    __atomic_store_n(&lock->owner, ticket, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&lock->sleepers, __ATOMIC_SEQ_CST))
        spinlock_wake(lock, ticket);
}

#endif
