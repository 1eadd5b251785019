/*
 * Reading the time: struct vcpu_time_info and the TSC.
 */
#include <pvguest/clock.h>
#include <pvguest/guest.h>

#include "internal.h"

#define NS_PER_S 1000000000ull

/* Ordered: not before what the program did earlier. */
static inline uint64_t tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static inline void compiler_barrier(void)
{
    __asm__ volatile("" ::: "memory"); /* x86 keeps loads in order */
}

/* The hypervisor moves (version) to odd and on while it writes. */
uint64_t clock_system_ns(void)
{
    const volatile struct vcpu_time_info *time =
        &guest_shared_info->vcpu_info[0].time;
    static uint64_t last;
    uint64_t delta, ns;
    uint32_t version;

    do {
        version = time->version;
        compiler_barrier();
        delta = tsc() - time->tsc_timestamp;
        delta = time->tsc_shift >= 0 ? delta << time->tsc_shift
                                     : delta >> -time->tsc_shift;
        ns = time->system_time +
             (uint64_t)((unsigned __int128)delta * time->tsc_to_system_mul >>
                        32);
        compiler_barrier();
    } while ((version & 1) || version != time->version);

    /* A new scale may place now a little before the old one's now. */
    if (ns < last)
        return last;
    return last = ns;
}

uint64_t clock_wall_ns(void)
{
    const volatile struct shared_info *info = guest_shared_info;
    uint64_t seconds, ns;
    uint32_t version;

    do {
        version = info->wc_version;
        compiler_barrier();
        seconds = (uint64_t)info->wc_sec_hi << 32 | info->wc_sec;
        ns = info->wc_nsec;
        compiler_barrier();
    } while ((version & 1) || version != info->wc_version);

    return seconds * NS_PER_S + ns + clock_system_ns();
}
