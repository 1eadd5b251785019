/*
 * pvguest/schedule.h: threads as the scheduler sees them. (private)
 */
#ifndef PVGUEST_SCHEDULE_H
#define PVGUEST_SCHEDULE_H

#include <pvguest/clock.h>
#include <pvguest/thread.h>

#include "this_vcpu.h"

/* At the upper end of the thread's own stack. */
struct thread {
    void *sp; /* while it does not run */
    struct thread *next;
    struct wait_queue *queue; /* waiting in */
    bool woken;
    bool parallel;
    unsigned lock_depth;     /* while it does not run */
    struct guest_vcpu *vcpu; /* its stack is in use there; NULL: nowhere */
    uint64_t affinity;
    struct timer timer;
    uint64_t tls;
    void *data; /* the C library's */
    void (*then)(void *arg);
    void *then_arg;
    uint64_t *stack; /* the lowest word is the canary; NULL: not ours */
    size_t stack_pages;
};

#define STACK_CANARY 0x73746b2067756172ull

/* All of these want the library's lock held. */

void queue_append(struct wait_queue *queue, struct thread *thread);
struct thread *queue_take_first(struct wait_queue *queue);
void queue_unlink(struct wait_queue *queue, struct thread *thread);

/* (thread) can run: here when the time comes, or on a vCPU that sleeps. */
void schedule_ready(struct thread *thread);

/*
 * Run whoever can; when nobody can, sleep until an event changes that. Returns
 * when the caller is the one who can; never, if it is (leaving).
 */
void schedule(bool leaving);

/* What a new thread does first. */
void schedule_arrived(void);

void schedule_load_tls(uint64_t tls);

/* parallel.c: have all vCPUs run threads, unless they do. */
void parallel_start(void);

/* thread.c: a thread that is not ready to run; NULL: no memory. */
struct thread *thread_make(void (*fn)(void *arg), void *arg, bool parallel);

/* lock.c: let go of the lock, whatever the depth, and take it back. */
unsigned lock_drop(void);
void lock_take(unsigned depth);

/*
 * Have those go first that wait for it by now, unless the caller is about to
 * let go of it anyway: of two cooperative threads, one has it at any time.
 */
void lock_pass(void);

#endif
