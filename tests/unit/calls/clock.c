/* The line a guest computes its time from, under clocks of our making. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/clock.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* A world: true time, and clocks that are not quite true to it. */
static struct {
    uint64_t ns;         /* true time */
    uint64_t hz;         /* of the TSC */
    int64_t ppm;         /* how much CLOCK_MONOTONIC is too fast */
    uint64_t tsc_offset; /* what the TSC was at 0 */
    uint64_t mono;       /* CLOCK_MONOTONIC now */
    uint64_t noise;      /* looks take up to so many ns */
    uint32_t seed;
} world;

static void pass(uint64_t ns)
{
    world.ns += ns;
    world.mono += ns + (uint64_t)((int64_t)ns * world.ppm / 1000000);
}

static uint64_t look_cost(void)
{
    world.seed = world.seed * 1664525 + 1013904223;
    return 10 + (world.noise ? world.seed / 65536 % world.noise : 0);
}

static uint64_t world_tsc(void)
{
    pass(look_cost());
    return world.tsc_offset +
           (uint64_t)((unsigned __int128)world.ns * world.hz / S);
}

static uint64_t world_mono(void)
{
    pass(look_cost());
    return world.mono;
}

static uint64_t world_wall(void)
{
    return world.mono + 1700000000 * S;
}

static const struct clock_source source = {world_tsc, world_mono, world_wall};

static struct clock clock;

static void start(uint64_t hz)
{
    memset(&world, 0, sizeof world);
    world.hz = hz;
    world.mono = 12345 * S;
    world.tsc_offset = UINT64_C(1) << 40;
    world.noise = 40;
    cr_assert_eq(clock_create_from(&clock, &source), 0);
}

/* As a guest does, from what was published. (xen/xen.h) */
static uint64_t guest_time(const struct vcpu_time_info *info, uint64_t tsc)
{
    uint64_t delta = tsc - info->tsc_timestamp;

    if (info->tsc_shift >= 0)
        delta <<= info->tsc_shift;
    else
        delta >>= -info->tsc_shift;
    return info->system_time +
           (uint64_t)((unsigned __int128)delta * info->tsc_to_system_mul >> 32);
}

static int64_t error(void)
{
    return (int64_t)(clock_now(&clock) -
                     (world.mono - clock.boot_monotonic_ns));
}

/* Let (ns) pass as a running domain does, looking every 10 ms. */
static void run(uint64_t ns)
{
    for (uint64_t end = world.ns + ns; world.ns < end; pass(10 * MS))
        if (clock_is_stale(&clock, clock_now(&clock)))
            clock_steer(&clock);
}

Test(clock, keeps_step_with_the_monotonic_clock_at_any_tsc_rate)
{
    const uint64_t rates[] = {24000000, 1000000000, 2596120000, 5100000000};

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        int64_t before;

        start(rates[i]);
        run(2 * S);
        before = error();
        run(60 * S);
        /* 50 ppm of a minute are 3 ms; this is far better */
        cr_expect_lt(llabs(error() - before), 10000, "%lu Hz: off by %ld ns",
                     rates[i], error() - before);
    }
}

Test(clock, follows_a_monotonic_clock_that_is_being_slewed)
{
    start(2596120000);
    run(10 * S);
    world.ppm = 500; /* as fast as NTP may */
    run(60 * S);
    cr_expect_lt(llabs(error()), 1000000, "off by %ld ns", error());
    world.ppm = -500;
    run(60 * S);
    cr_expect_lt(llabs(error()), 1000000, "off by %ld ns", error());
}

/*
 * Whatever is steered, a guest that compares readings from before and after a
 * new line was published never sees time run back or jump.
 */
Test(clock, never_runs_back_and_never_jumps_when_steered)
{
    struct vcpu_time_info info = {0};
    uint64_t last = 0;

    start(3000000000);
    for (int i = 0; i < 2000; i++) {
        uint64_t tsc = world_tsc(), before, after;

        before = i ? guest_time(&info, tsc) : 0;
        clock_steer(&clock);
        clock_publish(&clock, &info);
        tsc = world_tsc();
        after = guest_time(&info, tsc);
        cr_assert_geq(after, before);
        cr_assert_geq(after, last);
        if (i)
            cr_assert_lt(after - before, 2000, "a jump of %lu ns",
                         after - before);
        last = after;
        pass((uint64_t)i * 5000);
    }
}

