/*
 * exits WHAT NUMBER: do one thing so many times, for tests/bench/run to see how
 * often the guest leaves its VM for it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hypercall/calls.h>
#include <pvguest/clock.h>
#include <pvguest/thread.h>

#define NAP_NS 200000u

static volatile uint64_t sink;

static void call(void)
{
    sink = (uint64_t)hypercall_version();
}

static void read_clock(void)
{
    sink = clock_system_ns();
}

static void sleep_and_wake(void)
{
    thread_sleep_until(clock_system_ns() + NAP_NS);
}

/* The hypervisor's own: sleep until then, or an event of one of no ports. */
static void poll_and_wake(void)
{
    struct sched_poll poll = {.timeout = clock_system_ns() + NAP_NS};

    hypercall_sched_op(SCHEDOP_poll, &poll);
}

static const struct {
    const char *name;
    void (*once)(void);
} things[] = {
    {"call", call},
    {"clock", read_clock},
    {"sleep", sleep_and_wake},
    {"poll", poll_and_wake},
};

int main(int argc, char **argv)
{
    const unsigned long number = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

    for (size_t i = 0; argc > 2 && i < sizeof things / sizeof *things; i++) {
        if (strcmp(argv[1], things[i].name) != 0)
            continue;
        for (unsigned long n = 0; n < number; n++)
            things[i].once();
        return 0;
    }
    printf("usage: exits call|clock|sleep|poll NUMBER\n");
    return 2;
}
