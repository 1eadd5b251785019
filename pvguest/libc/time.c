/*
 * Clocks: all that do not stop are the system time; the wall clock is its own.
 */
#include <pvguest/clock.h>
#include <pvguest/thread.h>

#include <errno.h>

#include "linux.h"

#define NS_PER_S 1000000000ull

uint64_t time_ns(const struct timespec *ts)
{
    if (ts->tv_sec < 0)
        return 0;
    if ((uint64_t)ts->tv_sec >= UINT64_MAX / NS_PER_S - 1)
        return UINT64_MAX;
    return (uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec;
}

static bool is_wall(int clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

static bool is_known(int clock)
{
    return clock >= 0 && clock <= CLOCK_BOOTTIME;
}

int guest_libc_clock_gettime(int clock, struct timespec *ts)
{
    uint64_t ns;

    if (!is_known(clock))
        return -EINVAL;
    ns = is_wall(clock) ? clock_wall_ns() : clock_system_ns();
    ts->tv_sec = (time_t)(ns / NS_PER_S);
    ts->tv_nsec = (long)(ns % NS_PER_S);
    return 0;
}

long linux_clock_getres(int clock, struct timespec *ts)
{
    if (!is_known(clock))
        return -EINVAL;
    if (ts)
        *ts = (struct timespec){0, 1};
    return 0;
}

long linux_clock_nanosleep(int clock, int flags, const struct timespec *want)
{
    uint64_t ns = time_ns(want);

    if (!is_known(clock))
        return -EINVAL;
    if (want->tv_sec < 0 || want->tv_nsec < 0 ||
        want->tv_nsec >= (long)NS_PER_S)
        return -EINVAL;
    if (!(flags & TIMER_ABSTIME)) {
        thread_sleep(ns);
    } else if (is_wall(clock)) {
        uint64_t now = clock_wall_ns();

        thread_sleep(ns > now ? ns - now : 0);
    } else {
        thread_sleep_until(ns);
    }
    return 0;
}
