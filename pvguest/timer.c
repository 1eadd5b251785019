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

#include "internal.h"
#include <hypercall/calls.h>

static struct timer *armed; /* the next to fire first */
static uint64_t programmed; /* what the hypervisor was told; 0: nothing */
static uint64_t wanted;     /* what it is to be told; 0: nothing */

uint64_t timer_to_program(void)
{
    const uint64_t deadline_ns = wanted;

    wanted = 0;
    if (deadline_ns)
        programmed = deadline_ns;
    return deadline_ns;
}

void timer_program(void)
{
    if (wanted)
        hypercall_set_timer_op(timer_to_program());
}

static void program(void)
{
    if (!armed || (programmed && programmed <= armed->deadline_ns))
        return; /* an early event does no harm and is dearer to avoid */
    wanted = armed->deadline_ns ? armed->deadline_ns : 1;
    if (event_preempt)
        timer_program();
}

static void run_expired(void)
{
    while (armed && armed->deadline_ns <= clock_system_ns()) {
        struct timer *timer = armed;

        armed = timer->next;
        timer->armed = 0;
        timer->fn(timer->context);
    }
    wanted = 0;
    program();
}

static void expire(evtchn_port_t port, void *context)
{
    (void)port;
    (void)context;

    programmed = 0;
    run_expired();
}

bool timer_dispatch(void)
{
    if (!wanted || wanted > clock_system_ns())
        return false;
    thread_in_handler++;
    run_expired();
    thread_in_handler--;
    return true;
}

/*
 * The vCPU begins with a periodic tick on the same event, which nobody wants
 * once the event is bound, and nobody notices before.
 */
static void first_use(void)
{
    static bool used;
    evtchn_port_t port;
    int rc;

    if (used)
        return;
    used = true;
    hypercall_stop_periodic_timer(0);
    rc = event_bind_virq(VIRQ_TIMER, expire, NULL, &port);
    if (rc)
        guest_panic("cannot bind the timer: error %d", rc);
}

void timer_arm(struct timer *timer, uint64_t deadline_ns,
               void (*fn)(void *context), void *context)
{
    struct timer **at = &armed;

    first_use();
    timer_cancel(timer);
    timer->deadline_ns = deadline_ns;
    timer->fn = fn;
    timer->context = context;
    timer->armed = 1;
    while (*at && (*at)->deadline_ns <= deadline_ns)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
    program();
}

void timer_cancel(struct timer *timer)
{
    struct timer **at = &armed;

    if (!timer->armed)
        return;
    timer->armed = 0;
    while (*at && *at != timer)
        at = &(*at)->next;
    if (*at)
        *at = timer->next;
}
