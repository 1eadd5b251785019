/*
 * host/clock.h: system time: nanoseconds since the domain was made, as the
 * host's CLOCK_MONOTONIC counts them, and what the guest needs to compute it
 * from the TSC by itself (struct vcpu_time_info).
 */
#ifndef HOST_CLOCK_H
#define HOST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

/* Where time comes from; the tests bring their own. */
struct clock_source {
    uint64_t (*tsc)(void);
    uint64_t (*monotonic_ns)(void);
    uint64_t (*wall_ns)(void);
};

struct clock {
    const struct clock_source *source;
    uint64_t boot_monotonic_ns; /* CLOCK_MONOTONIC at system time 0 */
    /* the line last published: time(tsc) = ns + scale(tsc - tsc0) */
    uint64_t tsc0, ns0;
    uint32_t mul;
    int8_t shift;
    /* the first sample, for a slope that gets better with age */
    uint64_t first_tsc, first_ns;
};

/*
 * Start counting now, with a first estimate of the TSC's rate from a few
 * microseconds. 0, or -ENODEV with a sentence if the TSC stands still.
 */
int clock_create(struct clock *clock);
int clock_create_from(struct clock *clock, const struct clock_source *source);

/* System time now, ns; never goes back. */
uint64_t clock_now(const struct clock *clock);

/*
 * Sample TSC and CLOCK_MONOTONIC again and steer. A line that fell behind goes
 * on at the right time; one that ran ahead goes slower until the time has come
 * up with it, so that time never runs back. Call every so often; cheap.
 */
void clock_steer(struct clock *clock);

/*
 * The same when nobody has looked at the clock since it showed (not_before_ns),
 * because the vCPU slept: a line that ran ahead may go back that far.
 */
void clock_set_right(struct clock *clock, uint64_t not_before_ns);

/* Is it time to steer and publish again? */
bool clock_is_stale(const struct clock *clock, uint64_t now_ns);

/* Write the line under the version protocol (odd while writing). */
void clock_publish(const struct clock *clock, struct vcpu_time_info *info);

/* The line cannot be read until it is published again. */
void clock_withdraw(struct vcpu_time_info *info);

/* Wall clock at system time 0, under wc_version. */
void clock_publish_wall(const struct clock *clock, struct shared_info *shared);

#endif
