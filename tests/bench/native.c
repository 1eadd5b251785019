/* The peers of calls.c: the same rounds, in a native process. */
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "rounds.h"

static volatile uint64_t sink;

static void call_getppid(void)
{
    sink = (uint64_t)syscall(SYS_getppid);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void read_clock(void)
{
    sink = now_ns();
}

int main(void)
{
    printf("{\"getppid\": %.2f, \"clock\": %.2f}\n",
           best_ns(call_getppid, now_ns), best_ns(read_clock, now_ns));
    return 0;
}
