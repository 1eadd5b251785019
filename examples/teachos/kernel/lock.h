/*
 * kernel/lock.h: a lock to hold while one waits for the disk.
 *
 * Kernel code is never interrupted and only one vCPU is in the kernel at a time
 * (kernel/process.h), so most data need no lock: nobody else runs until the
 * code waits. This is for what must stay put across a wait.
 */
#ifndef TEACHOS_LOCK_H
#define TEACHOS_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <pvguest/thread.h>

struct lock {
    bool held;
    struct wait_queue waiting;
};

static inline void lock_take(struct lock *lock)
{
    while (lock->held)
        thread_wait(&lock->waiting, UINT64_MAX);
    lock->held = true;
}

static inline void lock_release(struct lock *lock)
{
    lock->held = false;
    thread_wake_one(&lock->waiting);
}

#endif
