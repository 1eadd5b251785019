/*
 * What single operations cost inside a guest, in nanoseconds, as a line of
 * JSON for tests/bench/run to compare with native.c.
 */
#include <stdint.h>
#include <stdio.h>

#include <hypercall/calls.h>
#include <pvguest/clock.h>

#include "rounds.h"

static volatile uint64_t sink;

static void null_hypercall(void)
{
    sink = (uint64_t)hypercall_version();
}

/* A call that takes the long way: registers and vector state saved. */
static void saving_hypercall(void)
{
    sink = (uint64_t)hypercall_vcpu_op(VCPUOP_is_up, 0, NULL);
}

static void read_clock(void)
{
    sink = clock_system_ns();
}

int main(void)
{
    printf("{\"null_hypercall\": %.2f, \"saving\": %.2f, \"clock\": %.2f}\n",
           best_ns(null_hypercall, clock_system_ns),
           best_ns(saving_hypercall, clock_system_ns),
           best_ns(read_clock, clock_system_ns));
    return 0;
}
