/*
 * Event channels: merged while masked, delivered once, in waits by default, or
 * on top of running code that notices nothing.
 */
#include "verdict.h"

#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/thread.h>

#include <hypercall/calls.h>

#define MS 1000000ull

static volatile unsigned nr_events;
static volatile evtchn_port_t last_port;

static void count(evtchn_port_t port, void *context)
{
    static volatile double scratch = 1.0;

    scratch = scratch * 1.5 + 0.25; /* uses vector registers */
    nr_events++;
    last_port = port;
    if (context)
        thread_wake_one(context);
}

/* A channel from ourselves to ourselves. */
static bool make_channel(evtchn_port_t *near, evtchn_port_t *far, void *context)
{
    if (event_alloc_unbound(DOMID_SELF, count, context, near))
        return false;
    if (event_bind_interdomain(DOMID_SELF, *near, count, NULL, far))
        return false;
    event_dispatch(); /* binding is an event by itself */
    nr_events = 0;
    return true;
}

static void delivery(evtchn_port_t near, evtchn_port_t far)
{
    promise(event_send(far) == 0 && nr_events == 0,
            "an event changes nothing by itself");
    event_dispatch();
    promise(nr_events == 1 && last_port == near,
            "until it is dispatched, to the other end");
    event_dispatch(); /* of the console, perhaps */
    promise(nr_events == 1, "once");

    event_send(far);
    event_send(far);
    event_send(near);
    event_dispatch();
    promise(nr_events == 3, "events of one port merge, of two do not");
}

static void masking(evtchn_port_t near, evtchn_port_t far)
{
    nr_events = 0;
    event_mask(near);
    event_send(far);
    event_dispatch();
    promise(nr_events == 0, "a masked event waits");
    event_unmask(near);
    event_dispatch();
    promise(nr_events == 1, "and comes when unmasked");
}

static void late(void *context)
{
    event_send(*(evtchn_port_t *)context);
}

static void waiting(evtchn_port_t far, struct wait_queue *queue)
{
    struct timer timer = {0};

    timer_arm(&timer, clock_system_ns() + MS, late, &far);
    promise(thread_wait(queue, UINT64_MAX), "an event ends a wait");
    timer_arm(&timer, clock_system_ns(), late, &far);
    promise(thread_wait(queue, UINT64_MAX), "also one already on its way");
}

static struct timer ticker;
static evtchn_port_t ticked;

/* Interrupt a computation in registers, over and over. */
static bool upcalls_keep_registers(evtchn_port_t far)
{
    uint64_t until = clock_system_ns() + 2000 * MS;
    double sum = 0;
    uint64_t nr = 0;

    ticked = far;
    nr_events = 0;
    timer_arm(&ticker, clock_system_ns() + MS, late, &ticked);
    event_upcalls(true);
    while (nr_events == 0 && clock_system_ns() < until) {
        for (unsigned i = 0; i < 1000; i++)
            sum += 0.5;
        nr += 1000;
    }
    event_upcalls(false);
    return nr_events == 1 && sum == (double)nr * 0.5;
}

static bool upcalls_open_at_once(evtchn_port_t far)
{
    nr_events = 0;
    event_send(far);
    event_upcalls(true);
    event_upcalls(false);
    return nr_events == 1;
}

/* INT takes the gate of PVH's upcalls, whatever IF says. */
#define UPCALL_VECTOR 32

static void stray_upcall(void)
{
    __asm__ volatile("int %0" ::"i"(UPCALL_VECTOR) : "memory");
}

/*
 * Emulated CPUs may deliver an upcall once more while interrupts are off. There
 * is no sleep then to come out of, and no handler may run.
 */
static void strays(evtchn_port_t near, evtchn_port_t far)
{
    if (!guest_is_pvh())
        return;
    nr_events = 0;
    event_send(far);
    stray_upcall();
    promise(nr_events == 0, "a stray upcall goes back to where it came");
    event_dispatch();
    promise(nr_events == 1 && last_port == near, "and nothing is lost");

    event_upcalls(true);
    __asm__ volatile("cli" ::: "memory");
    event_send(far);
    stray_upcall();
    promise(nr_events == 1, "also between any two instructions");
    __asm__ volatile("sti\n\tnop" ::: "memory");
    event_upcalls(false);
    promise(nr_events == 2 && last_port == near, "and nothing is lost then");
}

/* Neither as PV nor as PVH: the upcall cannot be taken. */
static bool a_pending_upcall_ends_no_poll(evtchn_port_t far)
{
    /* long against what the clocks of an emulated machine differ by */
    const uint64_t until = clock_system_ns() + 60 * MS;
    evtchn_port_t other;
    bool slept;

    if (event_bind_ipi(0, count, NULL, &other) || event_send(far))
        return false;
    slept = !hypercall_poll(&other, 1, until) &&
            clock_system_ns() >= until - 30 * MS;
    event_dispatch();
    return event_close(other) == 0 && slept;
}

int main(void)
{
    struct wait_queue queue = WAIT_QUEUE_INIT;
    evtchn_port_t near, far;

    if (!promise(make_channel(&near, &far, &queue),
                 "a channel to ourselves can be made"))
        return verdict();
    delivery(near, far);
    masking(near, far);
    waiting(far, &queue);
    promise(upcalls_open_at_once(far),
            "what is pending comes when upcalls are turned on");
    promise(upcalls_keep_registers(far),
            "an upcall interrupts running code, which notices nothing");
    strays(near, far);
    promise(a_pending_upcall_ends_no_poll(far),
            "a poll sleeps beside an event that cannot be taken");
    promise(event_close(far) == 0 && event_close(near) == 0, "both ends close");
    promise(event_send(far) < 0, "nothing can be sent to a closed port");
    return verdict();
}
