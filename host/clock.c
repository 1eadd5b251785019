#include "host/clock.h"

#include <errno.h>
#include <time.h>
#include <x86intrin.h>

#include "host/log.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/* How long the first estimate may take. */
#define FIRST_LOOK_NS 4000

/* Between two samples, and the time a steered line has to meet the clock. */
#define MIN_INTERVAL_NS (1 * NS_PER_MS)
#define MAX_INTERVAL_NS (1 * NS_PER_S)

/* Tries to catch TSC and clock close together. */
#define SAMPLE_TRIES 4

/* A TSC between 2 MHz and 500 GHz; all else is broken. */
#define MIN_SHIFT (-8)
#define MAX_SHIFT 9

static uint64_t host_tsc(void)
{
    uint64_t tsc;

    _mm_lfence(); /* not before the loads that precede it */
    tsc = __rdtsc();
    _mm_lfence();
    return tsc;
}

static uint64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t host_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t host_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

static const struct clock_source host_source = {
    .tsc = host_tsc,
    .monotonic_ns = host_monotonic_ns,
    .wall_ns = host_wall_ns,
};

struct sample {
    uint64_t tsc, ns;
};

/*
 * Read both clocks as of one moment: the tightest of a few tries, so that an
 * interruption between the two reads does not count.
 */
static struct sample take_sample(const struct clock_source *source)
{
    struct sample best = {0};
    uint64_t best_width = UINT64_MAX;

    for (int i = 0; i < SAMPLE_TRIES; i++) {
        uint64_t before = source->tsc();
        uint64_t ns = source->monotonic_ns();
        uint64_t width = source->tsc() - before;

        if (width < best_width) {
            best_width = width;
            best = (struct sample){.tsc = before + width / 2, .ns = ns};
        }
    }
    return best;
}

/* ns for (delta) ticks, as the guest computes it. (xen/xen.h) */
static uint64_t scale(const struct clock *clock, uint64_t delta)
{
    if (clock->shift < 0)
        delta >>= -clock->shift;
    else
        delta <<= clock->shift;
    return (uint64_t)(((unsigned __int128)delta * clock->mul) >> 32);
}

/* System time on the published line at (tsc). */
static uint64_t line_at(const struct clock *clock, uint64_t tsc)
{
    if (tsc <= clock->tsc0)
        return clock->ns0;
    return clock->ns0 + scale(clock, tsc - clock->tsc0);
}

/*
 * (ns) per (ticks) as mul and shift, with 32 significant bits; false if that
 * is no TSC's rate.
 */
static bool set_rate(struct clock *clock, unsigned __int128 ns,
                     unsigned __int128 ticks)
{
    int shift = 0;

    if (ns == 0 || ticks == 0)
        return false;
    while (ns >= ticks && shift <= MAX_SHIFT) {
        ticks <<= 1;
        shift++;
    }
    while (ns * 2 < ticks && shift >= MIN_SHIFT) {
        ns <<= 1;
        shift--;
    }
    if (shift > MAX_SHIFT || shift < MIN_SHIFT)
        return false;
    clock->mul = (uint32_t)((ns << 32) / ticks);
    clock->shift = (int8_t)shift;
    return true;
}

int clock_create(struct clock *clock)
{
    return clock_create_from(clock, &host_source);
}

int clock_create_from(struct clock *clock, const struct clock_source *source)
{
    struct sample first = take_sample(source), second;
    uint64_t end = first.ns + FIRST_LOOK_NS;

    do {
        second = take_sample(source);
    } while (second.ns < end && second.ns >= first.ns);

    *clock = (struct clock){
        .source = source,
        .boot_monotonic_ns = first.ns,
        .first_tsc = first.tsc,
        .tsc0 = first.tsc,
    };
    if (second.tsc <= first.tsc || second.ns <= first.ns ||
        !set_rate(clock, second.ns - first.ns, second.tsc - first.tsc)) {
        log_error("the time stamp counter does not count (%llu ticks in "
                  "%llu ns): a guest's time needs one that does",
                  (unsigned long long)(second.tsc - first.tsc),
                  (unsigned long long)(second.ns - first.ns));
        return -ENODEV;
    }
    return 0;
}

