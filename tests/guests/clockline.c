/*
 * Tells its system time, in nanoseconds, whenever it is sent a line: for
 * tests/system/clock_drift.py, which has another clock to compare it with.
 */
#include <inttypes.h>
#include <stdio.h>

#include <pvguest/clock.h>

int main(void)
{
    char line[16];

    puts("ready");
    while (fgets(line, sizeof line, stdin)) {
        printf("%" PRIu64 "\n", clock_system_ns());
        fflush(stdout);
    }
    return 0;
}
