/* host/traps/native.c: ring 3 as it is, with signals for traps. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "host/traps/traps.h"

#define SECONDS 10

static void on_signal(int number, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint64_t rip = (uint64_t)regs[REG_RIP], rsp = (uint64_t)regs[REG_RSP];

    (void)info;
    if (!probe_caught((unsigned)regs[REG_TRAPNO], (uint64_t)regs[REG_ERR], &rip,
                      &rsp))
        signal(number, SIG_DFL); /* and once more, for good */
    regs[REG_RIP] = (greg_t)rip;
    regs[REG_RSP] = (greg_t)rsp;
}

static void catch_traps(void)
{
    static const int signals[] = {SIGSEGV, SIGILL, SIGBUS, SIGTRAP, SIGFPE};
    const struct sigaction action = {
        .sa_sigaction = on_signal,
        .sa_flags = SA_SIGINFO | SA_NODEFER,
    };

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

static int child(const void *arg, int to)
{
    const struct probe_world world = {0}; /* nothing there is a kernel's */
    struct probe_result result;

    (void)arg;
    catch_traps();
    for (unsigned i = 0; i < probe_count(); i++) {
        probe_try(i, &world, &result);
        dprintf(to, PROBE_LINE, i, (unsigned)result.outcome, result.vector,
                result.error, result.value);
    }
    return 0;
}

void traps_try_native(struct traps_place *place)
{
    int status;

    *place = (struct traps_place){0};
    if (!traps_run(child, NULL, SECONDS, place, &status))
        return;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        snprintf(place->why, sizeof place->why,
                 "the process that tries them was ended by signal %d",
                 WTERMSIG(status));
}