uint64_t clock_now(const struct clock *clock)
{
    return line_at(clock, clock->source->tsc());
}

/*
 * How long the line holds: as long as its slope took to measure, because the
 * error of a slope shrinks with the time it was measured over.
 */
static uint64_t interval(const struct clock *clock)
{
    uint64_t age = clock->ns0 - clock->first_ns;

    if (age < MIN_INTERVAL_NS)
        return MIN_INTERVAL_NS;
    return age < MAX_INTERVAL_NS ? age : MAX_INTERVAL_NS;
}

/*
 * The TSC was set back: the host slept, or moved. Continue from here, and
 * forget what was measured.
 */
static void start_over(struct clock *clock, struct sample sample, uint64_t now)
{
    clock->tsc0 = clock->first_tsc = sample.tsc;
    clock->ns0 = clock->first_ns = clock->ns0 > now ? clock->ns0 : now;
}

/* A new line from now on, not before (floor) and soon meeting the clock. */
static void steer(struct clock *clock, struct sample sample, uint64_t floor)
{
    const uint64_t now = sample.ns - clock->boot_monotonic_ns;
    uint64_t horizon, target;
    struct clock next = *clock;

    if (now <= clock->first_ns)
        return; /* nothing to measure over yet */

    next.tsc0 = sample.tsc;
    next.ns0 = now > floor ? now : floor;
    horizon = interval(&next);

    /* Where the clock will be at the horizon, and how far that is for us. */
    target = now + horizon;
    if (target < next.ns0 + horizon / 2)
        target = next.ns0 + horizon / 2; /* far ahead: go at half speed */

    if (set_rate(&next,
                 (unsigned __int128)(now - next.first_ns) * (target - next.ns0),
                 (unsigned __int128)(sample.tsc - next.first_tsc) * horizon))
        *clock = next;
}

void clock_steer(struct clock *clock)
{
    const struct sample sample = take_sample(clock->source);

    if (sample.tsc <= clock->tsc0)
        start_over(clock, sample, sample.ns - clock->boot_monotonic_ns);
    else
        steer(clock, sample, line_at(clock, sample.tsc));
}

void clock_set_right(struct clock *clock, uint64_t not_before_ns)
{
    const struct sample sample = take_sample(clock->source);

    if (sample.tsc <= clock->tsc0)
        start_over(clock, sample, sample.ns - clock->boot_monotonic_ns);
    else
        steer(clock, sample, not_before_ns);
}

bool clock_is_stale(const struct clock *clock, uint64_t now_ns)
{
    return now_ns >= clock->ns0 && now_ns - clock->ns0 >= interval(clock);
}

/*
 * The line itself is exact on every vCPU at any moment, hence STABLE; the
 * version must never be 0, which a guest may take for "never written".
 */
void clock_publish(const struct clock *clock, struct vcpu_time_info *info)
{
    uint32_t version = info->version | 1;

    __atomic_store_n(&info->version, version, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    info->tsc_timestamp = clock->tsc0;
    info->system_time = clock->ns0;
    info->tsc_to_system_mul = clock->mul;
    info->tsc_shift = clock->shift;
    info->flags = XEN_PVCLOCK_TSC_STABLE_BIT;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    version = version == UINT32_MAX ? 2 : version + 1;
    __atomic_store_n(&info->version, version, __ATOMIC_RELAXED);
}

void clock_withdraw(struct vcpu_time_info *info)
{
    __atomic_store_n(&info->version, info->version | 1, __ATOMIC_SEQ_CST);
}

void clock_publish_wall(const struct clock *clock, struct shared_info *shared)
{
    uint64_t at_zero = clock->source->wall_ns() - clock_now(clock);
    uint32_t version = shared->wc_version | 1;

    __atomic_store_n(&shared->wc_version, version, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    shared->wc_sec = (uint32_t)(at_zero / NS_PER_S);
    shared->wc_sec_hi = (uint32_t)(at_zero / NS_PER_S >> 32);
    shared->wc_nsec = (uint32_t)(at_zero % NS_PER_S);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    version = version == UINT32_MAX ? 2 : version + 1;
    __atomic_store_n(&shared->wc_version, version, __ATOMIC_RELAXED);
}
