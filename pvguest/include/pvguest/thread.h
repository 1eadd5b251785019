/*
 * pvguest/thread.h: threads.
 *
 * A thread runs until it waits, sleeps, yields or ends; events are dispatched
 * then and only then (see pvguest/event.h), and when no thread can run the
 * vCPU blocks in the hypervisor. musl's pthreads are these threads: mutexes,
 * conditions and thread-local errno work.
 *
 * There are two kinds. A *cooperative* one (thread_start) never runs beside
 * another cooperative one, nor beside an event handler: what only these touch
 * needs no lock. A *parallel* one (thread_start_parallel, every pthread) runs
 * beside all others, on whichever vCPU is free, when the domain has more than
 * one; what it shares with others needs a lock. The main thread is cooperative
 * until the first parallel one is started, and parallel from then on.
 *
 * What makes the difference is one lock, the library's: cooperative threads
 * and event handlers hold it while they run, and waiting lets it go. All of
 * the library may be called from either kind: it takes the lock itself.
 */
#ifndef PVGUEST_THREAD_H
#define PVGUEST_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct thread;

struct wait_queue {
    struct thread *first, *last;
};

#define WAIT_QUEUE_INIT \
    {                   \
        0               \
    }

/*
 * Start (fn) on a stack of its own, as a cooperative thread or a parallel one.
 * NULL when memory is short. The first parallel one starts all vCPUs.
 */
struct thread *thread_start(void (*fn)(void *arg), void *arg);
struct thread *thread_start_parallel(void (*fn)(void *arg), void *arg);

/*
 * The library's lock, for parallel threads that share something with
 * cooperative ones or with event handlers, or that test a condition around
 * thread_wait. It may be taken again by who holds it; keep it for moments.
 */
void guest_lock(void);
void guest_unlock(void);

/* A declaration: the lock is held from here to the end of the block. */
#define GUEST_LOCKED                                                          \
    char guest_locked_ __attribute__((cleanup(guest_unlock_scope), unused)) = \
        (guest_lock(), 0)

static inline void guest_unlock_scope(const char *unused)
{
    (void)unused;
    guest_unlock();
}

/*
 * On which vCPUs (thread) may run: bit (n) for vCPU n, all to begin with. A
 * thread that runs where it may not moves when it next waits. -EINVAL if (mask)
 * has none that the domain has. NULL is the calling thread.
 */
int thread_set_affinity(struct thread *thread, uint64_t mask);
uint64_t thread_affinity(const struct thread *thread);

/*
 * Do threads run on vCPU (vcpu), so that its events find their handlers? The
 * others do from the first parallel thread on.
 */
bool thread_runs_on(unsigned vcpu);

struct thread *thread_self(void);

/* Is this code that may wait? Not before threads, nor in event handlers. */
bool thread_may_wait(void);

/* Let others run, and events be dispatched, if there are any. */
void thread_yield(void);

/* Sleep until (deadline_ns) of system time (pvguest/clock.h). */
void thread_sleep_until(uint64_t deadline_ns);
void thread_sleep(uint64_t ns);

/*
 * Wait to be woken, or until (deadline_ns); UINT64_MAX is for ever. Returns
 * true if woken, false on time-out. Test your condition around it in a loop.
 */
bool thread_wait(struct wait_queue *queue, uint64_t deadline_ns);

/* From threads and event handlers alike. */
void thread_wake_one(struct wait_queue *queue);
void thread_wake_all(struct wait_queue *queue);

/* End the calling thread; its stack is freed. */
_Noreturn void thread_exit(void);

/* The same, and (fn)(arg) is called when nothing runs on its stack any more. */
_Noreturn void thread_exit_then(void (*fn)(void *arg), void *arg);

/*
 * For C libraries. The FS base of the calling thread, and a word of its own:
 */
void thread_set_tls(uint64_t tls);
void thread_set_data(void *data);
void *thread_data(void); /* NULL if never set */

/*
 * Threads from thread_start get (size)() bytes at the top of their stack,
 * 64-byte aligned, which (create) makes a thread's own block of; it returns
 * the FS base.
 */
void thread_provide_tls(size_t (*size)(void), uint64_t (*create)(void *memory));

/*
 * Start a parallel thread on the caller's stack, which ends at (stack_top) and
 * stays the caller's when the thread is gone, with FS base (tls).
 */
struct thread *thread_start_on(void *stack_top, uint64_t tls,
                               void (*fn)(void *arg), void *arg);

/* thread_exit_then, and free (pages) at (stack), its stack. */
_Noreturn void thread_exit_free(void *stack, size_t pages,
                                void (*fn)(void *arg), void *arg);

/*
 * Would waiting now break in on somebody who counts on not being interrupted:
 * an event handler, or a function of the library that called back?
 */
bool thread_is_inside(void);

#endif
