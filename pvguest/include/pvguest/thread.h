/*
 * pvguest/thread.h: cooperative threads on one vCPU.
 *
 * A thread runs until it waits, sleeps, yields or ends; events are dispatched
 * then and only then (see pvguest/event.h), and when no thread can run the
 * vCPU blocks in the hypervisor. musl's pthreads are these threads: mutexes,
 * conditions and thread-local errno work.
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

/* Start (fn) on a stack of its own. NULL when memory is short. */
struct thread *thread_start(void (*fn)(void *arg), void *arg);

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
 * Start a thread on the caller's stack, which ends at (stack_top) and stays the
 * caller's when the thread is gone, with FS base (tls).
 */
struct thread *thread_start_on(void *stack_top, uint64_t tls,
                               void (*fn)(void *arg), void *arg);

/* End the calling thread and then free (pages) at (stack), its stack. */
_Noreturn void thread_exit_free(void *stack, size_t pages);

#endif
