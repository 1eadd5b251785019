/*
 * Cooperative threads: they run in turn, wait, sleep, time out, are woken from
 * timers, and leave nothing behind.
 */
#include "verdict.h"

#include <pvguest/clock.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>

#include <string.h>

#define MS 1000000ull

static char trail[32];

static void mark(char c)
{
    size_t len = strlen(trail);

    if (len < sizeof trail - 1)
        trail[len] = c;
}

static void in_turn(void *arg)
{
    for (int i = 0; i < 3; i++) {
        mark(*(const char *)arg);
        thread_yield();
    }
}

static void turns(void)
{
    thread_start(in_turn, "a");
    thread_start(in_turn, "b");
    for (int i = 0; i < 5; i++)
        thread_yield();
    promise(strcmp(trail, "ababab") == 0, "threads take turns");
}

static struct wait_queue queue = WAIT_QUEUE_INIT;
static unsigned nr_woken, nr_timed_out;

static void waits(void *arg)
{
    (void)arg;
    if (thread_wait(&queue, UINT64_MAX))
        nr_woken++;
}

static void waits_a_while(void *arg)
{
    (void)arg;
    if (!thread_wait(&queue, clock_system_ns() + 5 * MS))
        nr_timed_out++;
}

static void waking(void)
{
    for (int i = 0; i < 3; i++)
        thread_start(waits, NULL);
    thread_yield();
    thread_wake_one(&queue);
    thread_yield();
    promise(nr_woken == 1, "wake_one wakes one");
    thread_wake_all(&queue);
    thread_yield();
    promise(nr_woken == 3, "wake_all wakes the others");
}

static void timing_out(void)
{
    uint64_t start = clock_system_ns();

    for (int i = 0; i < 3; i++)
        thread_start(waits_a_while, NULL);
    thread_sleep(10 * MS);
    promise(clock_system_ns() - start >= 10 * MS, "a sleep is not too short");
    while (nr_timed_out < 3) /* the machine may be slow, and they start now */
        thread_sleep(MS);
    promise(nr_timed_out == 3, "a wait ends at its deadline");
}

static void wake(void *context)
{
    thread_wake_one(context);
}

static void woken_by_timer(void)
{
    struct timer timer = {0};

    timer_arm(&timer, clock_system_ns() + MS, wake, &queue);
    promise(thread_wait(&queue, UINT64_MAX), "a timer wakes a thread");
}

static uint64_t deadline;
static unsigned nr_in_time, nr_late;

static void waits_for_the_deadline(void *arg)
{
    (void)arg;
    if (thread_wait(&queue, deadline))
        nr_in_time++;
    else
        nr_late++;
}

/* Who was woken in time may have its turn when the deadline is over. */
static void woken_before_the_deadline(void)
{
    unsigned nr = 0;

    do {
        deadline = clock_system_ns() + 5 * MS;
        thread_start(waits_for_the_deadline, NULL);
        thread_yield();
        nr++;
    } while (!queue.first); /* unless the machine is slow */
    thread_wake_one(&queue);
    while (clock_system_ns() <= deadline)
        ;
    while (nr_in_time + nr_late < nr)
        thread_yield();
    promise(nr_in_time == 1, "a deadline changes nothing for who was woken");
}

static void nothing(void *arg)
{
    ++*(unsigned *)arg;
}

static bool five_hundred(void)
{
    unsigned nr_run = 0;

    for (int i = 0; i < 500; i++) {
        if (!thread_start(nothing, &nr_run))
            break;
        thread_yield();
    }
    thread_yield();
    return nr_run == 500;
}

static bool runs_dry(void)
{
    unsigned nr = 0, nr_run = 0;

    while (nr < 100000 && thread_start(nothing, &nr_run))
        nr++;
    while (nr_run < nr)
        thread_yield();
    thread_yield();
    return nr < 100000;
}

/*
 * Whether as many pages are free behind (work) as before it. The library has a
 * thread too, that talks to a xenstore that may be slow: what it took or gave
 * meanwhile is not there once more.
 */
static bool leaves_nothing(bool (*work)(void))
{
    for (int i = 0; i < 5; i++) {
        size_t before = page_nr_free();

        work();
        if (page_nr_free() == before)
            return true;
    }
    return false;
}

int main(void)
{
    turns();
    waking();
    timing_out();
    woken_by_timer();
    woken_before_the_deadline();
    promise(five_hundred(), "five hundred threads ran");
    promise(leaves_nothing(five_hundred), "and left no page behind");
    promise(runs_dry(), "thread_start fails when memory is short");
    promise(leaves_nothing(runs_dry), "and all of it comes back");
    return verdict();
}
