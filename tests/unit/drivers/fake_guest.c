#include "fake_guest.h"

#include <errno.h>
#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/grant.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/ring_page.h>
#include <pvguest/thread.h>
#include <pvguest/vcpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define NR_PORTS   64
#define NR_GRANTS  4096
#define STACK_SIZE (256 * 1024)

struct fake_guest fake;

struct thread {
    ucontext_t context;
    struct thread *next, *all;
    struct wait_queue *queue;
    bool woken;
    uint64_t deadline;
    void (*fn)(void *arg);
    void *arg;
};

static struct thread main_thread, *current, *threads;
static struct wait_queue ready;
static struct timer *timers;
static bool in_handler;

static struct {
    event_fn fn;
    void *context;
    void (*sent)(void);
    bool pending, used;
    unsigned vcpu;
} ports[NR_PORTS];

static struct {
    void *page;
    bool used, readonly;
    unsigned mapped;
} grants[NR_GRANTS];

void fake_guest_init(void)
{
    char *pages = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);

    memset(pages, 0, 2 * PAGE_SIZE);
    memset(&fake, 0, sizeof fake);
    memset(ports, 0, sizeof ports);
    memset(grants, 0, sizeof grants);
    fake.grant_limit = NR_GRANTS - 1;
    fake.store_page = pages;
    fake.console_page = pages + PAGE_SIZE;
    fake.store_port = FAKE_STORE_PORT;
    fake.console_port = FAKE_CONSOLE_PORT;
    ports[0].used = ports[1].used = ports[2].used = true;
    current = threads = &main_thread;
}

/* threads */

static void append(struct wait_queue *queue, struct thread *thread)
{
    thread->next = NULL;
    if (queue->last)
        queue->last->next = thread;
    else
        queue->first = thread;
    queue->last = thread;
}

static struct thread *take(struct wait_queue *queue, struct thread *which)
{
    struct thread *before = NULL, *t = queue->first;

    while (t && which && t != which) {
        before = t;
        t = t->next;
    }
    if (!t)
        return NULL;
    if (before)
        before->next = t->next;
    else
        queue->first = t->next;
    if (queue->last == t)
        queue->last = before;
    return t;
}

static void wake(struct thread *thread, bool woken)
{
    thread->queue = NULL;
    thread->deadline = UINT64_MAX;
    thread->woken = woken;
    append(&ready, thread);
}

bool event_dispatch(void)
{
    bool any = false;

    for (evtchn_port_t port = 0; port < NR_PORTS; port++) {
        if (!ports[port].pending || !ports[port].fn)
            continue;
        ports[port].pending = false;
        in_handler = true;
        ports[port].fn(port, ports[port].context);
        in_handler = false;
        any = true;
    }
    return any;
}

static void fire_timers(void)
{
    struct timer *timer;

    while ((timer = timers) && timer->deadline_ns <= fake.now) {
        timers = timer->next;
        timer->armed = 0;
        in_handler = true;
        timer->fn(timer->context);
        in_handler = false;
    }
    for (struct thread *t = threads; t; t = t->all) {
        if (t->queue && t->deadline <= fake.now) {
            take(t->queue, t);
            wake(t, false);
        }
    }
}

static bool next_deadline(void)
{
    uint64_t next = timers ? timers->deadline_ns : UINT64_MAX;

    for (struct thread *t = threads; t; t = t->all)
        if (t->queue && t->deadline < next)
            next = t->deadline;
    if (next == UINT64_MAX)
        return false;
    if (next > fake.now)
        fake.now = next;
    return true;
}

static void schedule(void)
{
    struct thread *self = current, *next;

    if (in_handler) {
        fprintf(stderr, "an event handler tried to wait\n");
        abort();
    }
    event_dispatch();
    fire_timers();
    while (!(next = take(&ready, NULL))) {
        if (event_dispatch() || (fake.world && fake.world()))
            continue;
        if (!next_deadline()) {
            fprintf(stderr, "everybody waits for ever\n");
            abort();
        }
        fire_timers();
    }
    if (next == self)
        return;
    current = next;
    swapcontext(&self->context, &next->context);
}

static void thread_entry(void)
{
    current->fn(current->arg);
    thread_exit();
}

struct thread *thread_start(void (*fn)(void *arg), void *arg)
{
    struct thread *thread = calloc(1, sizeof *thread);

    getcontext(&thread->context);
    thread->context.uc_stack.ss_sp = malloc(STACK_SIZE);
    thread->context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&thread->context, thread_entry, 0);
    thread->fn = fn;
    thread->arg = arg;
    thread->all = threads;
    threads = thread;
    wake(thread, true);
    return thread;
}

struct thread *thread_self(void)
{
    return current;
}

bool thread_may_wait(void)
{
    return current && !in_handler;
}

/* Nothing here runs beside the test. */
void guest_lock(void)
{
}

void guest_unlock(void)
{
}

bool thread_wait(struct wait_queue *queue, uint64_t deadline_ns)
{
    struct thread *self = current;

    self->queue = queue;
    self->deadline = deadline_ns;
    append(queue, self);
    schedule();
    return self->woken;
}

void thread_yield(void)
{
    wake(current, true);
    schedule();
}

void thread_sleep(uint64_t ns)
{
    struct wait_queue nobody = WAIT_QUEUE_INIT;

    thread_wait(&nobody, fake.now + ns);
}

void thread_wake_one(struct wait_queue *queue)
{
    struct thread *thread = take(queue, NULL);

    if (thread)
        wake(thread, true);
}

