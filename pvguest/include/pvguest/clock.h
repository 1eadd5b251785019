/*
 * pvguest/clock.h: time, from shared memory and the TSC, without hypercalls
 * (xen/xen.h, struct vcpu_time_info).
 */
#ifndef PVGUEST_CLOCK_H
#define PVGUEST_CLOCK_H

#include <stdint.h>

/*
 * System time in ns since some moment of the hypervisor's choosing; never goes
 * back. What deadlines are in.
 */
uint64_t clock_system_ns(void);

/* Wall clock in ns since 1970. */
uint64_t clock_wall_ns(void);

/*
 * One-shot timers, any number, multiplexed on the one of the vCPU that arms
 * them, which is where they fire. The struct is the
 * caller's, zeroed before its first use, and must stay until it fired or was
 * cancelled.
 */
struct timer {
    uint64_t deadline_ns;
    void (*fn)(void *context);
    void *context;
    struct timer *next;      /* private */
    int armed;               /* private */
    struct guest_vcpu *vcpu; /* private: on whose list it is */
};

/*
 * Call (fn) once, as an event handler is called, when system time has reached
 * (deadline_ns); at the next dispatch if it has already. A timer that is armed
 * is armed anew.
 */
void timer_arm(struct timer *timer, uint64_t deadline_ns,
               void (*fn)(void *context), void *context);

/* (fn) will not run. Harmless for a timer that is not armed. */
void timer_cancel(struct timer *timer);

#endif
