/*
 * Reading the time: struct vcpu_time_info and the TSC.
 */
#include <pvguest/clock.h>
#include <pvguest/guest.h>

#include "internal.h"
#include "this_vcpu.h"

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

static uint64_t last;

/* A new scale may place now a little before the old one's now. */
static uint64_t latest(uint64_t ns)
{
    return ns < last ? last : (last = ns);
}

/* And another vCPU's scale may be ahead of ours. */
static uint64_t latest_of_all(uint64_t ns)
{
    uint64_t before = __atomic_load_n(&last, __ATOMIC_RELAXED);

    do {
        if (ns <= before)
            return before;
    } while (!__atomic_compare_exchange_n(&last, &before, ns, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return ns;
}

/* The hypervisor moves (version) to odd and on while it writes. */
uint64_t clock_system_ns(void)
{
    const volatile struct vcpu_time_info *time = &this_vcpu()->info->time;
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

    return guest_smp ? latest_of_all(ns) : latest(ns);
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
