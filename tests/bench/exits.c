/*
 * exits WHAT NUMBER: do one thing so many times, for tests/bench/run to see how
 * often the guest leaves its VM for it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hypercall/calls.h>
#include <pvguest/clock.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>

#define NAP_NS 200000u

#define PTE_DATA      0x8000000000000067ul /* present, writable, user, accessed */
#define PTE_READ_ONLY 0x8000000000000065ul

static volatile uint64_t sink;

static void call(void)
{
    sink = (uint64_t)hypercall_version();
}

static void read_clock(void)
{
    sink = clock_system_ns();
}

static void sleep_and_wake(void)
{
    thread_sleep_until(clock_system_ns() + NAP_NS);
}

/* The hypervisor's own: sleep until then, or an event of one of no ports. */
static void poll_and_wake(void)
{
    struct sched_poll poll = {.timeout = clock_system_ns() + NAP_NS};

    hypercall_sched_op(SCHEDOP_poll, &poll);
}

/* The rights of 32 pages, there and back. */
static void change_tables(void)
{
    static struct multicall_entry calls[32];
    static char *pages;
    static bool writable;

    if (!pages)
        pages = page_alloc(32);
    writable = !writable;
    for (size_t i = 0; i < 32; i++) {
        const char *page = pages + i * PAGE_SIZE;

        calls[i].op = __HYPERVISOR_update_va_mapping;
        calls[i].args[0] = (uintptr_t)page;
        calls[i].args[1] = page_mfn(page) << PAGE_SHIFT |
                           (writable ? PTE_DATA : PTE_READ_ONLY);
        calls[i].args[2] = UVMF_NONE;
    }
    hypercall_multicall(calls, 32);
}

static const struct {
    const char *name;
    void (*once)(void);
} things[] = {
    {"call", call},
    {"clock", read_clock},
    {"sleep", sleep_and_wake},
    {"poll", poll_and_wake},
    {"tables", change_tables},
};

int main(int argc, char **argv)
{
    const unsigned long number = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

    for (size_t i = 0; argc > 2 && i < sizeof things / sizeof *things; i++) {
        if (strcmp(argv[1], things[i].name) != 0)
            continue;
        for (unsigned long n = 0; n < number; n++)
            things[i].once();
        return 0;
    }
    printf("usage: exits call|clock|sleep|poll|tables NUMBER\n");
    return 2;
}
