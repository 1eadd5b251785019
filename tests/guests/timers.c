/*
 * One-shot timers: any number, in the order of their deadlines, never early,
 * and not at all when cancelled.
 */
#include "verdict.h"

#include <pvguest/clock.h>
#include <pvguest/thread.h>

#define NR 50
#define MS 1000000ull

static struct timer timers[NR];
static struct wait_queue done = WAIT_QUEUE_INIT;
static unsigned nr_fired;
static bool in_order = true, early;
static uint64_t last_deadline;

static void fired(void *context)
{
    const struct timer *timer = context;

    in_order &= timer->deadline_ns >= last_deadline;
    early |= clock_system_ns() < timer->deadline_ns;
    last_deadline = timer->deadline_ns;
    nr_fired++;
    if (timer->armed)
        in_order = false;
    thread_wake_one(&done);
}

/* Armed in an order unlike that of their deadlines. */
static void arm_all(uint64_t start)
{
    for (unsigned i = 0; i < NR; i++)
        timer_arm(&timers[i], start + (1 + i * 17 % NR) * MS, fired,
                  &timers[i]);
}

static void chain(void *context)
{
    struct timer *timer = context;

    if (++nr_fired < NR)
        timer_arm(timer, clock_system_ns(), chain, timer);
    else
        thread_wake_one(&done);
}

int main(void)
{
    struct timer again = {0};

    arm_all(clock_system_ns());
    while (nr_fired < NR)
        thread_wait(&done, UINT64_MAX);
    promise(in_order, "timers fire in the order of their deadlines");
    promise(!early, "and not early");

    nr_fired = 0;
    last_deadline = 0;
    arm_all(clock_system_ns());
    for (unsigned i = 0; i < NR; i += 2)
        timer_cancel(&timers[i]);
    thread_sleep((NR + 20) * MS);
    promise(nr_fired == NR / 2, "cancelled timers do not fire");

    nr_fired = 0;
    timer_arm(&again, clock_system_ns() + MS, chain, &again);
    thread_wait(&done, UINT64_MAX);
    promise(nr_fired == NR, "a timer may be armed again as it fires");

    nr_fired = 0;
    timer_arm(&again, clock_system_ns() + 3600000 * MS, fired, &again);
    timer_arm(&again, clock_system_ns() + MS, fired, &again);
    thread_wait(&done, UINT64_MAX);
    promise(nr_fired == 1, "arming again replaces the deadline");
    return verdict();
}
