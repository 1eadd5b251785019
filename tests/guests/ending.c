/*
 * All the ways to live and to end, one for each argument; what is seen of them
 * outside is in tests/system/lifecycle.py.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/sched.h>

#include <hypercall/calls.h>
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/shutdown.h>
#include <pvguest/store.h>
#include <pvguest/thread.h>

static int wanted_status;

static int leave(const char *value)
{
    return atoi(value);
}

/* The key that tells our status, as a guest of another make may write it. */
_Noreturn static int tell(const char *value)
{
    store_write(STORE_NO_TX, "data/exit-status", value);
    guest_shutdown(SHUTDOWN_poweroff);
}

static int leave_by_reason(const char *value)
{
    struct sched_shutdown op = {.reason = (unsigned)atoi(value)};
    long answer = hypercall_sched_op(SCHEDOP_shutdown, &op);

    printf("answer: %ld\n", answer);
    return 0;
}

/* The first code that was latched is the one, whatever comes then. */
static int leave_by_latch(const char *value)
{
    struct sched_shutdown first = {.reason = (unsigned)atoi(value)};
    struct sched_shutdown then = {.reason = SHUTDOWN_crash - first.reason};

    printf("answer: %ld\n", hypercall_sched_op(SCHEDOP_shutdown_code, &first));
    printf("answer: %ld\n", hypercall_sched_op(SCHEDOP_shutdown_code, &then));
    fflush(stdout);
    guest_get_console()->flush();
    hypercall_sched_op(SCHEDOP_shutdown, &then);
    return 0;
}

static int echo(const char *value)
{
    char line[256];

    (void)value;
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        printf("got %s", line);
        fflush(stdout);
        if (strcmp(line, "quit\n") == 0)
            return 0;
    }
    return 3;
}

/* How much came, and a sum over it that depends on the order. */
static int count_input(const char *value)
{
    const long nr = atol(value);
    uint32_t sum = 1;

    printf("ready\n");
    fflush(stdout);
    for (long i = 0; i < nr; i++)
        sum = sum * 31 + (uint32_t)getchar();
    printf("%ld %u\n", nr, sum);
    return 0;
}

static int print_lines(const char *value)
{
    const long nr = atol(value);

    for (long i = 0; i < nr; i++)
        printf("line %ld of %ld\n", i, nr);
    return 0;
}

/* A hook decides the status; without a value the library does. */
static void asked(unsigned reason)
{
    printf("asked to end: %u\n", reason);
    guest_exit(wanted_status);
}

_Noreturn static int wait_to_be_asked(const char *value)
{
    struct wait_queue queue = WAIT_QUEUE_INIT;

    wanted_status = atoi(value);
    if (wanted_status)
        shutdown_set_hook(asked);
    printf("ready\n");
    fflush(stdout);
    for (;;)
        thread_wait(&queue, UINT64_MAX);
}

/* Sleeps where the store's messages wake nobody. */
_Noreturn static int be_deaf(const char *value)
{
    struct sched_poll poll = {.timeout = 0};

    (void)value;
    printf("ready\n");
    fflush(stdout);
    for (;;)
        hypercall_sched_op(SCHEDOP_poll, &poll);
}

static void say_ready(void)
{
    printf("ready\n");
    fflush(stdout);
    guest_get_console()->flush();
    __asm__ volatile("" ::: "memory");
    guest_shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    memset(guest_shared_info->evtchn_mask, 0xff,
           sizeof guest_shared_info->evtchn_mask);
}

_Noreturn static int spin(const char *value)
{
    (void)value;
    say_ready();
    for (;;)
        __asm__ volatile("" ::: "memory");
}

_Noreturn static int spin_in_calls(const char *value)
{
    const long how = atol(value);

    say_ready();
    for (;;) {
        unsigned long nr = __HYPERVISOR_xen_version, command = 0;

        if (how == 0)
            hypercall_xen_version(XENVER_version, NULL);
        else if (how == 1)
            hypercall_sched_op(SCHEDOP_yield, NULL);
        else if (how == 2)
            hypercall_xen_version(XENVER_get_features, NULL);
        else
            __asm__ volatile("syscall"
                             : "+a"(nr), "+D"(command)
                             :
                             : "rcx", "r11", "memory");
    }
}

/* Faults on faults: a handler that changes nothing. */
_Noreturn static int spin_in_traps(const char *value)
{
    static const struct trap_info table[] = {{6, 4, FLAT_KERNEL_CS, 0},
                                             {0, 0, 0, 0}};
    struct trap_info own[2] = {table[0], table[1]};

    (void)value;
    say_ready();
    own[0].address = (unsigned long)&&again;
    hypercall_set_trap_table(own);
again:
    /* The frame of the last one stays on the stack: start afresh each time. */
    __asm__ volatile("mov %0, %%rsp\n\tud2"
                     :
                     : "r"((uintptr_t)__builtin_frame_address(0) - 4096)
                     : "memory");
    goto *(&&again);
}

static int call_in_call(unsigned depth)
{
    volatile char room[512];

    room[0] = (char)depth;
    if (depth == 0)
        return 0;
    return call_in_call(depth - 1) + room[0]; /* not the last thing it does */
}

/* Below the stack nothing is mapped. */
static int overflow(const char *value)
{
    (void)value;
    return call_in_call(UINT32_MAX);
}

static const struct {
    const char *name;
    int (*run)(const char *value);
} ways[] = {
    {"exit", leave},
    {"tell", tell},
    {"reason", leave_by_reason},
    {"latch", leave_by_latch},
    {"echo", echo},
    {"count", count_input},
    {"lines", print_lines},
    {"wait", wait_to_be_asked},
    {"deaf", be_deaf},
    {"spin", spin},
    {"calls", spin_in_calls},
    {"traps", spin_in_traps},
    {"overflow", overflow},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof ways / sizeof *ways; i++)
        if (strcmp(argv[1], ways[i].name) == 0)
            return ways[i].run(argc > 2 ? argv[2] : "0");
    printf("no such way to live\n");
    return 99;
}
