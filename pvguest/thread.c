/*
 * Cooperative threads: a queue of those that can run, and the wait queues.
 */
#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>

#include "abi.h"
#include "internal.h"
#include "this_vcpu.h"

#define STACK_PAGES 16
#define CANARY      0x73746b2067756172ull

/* At the upper end of the thread's own stack. */
struct thread {
    void *sp; /* while it does not run */
    struct thread *next;
    struct wait_queue *queue; /* waiting in */
    bool woken;
    struct timer timer;
    uint64_t tls;
    void *data;      /* the C library's */
    uint64_t *stack; /* the lowest word is the canary; NULL: not ours */
    size_t stack_pages;
};

static struct thread main_thread;
static struct thread *current;
static struct wait_queue ready;
static struct thread *finished; /* its stack can be freed by the next */
static uint64_t tls_loaded;     /* what the FS base is */

static size_t (*tls_size)(void);
static uint64_t (*tls_create)(void *memory);

static void append(struct wait_queue *queue, struct thread *thread)
{
    thread->next = NULL;
    if (queue->last)
        queue->last->next = thread;
    else
        queue->first = thread;
    queue->last = thread;
}

static struct thread *take_first(struct wait_queue *queue)
{
    struct thread *thread = queue->first;

    if (thread) {
        queue->first = thread->next;
        if (!queue->first)
            queue->last = NULL;
    }
    return thread;
}

static void unlink_thread(struct wait_queue *queue, struct thread *thread)
{
    struct thread *before = NULL, *t = queue->first;

    while (t && t != thread) {
        before = t;
        t = t->next;
    }
    if (!t)
        return;
    if (before)
        before->next = t->next;
    else
        queue->first = t->next;
    if (queue->last == t)
        queue->last = before;
}

void thread_init(void)
{
    current = &main_thread;
}

struct thread *thread_self(void)
{
    return current;
}

bool thread_may_wait(void)
{
    return current && !this_vcpu()->in_handler;
}

static void load_tls(uint64_t tls)
{
    if (tls == tls_loaded)
        return;
    tls_loaded = tls;
    if (!guest_abi->set_fs_base(tls))
        guest_panic("the hypervisor refuses to set the FS base");
}

void thread_set_tls(uint64_t tls)
{
    current->tls = tls;
    load_tls(tls);
}

void thread_set_data(void *data)
{
    current->data = data;
}

void *thread_data(void)
{
    return current->data;
}

void thread_provide_tls(size_t (*size)(void), uint64_t (*create)(void *memory))
{
    tls_size = size;
    tls_create = create;
}

static void free_finished(void)
{
    struct thread *thread = finished;

    finished = NULL;
    if (thread && thread->stack_pages)
        page_free(thread->stack, thread->stack_pages);
}

static void switch_to(struct thread *next)
{
    struct thread *self = current;

    if (self->stack && *self->stack != CANARY)
        guest_panic("stack overflow in the thread at %p", (void *)self);
    if (next == self)
        return;
    current = next;
    load_tls(next->tls);
    guest_switch(&self->sp, next->sp);
    free_finished();
}

/* Run whoever can; when nobody can, sleep until an event changes that. */
static void schedule(void)
{
    struct thread *next;

    if (this_vcpu()->in_handler)
        guest_panic("an event handler tried to wait");
    event_dispatch();
    timer_dispatch();
    while (!(next = take_first(&ready))) {
        if (!event_dispatch() && !timer_dispatch())
            guest_block(timer_to_program());
    }
    switch_to(next);
}

void thread_begin(void (*fn)(void *arg), void *arg);

void thread_begin(void (*fn)(void *arg), void *arg)
{
    free_finished();
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

struct thread *thread_start_on(void *stack_top, uint64_t tls,
                               void (*fn)(void *arg), void *arg)
{
    uintptr_t top = ((uintptr_t)stack_top & ~15ul) - sizeof(struct thread);
    struct thread *thread = (struct thread *)(top & ~15ul);

    *thread = (struct thread){.tls = tls};
    prepare(thread, (uintptr_t)thread, fn, arg);
    append(&ready, thread);
    return thread;
}

struct thread *thread_start(void (*fn)(void *arg), void *arg)
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
    thread = thread_start_on(top, tls, fn, arg);
    thread->stack = stack;
    thread->stack_pages = STACK_PAGES;
    *stack = CANARY;
    return thread;
}

void thread_yield(void)
{
    append(&ready, current);
    schedule();
}

static void wait_timed_out(void *context)
{
    struct thread *thread = context;

    unlink_thread(thread->queue, thread);
    thread->queue = NULL;
    append(&ready, thread);
}

bool thread_wait(struct wait_queue *queue, uint64_t deadline_ns)
{
    struct thread *self = current;

    self->queue = queue;
    self->woken = false;
    append(queue, self);
    if (deadline_ns != UINT64_MAX)
        timer_arm(&self->timer, deadline_ns, wait_timed_out, self);
    schedule();
    timer_cancel(&self->timer);
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
    struct thread *thread = take_first(queue);

    if (!thread)
        return;
    thread->queue = NULL;
    thread->woken = true;
    append(&ready, thread);
}

void thread_wake_all(struct wait_queue *queue)
{
    while (queue->first)
        thread_wake_one(queue);
}

_Noreturn void thread_exit(void)
{
    finished = current;
    schedule();
    __builtin_unreachable();
}

_Noreturn void thread_exit_free(void *stack, size_t pages)
{
    current->stack_pages = pages;
    current->stack = stack;
    *current->stack = CANARY;
    thread_exit();
}
