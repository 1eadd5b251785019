/*
 * The clock is memory and the TSC: a function, not a call of the kernel.
 */
#include <time.h>

#include "syscall.h"

int guest_libc_clock_gettime(int clock, struct timespec *ts);

int __clock_gettime(clockid_t clock, struct timespec *ts)
{
    return __syscall_ret(guest_libc_clock_gettime(clock, ts));
}

weak_alias(__clock_gettime, clock_gettime);
