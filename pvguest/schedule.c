/*
 * Who runs next: one queue of those that can, for all vCPUs.
 *
 * A thread that waits stays on the stack it waits on, and sleeps there if there
 * is nobody else: where the next to run is the same one again, nothing is
 * switched. Until another took over no other vCPU may have that thread.
 */
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/vcpu.h>

#include "abi.h"
#include "internal.h"
#include "schedule.h"

static struct wait_queue ready;
static unsigned nr_sleeping; /* vCPUs */
static struct thread main_thread = {.affinity = ~0ull};

void queue_append(struct wait_queue *queue, struct thread *thread)
{
    thread->next = NULL;
    if (queue->last)
        queue->last->next = thread;
    else
        queue->first = thread;
    queue->last = thread;
}

struct thread *queue_take_first(struct wait_queue *queue)
{
    struct thread *thread = queue->first;

    if (thread) {
        queue->first = thread->next;
        if (!queue->first)
            queue->last = NULL;
    }
    return thread;
}

void queue_unlink(struct wait_queue *queue, struct thread *thread)
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
    guest_boot_vcpu.current = &main_thread;
    guest_boot_vcpu.lock_depth = 1;
}

/* The main thread held the lock once for being cooperative. */
void schedule_becomes_smp(void)
{
    main_thread.parallel = true;
    main_thread.vcpu = &guest_boot_vcpu;
    if (guest_boot_vcpu.current == &main_thread) {
        guest_boot_vcpu.lock_depth--;
        return;
    }
    main_thread.lock_depth--;
    main_thread.vcpu = NULL;
    guest_boot_vcpu.current->vcpu = &guest_boot_vcpu;
}

void schedule_load_tls(uint64_t tls)
{
    struct guest_vcpu *self = this_vcpu();

    if (tls == self->tls_loaded)
        return;
    self->tls_loaded = tls;
    if (!guest_abi->set_fs_base(tls))
        guest_panic("the hypervisor refuses to set the FS base");
}

static bool likes(const struct thread *thread, const struct guest_vcpu *vcpu)
{
    return thread->affinity >> vcpu->id & 1;
}

static bool may_run(const struct thread *thread, const struct guest_vcpu *vcpu)
{
    return (!thread->vcpu || thread->vcpu == vcpu) && likes(thread, vcpu);
}

static struct thread *take_ready(const struct guest_vcpu *self)
{
    struct thread *thread = ready.first;

    if (!guest_smp)
        return queue_take_first(&ready);
    while (thread && !may_run(thread, self))
        thread = thread->next;
    if (thread)
        queue_unlink(&ready, thread);
    return thread;
}

static void set_sleeping(struct guest_vcpu *vcpu, bool sleeping)
{
    nr_sleeping += sleeping - vcpu->sleeping;
    vcpu->sleeping = sleeping;
}

/*
 * Somebody who sleeps and may run (thread), or sleeps on its stack; nobody, if
 * who asks soon will.
 */
static void rouse(const struct thread *thread)
{
    const struct guest_vcpu *self = this_vcpu();

    if (!nr_sleeping || (self->idling && may_run(thread, self)))
        return;
    for (unsigned i = 0; i < VCPU_MAX; i++) {
        struct guest_vcpu *vcpu = guest_vcpus[i];

        if (!vcpu || !vcpu->sleeping ||
            (thread->vcpu != vcpu && !may_run(thread, vcpu)))
            continue;
        set_sleeping(vcpu, false);
        vcpu_send_ipi(i);
        return;
    }
}

void schedule_ready(struct thread *thread)
{
    queue_append(&ready, thread);
    if (guest_smp)
        rouse(thread);
}

/* The stack of who ended is out of use. */
static void bury(struct guest_vcpu *self)
{
    struct thread *thread = self->gone;
    void (*then)(void *arg);
    void *arg;

    if (!thread)
        return;
    self->gone = NULL;
    then = thread->then;
    arg = thread->then_arg;
    if (thread->stack_pages)
        page_free(thread->stack, thread->stack_pages);
    if (then)
        then(arg);
}

void schedule_arrived(void)
{
    struct guest_vcpu *self = this_vcpu();

    self->lock_depth = 1;
    bury(self);
    if (self->current->parallel)
        guest_unlock();
}

static void switch_to(struct thread *next)
{
    struct guest_vcpu *self = this_vcpu();
    struct thread *old = self->current;

    old->lock_depth = self->lock_depth;
    next->vcpu = self;
    self->current = next;
    schedule_load_tls(next->tls);
    guest_switch(&old->sp, next->sp);

    self = this_vcpu(); /* maybe another one */
    self->lock_depth = old->lock_depth;
    bury(self);
}

/* Nobody can run, as far as is known: let events change that. */
static void idle(struct guest_vcpu *self)
{
    unsigned depth;

    if (event_dispatch() || timer_dispatch())
        return;
    event_counters.sleeps++;
    if (!guest_smp) {
        guest_block(timer_to_program());
        return;
    }
    set_sleeping(self, true);
    depth = lock_drop();
    guest_block(timer_to_program());
    lock_take(depth);
    set_sleeping(self, false);
}

void schedule(bool leaving)
{
    struct guest_vcpu *self = this_vcpu();
    struct thread *next;

    if (self->in_handler)
        guest_panic("an event handler tried to wait");
    if (self->current->stack && *self->current->stack != STACK_CANARY)
        guest_panic("stack overflow in the thread at %p",
                    (void *)self->current);
    if (!leaving) /* others may count on what it leaves behind being gone */
        lock_pass();
    event_dispatch();
    timer_dispatch();
    self->idling = true;
    while (!(next = take_ready(self))) {
        if (self->idle && (leaving || !likes(self->current, self))) {
            next = self->idle;
            break;
        }
        idle(self);
    }
    self->idling = false;
    if (next != self->current)
        self->current->vcpu = NULL; /* nobody looks before we have left it */
    for (const struct thread *t = ready.first; t && nr_sleeping; t = t->next)
        rouse(t); /* who became ready while we seemed to have time for it */
    if (next != self->current)
        switch_to(next);
}
