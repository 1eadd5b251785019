/*
 * One-shot timers: a list by deadline, whose first is the vCPU's timer.
 *
 * While threads run, timers are looked at where events are; the hypervisor
 * need only know of one when the vCPU goes to sleep, and is told by the same
 * crossing. With upcalls between any two instructions it is told at once.
 */
#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/thread.h>

#include "internal.h"
#include "this_vcpu.h"
#include <hypercall/calls.h>

uint64_t timer_to_program(void)
{
    struct guest_vcpu *vcpu = this_vcpu();
    const uint64_t deadline_ns = vcpu->timer_wanted;

    vcpu->timer_wanted = 0;
    if (deadline_ns)
        vcpu->timer_programmed = deadline_ns;
    return deadline_ns;
}

void timer_program(void)
{
    if (this_vcpu()->timer_wanted)
        hypercall_set_timer_op(timer_to_program());
}

static void program(struct guest_vcpu *vcpu)
{
    const struct timer *first = vcpu->first_timer;

    if (!first || (vcpu->timer_programmed &&
                   vcpu->timer_programmed <= first->deadline_ns))
        return; /* an early event does no harm and is dearer to avoid */
    vcpu->timer_wanted = first->deadline_ns ? first->deadline_ns : 1;
    if (vcpu->preempt)
        timer_program();
}

static void run_expired(struct guest_vcpu *vcpu)
{
    struct timer *timer;

    while ((timer = vcpu->first_timer) &&
           timer->deadline_ns <= clock_system_ns()) {
        vcpu->first_timer = timer->next;
        timer->armed = 0;
        timer->fn(timer->context);
    }
    vcpu->timer_wanted = 0;
    program(vcpu);
}

static void expire(evtchn_port_t port, void *context)
{
    struct guest_vcpu *vcpu = context;

    (void)port;
    vcpu->timer_programmed = 0;
    run_expired(vcpu);
}

bool timer_dispatch(void)
{
    struct guest_vcpu *vcpu = this_vcpu();

    if (!vcpu->timer_wanted || vcpu->timer_wanted > clock_system_ns())
        return false;
    vcpu->in_handler++;
    run_expired(vcpu);
    vcpu->in_handler--;
    return true;
}

/*
 * The vCPU begins with a periodic tick on the same event, which nobody wants
 * once the event is bound, and nobody notices before.
 */
static void first_use(struct guest_vcpu *vcpu)
{
    evtchn_port_t port;
    int rc;

    if (vcpu->timer_used)
        return;
    vcpu->timer_used = true;
    hypercall_stop_periodic_timer(vcpu->id);
    rc = event_bind_virq_on(VIRQ_TIMER, vcpu->id, expire, vcpu, &port);
    if (rc)
        guest_panic("cannot bind the timer: error %d", rc);
}

void timer_arm(struct timer *timer, uint64_t deadline_ns,
               void (*fn)(void *context), void *context)
{
    struct guest_vcpu *vcpu = this_vcpu();
    struct timer **at = &vcpu->first_timer;
    GUEST_LOCKED;

    first_use(vcpu);
    timer_cancel(timer);
    timer->deadline_ns = deadline_ns;
    timer->fn = fn;
    timer->context = context;
    timer->armed = 1;
    timer->vcpu = vcpu;
    while (*at && (*at)->deadline_ns <= deadline_ns)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
    program(vcpu);
}

void timer_cancel(struct timer *timer)
{
    struct timer **at;
    GUEST_LOCKED;

    if (!timer->armed)
        return;
    at = &timer->vcpu->first_timer;
    timer->armed = 0;
    while (*at && *at != timer)
        at = &(*at)->next;
    if (*at)
        *at = timer->next;
}
