/*
 * Does one thing many times, for a host that counts how often the guest leaves
 * its VM: exits null-hypercall|clock TIMES.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hypercall/calls.h>
#include <pvguest/clock.h>

static volatile uint64_t sink;

static void null_hypercall(void)
{
    sink = (uint64_t)hypercall_version();
}

static void read_clock(void)
{
    sink = clock_system_ns();
}

int main(int argc, char **argv)
{
    const unsigned long times = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    void (*operation)(void) = NULL;

    if (argc > 1 && strcmp(argv[1], "null-hypercall") == 0)
        operation = null_hypercall;
    if (argc > 1 && strcmp(argv[1], "clock") == 0)
        operation = read_clock;
    if (!operation)
        return 2;
    for (unsigned long i = 0; i < times; i++)
        operation();
    printf("%lu times\n", times);
    return 0;
}