void thread_wake_all(struct wait_queue *queue)
{
    while (queue->first)
        thread_wake_one(queue);
}

void thread_exit(void)
{
    current->queue = NULL;
    schedule();
    abort();
}

/* time */

uint64_t clock_system_ns(void)
{
    return fake.now += fake.tick;
}

void timer_arm(struct timer *timer, uint64_t deadline_ns,
               void (*fn)(void *context), void *context)
{
    struct timer **at = &timers;

    timer_cancel(timer);
    *timer = (struct timer){deadline_ns, fn, context, NULL, 1, NULL};
    while (*at && (*at)->deadline_ns <= deadline_ns)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
}

void timer_cancel(struct timer *timer)
{
    struct timer **at = &timers;

    while (*at && *at != timer)
        at = &(*at)->next;
    if (*at)
        *at = timer->next;
    timer->armed = 0;
}

/* events */

void fake_in_handler(bool yes)
{
    in_handler = yes;
}

void fake_on_send(evtchn_port_t port, void (*fn)(void))
{
    ports[port].sent = fn;
}

void fake_raise(evtchn_port_t port)
{
    ports[port].pending = true;
}

int event_handle(evtchn_port_t port, event_fn fn, void *context)
{
    ports[port].fn = fn;
    ports[port].context = context;
    return 0;
}

int event_alloc_unbound(domid_t remote, event_fn fn, void *context,
                        evtchn_port_t *port)
{
    (void)remote;
    for (evtchn_port_t p = 3; p < NR_PORTS; p++) {
        if (!ports[p].used) {
            ports[p].used = true;
            *port = p;
            return event_handle(p, fn, context);
        }
    }
    return -ENOSPC;
}

int event_send(evtchn_port_t port)
{
    if (ports[port].sent)
        ports[port].sent();
    return 0;
}

int event_close(evtchn_port_t port)
{
    memset(&ports[port], 0, sizeof ports[port]);
    return 0;
}

/* pages and grants */

void *page_alloc(size_t nr)
{
    fake.pages_used += (long)nr;
    return aligned_alloc(PAGE_SIZE, nr * PAGE_SIZE);
}

void *page_alloc_zeroed(size_t nr)
{
    return memset(page_alloc(nr), 0, nr * PAGE_SIZE);
}

void page_free(void *pages, size_t nr)
{
    fake.pages_used -= (long)nr;
    free(pages);
}

size_t page_nr_free(void)
{
    return fake.pages_free;
}

uint64_t page_mfn(const void *address)
{
    return (uintptr_t)address >> PAGE_SHIFT;
}

evtchn_port_t ring_port(enum builder_ring ring)
{
    return ring == RING_STORE ? fake.store_port : fake.console_port;
}

void *ring_page(enum builder_ring ring)
{
    return ring == RING_STORE ? fake.store_page : fake.console_page;
}

int64_t guest_grant(domid_t borrower, const void *page, bool readonly)
{
    (void)borrower;
    for (grant_ref_t ref = 8; ref < fake.grant_limit + 8; ref++) {
        if (ref < NR_GRANTS && !grants[ref].used) {
            grants[ref].used = true;
            grants[ref].page =
                (void *)((uintptr_t)page & ~(uintptr_t)(PAGE_SIZE - 1));
            grants[ref].readonly = readonly;
            return ref;
        }
    }
    return -ENOSPC;
}

int guest_grant_end(grant_ref_t ref)
{
    if (ref >= NR_GRANTS || !grants[ref].used)
        return -EINVAL;
    if (grants[ref].mapped)
        return -EBUSY;
    grants[ref].used = false;
    return 0;
}

void *fake_map(grant_ref_t ref, bool write)
{
    if (ref >= NR_GRANTS || !grants[ref].used ||
        (write && grants[ref].readonly))
        return NULL;
    grants[ref].mapped++;
    return grants[ref].page;
}

void fake_unmap(grant_ref_t ref)
{
    grants[ref].mapped--;
}

unsigned fake_grants(void)
{
    unsigned nr = 0;

    for (grant_ref_t ref = 0; ref < NR_GRANTS; ref++)
        nr += grants[ref].used;
    return nr;
}

/* the guest itself */

static struct guest_console console;

void guest_set_console(const struct guest_console *c)
{
    console = *c;
}

const struct guest_console *guest_get_console(void)
{
    return &console;
}

static void park(void)
{
    static struct wait_queue nobody;

    for (;;)
        thread_wait(&nobody, UINT64_MAX);
}

void guest_exit(int code)
{
    fake.exited = code + 1;
    park();
    abort();
}

void guest_shutdown(unsigned reason)
{
    fake.shutdown = reason + 1;
    park();
    abort();
}

void guest_print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
}

size_t guest_vformat(char *buf, size_t size, const char *format, va_list args)
{
    return (size_t)vsnprintf(buf, size, format, args);
}

size_t guest_format(char *buf, size_t size, const char *format, ...)
{
    va_list args;
    size_t len;

    va_start(args, format);
    len = guest_vformat(buf, size, format, args);
    va_end(args);
    return len;
}

/* vCPUs */

unsigned vcpu_count(void)
{
    return fake.vcpus ? fake.vcpus : 1;
}

bool thread_runs_on(unsigned vcpu)
{
    return vcpu == 0 || (fake.parallel && vcpu < vcpu_count());
}

int event_move(evtchn_port_t port, unsigned vcpu)
{
    ports[port].vcpu = vcpu;
    return 0;
}

unsigned fake_vcpu_of(evtchn_port_t port)
{
    return ports[port].vcpu;
}
