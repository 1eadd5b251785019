/*
 * clock: ticks by timers, and checks the time it is given: that it never goes
 * back, that no timer fires early, and that the wall clock was set by somebody
 * of this century. The exit status says whether all of it held.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include <pvguest/clock.h>
#include <pvguest/thread.h>

#define NR_TICKS  5
#define TICK_NS   100000000ull
#define NR_READS  100000
#define LATE_NS   5000000000ull /* a machine may be busy, not asleep */
#define YEAR_2020 1577836800ll
#define YEAR_2100 4102444800ll

static bool verdict(const char *claim, bool holds)
{
    printf("%s: %s\n", claim, holds ? "yes" : "NO");
    return holds;
}

static bool never_goes_back(void)
{
    uint64_t before = clock_system_ns();

    for (int i = 0; i < NR_READS; i++) {
        uint64_t now = clock_system_ns();

        if (now < before)
            return false;
        before = now;
    }
    return true;
}

static bool wall_clock_is_plausible(void)
{
    time_t now = time(NULL);

    return now > YEAR_2020 && now < YEAR_2100;
}

/* Both clocks saw the same time pass. */
static bool clocks_agree(uint64_t system_ns, uint64_t wall_ns)
{
    uint64_t more = system_ns > wall_ns ? system_ns : wall_ns;
    uint64_t less = system_ns > wall_ns ? wall_ns : system_ns;

    return more - less < TICK_NS;
}

int main(void)
{
    uint64_t start = clock_system_ns(), wall_start = clock_wall_ns();
    uint64_t next = start;
    bool early = false, late = false, good = true;

    for (int i = 1; i <= NR_TICKS; i++) {
        uint64_t now;

        next += TICK_NS;
        thread_sleep_until(next);
        now = clock_system_ns();
        early |= now < next;
        late |= now > next + LATE_NS;
        printf("tick %d\n", i);
    }

    good &= verdict("no timer fired early", !early);
    good &= verdict("no timer was seconds late", !late);
    good &= verdict("system time never goes back", never_goes_back());
    good &= verdict("wall clock is plausible", wall_clock_is_plausible());
    good &= verdict(
        "both clocks agree",
        clocks_agree(clock_system_ns() - start, clock_wall_ns() - wall_start));
    return good ? 0 : 1;
}
