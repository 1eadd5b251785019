/*
 * Threads: made, waiting, and ended. Who runs is schedule.c's affair.
 */
#include <pvguest/clock.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>
#include <pvguest/vcpu.h>

#include <errno.h>

#include "internal.h"
#include "schedule.h"

#define STACK_PAGES 16

static size_t (*tls_size)(void);
static uint64_t (*tls_create)(void *memory);

struct thread *thread_self(void)
{
    return this_vcpu()->current;
}

bool thread_may_wait(void)
{
    const struct guest_vcpu *self = this_vcpu();

    return self->current && !self->in_handler;
}

/* Once for the caller of this, once for being cooperative. */
bool thread_is_inside(void)
{
    const struct guest_vcpu *self = this_vcpu();
    unsigned own = self->current && !self->current->parallel ? 2 : 1;

    return self->in_handler || self->lock_depth > own;
}

void thread_set_tls(uint64_t tls)
{
    thread_self()->tls = tls;
    schedule_load_tls(tls);
}

void thread_set_data(void *data)
{
    thread_self()->data = data;
}

void *thread_data(void)
{
    return thread_self() ? thread_self()->data : NULL;
}

void thread_provide_tls(size_t (*size)(void), uint64_t (*create)(void *memory))
{
    tls_size = size;
    tls_create = create;
}

int thread_set_affinity(struct thread *thread, uint64_t mask)
{
    unsigned count = vcpu_count();

    if (!(mask & (~0ull >> (VCPU_MAX - count))))
        return -EINVAL;
    if (!thread)
        thread = thread_self();
    thread->affinity = mask;
    return 0;
}

uint64_t thread_affinity(const struct thread *thread)
{
    const struct thread *which = thread ? thread : thread_self();

    return which->affinity & (~0ull >> (VCPU_MAX - vcpu_count()));
}

void thread_begin(void (*fn)(void *arg), void *arg);

void thread_begin(void (*fn)(void *arg), void *arg)
{
    schedule_arrived();
    fn(arg);
    thread_exit();
}

/* What guest_switch pops: SSE and x87 control, R15 to R12, RBX, RBP, RIP. */
struct first_frame {
    uint32_t mxcsr, fpu_control;
    uint64_t r15, r14, r13, r12, rbx, rbp, rip;
    uint64_t pad[2]; /* RSP is on a 16-byte bound after the return */
};

static void prepare(struct thread *thread, uintptr_t top, void (*fn)(void *arg),
                    void *arg)
{
    struct first_frame *frame = (struct first_frame *)(top & ~15ul) - 1;

    *frame = (struct first_frame){
        .mxcsr = 0x1f80,
        .fpu_control = 0x37f,
        .rbx = (uintptr_t)fn,
        .r12 = (uintptr_t)arg,
        .rip = (uintptr_t)guest_thread_entry,
    };
    thread->sp = frame;
}

static struct thread *make_on(void *stack_top, uint64_t tls,
                              void (*fn)(void *arg), void *arg, bool parallel)
{
    uintptr_t top = ((uintptr_t)stack_top & ~15ul) - sizeof(struct thread);
    struct thread *thread = (struct thread *)(top & ~15ul);

    *thread =
        (struct thread){.tls = tls, .parallel = parallel, .affinity = ~0ull};
    prepare(thread, (uintptr_t)thread, fn, arg);
    return thread;
}

struct thread *thread_make(void (*fn)(void *arg), void *arg, bool parallel)
{
    uint64_t *stack = page_alloc(STACK_PAGES);
    char *top;
    uint64_t tls = 0;
    struct thread *thread;

    if (!stack)
        return NULL;
    top = (char *)stack + STACK_PAGES * PAGE_SIZE;
    if (tls_create) {
        top -= (tls_size() + 63) & ~63ul;
        tls = tls_create(top);
    }
    thread = make_on(top, tls, fn, arg, parallel);
    thread->stack = stack;
    thread->stack_pages = STACK_PAGES;
    *stack = STACK_CANARY;
    return thread;
}

struct thread *thread_start(void (*fn)(void *arg), void *arg)
{
    struct thread *thread;
    GUEST_LOCKED;

    thread = thread_make(fn, arg, false);
    if (thread)
        schedule_ready(thread);
    return thread;
}

struct thread *thread_start_parallel(void (*fn)(void *arg), void *arg)
{
    struct thread *thread;
    GUEST_LOCKED;

    parallel_start();
    thread = thread_make(fn, arg, true);
    if (thread)
        schedule_ready(thread);
    return thread;
}

struct thread *thread_start_on(void *stack_top, uint64_t tls,
                               void (*fn)(void *arg), void *arg)
{
    struct thread *thread;
    GUEST_LOCKED;

    parallel_start();
    thread = make_on(stack_top, tls, fn, arg, true);
    schedule_ready(thread);
    return thread;
}

void thread_yield(void)
{
    GUEST_LOCKED;

    schedule_ready(thread_self());
    schedule(false);
}

static void wait_timed_out(void *context)
{
    struct thread *thread = context;

    queue_unlink(thread->queue, thread);
    thread->queue = NULL;
    schedule_ready(thread);
}

bool thread_wait(struct wait_queue *queue, uint64_t deadline_ns)
{
    struct thread *self = thread_self();
    GUEST_LOCKED;

    self->queue = queue;
    self->woken = false;
    queue_append(queue, self);
    if (deadline_ns != UINT64_MAX)
        timer_arm(&self->timer, deadline_ns, wait_timed_out, self);
    schedule(false);
    return self->woken;
}

void thread_sleep_until(uint64_t deadline_ns)
{
    struct wait_queue nobody = WAIT_QUEUE_INIT;

    if (deadline_ns <= clock_system_ns())
        thread_yield();
    else
        thread_wait(&nobody, deadline_ns);
}

void thread_sleep(uint64_t ns)
{
    uint64_t now = clock_system_ns();

    thread_sleep_until(ns < UINT64_MAX - now ? now + ns : UINT64_MAX);
}

void thread_wake_one(struct wait_queue *queue)
{
    struct thread *thread;
    GUEST_LOCKED;

    thread = queue_take_first(queue);
    if (!thread)
        return;
    thread->queue = NULL;
    thread->woken = true;
    timer_cancel(&thread->timer); /* its turn may come after the deadline */
    schedule_ready(thread);
}

void thread_wake_all(struct wait_queue *queue)
{
    GUEST_LOCKED;

    while (queue->first)
        thread_wake_one(queue);
}

/*
 * What is to be done then is done by whoever runs next; where that may be
 * nobody before it is done, there is no other vCPU that could get in the way.
 */
_Noreturn void thread_exit_then(void (*fn)(void *arg), void *arg)
{
    struct guest_vcpu *self;

    guest_lock();
    self = this_vcpu();
    self->current->then = fn;
    self->current->then_arg = arg;
    if (!self->idle && fn) {
        self->current->then = NULL;
        fn(arg);
    }
    self->gone = self->current;
    schedule(true);
    __builtin_unreachable();
}

_Noreturn void thread_exit(void)
{
    thread_exit_then(NULL, NULL);
}

_Noreturn void thread_exit_free(void *stack, size_t pages,
                                void (*fn)(void *arg), void *arg)
{
    struct thread *self = thread_self();

    self->stack_pages = pages;
    self->stack = stack;
    *self->stack = STACK_CANARY;
    thread_exit_then(fn, arg);
}