/* The first estimate of the rate may be far off; a sleeper does not look. */
Test(clock, is_right_after_a_long_sleep_on_a_bad_rate)
{
    const int32_t off[] = {-3000, 3000}; /* one part in so many */

    for (size_t i = 0; i < 2; i++) {
        uint64_t before;

        start(2596120000);
        clock.mul += (uint32_t)((int64_t)clock.mul / off[i]);
        before = clock_now(&clock);
        pass(60 * S);
        cr_assert_gt(llabs(error()), 15000000);
        clock_set_right(&clock, before);
        cr_expect_lt(llabs(error()), 2000, "off by %ld ns", error());
        run(10 * S);
        cr_expect_lt(llabs(error()), 20000, "off by %ld ns", error());
    }
}

Test(clock, does_not_go_back_before_what_a_sleeper_last_saw)
{
    uint64_t seen;

    start(2596120000);
    run(S);
    clock.ns0 += 5 * MS; /* it ran ahead */
    seen = clock_now(&clock);
    pass(MS);
    clock_set_right(&clock, seen);
    cr_expect_geq(clock_now(&clock), seen);
    run(10 * S);
    cr_expect_lt(llabs(error()), 20000, "off by %ld ns", error());
}

Test(clock, starts_with_a_usable_first_estimate)
{
    start(2596120000);
    pass(1 * MS); /* the domain is being built */
    clock_steer(&clock);
    cr_expect_lt(llabs(error()), 20000, "off by %ld ns", error());
    pass(1 * MS);
    cr_expect_lt(llabs(error()), 5000, "off by %ld ns", error());
}

Test(clock, looks_often_when_young_and_each_second_when_old)
{
    start(2000000000);
    clock_steer(&clock);
    cr_expect(!clock_is_stale(&clock, clock.ns0 + MS / 2));
    cr_expect(clock_is_stale(&clock, clock.ns0 + MS));
    run(10 * S);
    clock_steer(&clock);
    cr_expect(!clock_is_stale(&clock, clock.ns0 + S - 1));
    cr_expect(clock_is_stale(&clock, clock.ns0 + S));
}

Test(clock, goes_on_when_the_tsc_was_set_back)
{
    uint64_t before;

    start(2000000000);
    run(5 * S);
    before = clock_now(&clock);
    world.tsc_offset = 0; /* the host slept */
    pass(S);
    cr_expect_geq(clock_now(&clock), before - S);
    clock_steer(&clock);
    cr_expect_geq(clock_now(&clock), before);
    run(5 * S);
    cr_expect_lt(llabs(error()), 100000, "off by %ld ns", error());
}

static uint64_t stuck(void)
{
    return 7;
}

Test(clock, refuses_a_tsc_that_stands_still)
{
    static const struct clock_source broken = {stuck, world_mono, world_wall};

    cr_expect_eq(clock_create_from(&clock, &broken), -ENODEV);
}

/* Mini-OS reloads only when the version differs from its zeroed copy. */
Test(clock, publishes_an_even_version_that_is_never_0)
{
    struct vcpu_time_info info = {0};

    start(2000000000);
    clock_publish(&clock, &info);
    cr_expect_eq(info.version, 2);
    info.version = UINT32_MAX - 1;
    clock_publish(&clock, &info);
    cr_expect_neq(info.version, 0);
    cr_expect_eq(info.version % 2, 0);
    info.version = 77; /* a guest's scribble */
    clock_publish(&clock, &info);
    cr_expect_eq(info.version % 2, 0);
}

Test(clock, publishes_the_wall_clock_at_time_0)
{
    static struct shared_info shared;
    uint64_t wall;

    start(2000000000);
    run(S);
    clock_publish_wall(&clock, &shared);
    wall = shared.wc_sec * S + shared.wc_nsec + clock_now(&clock);
    cr_expect_lt(llabs((int64_t)(wall - world_wall())), 1000000);
    cr_expect_eq(shared.wc_version % 2, 0);
    cr_expect_lt(shared.wc_nsec, S);
}

/* Of the real clock: it does not run back between any two looks. */
Test(clock, is_monotone_on_this_machine)
{
    struct clock real;
    uint64_t last = 0;

    cr_assert_eq(clock_create(&real), 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t t = clock_now(&real);

        cr_assert_geq(t, last);
        last = t;
        if (i % 100 == 0)
            clock_steer(&real);
    }
}
