#include "host/engine/fault.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <ucontext.h>
#include <unistd.h>

#include "host/backend/console.h"
#include "host/log.h"

#define EXIT_HOST_TROUBLE 1

_Noreturn void fault_end(int signal, uint64_t rip, bool refused, uint64_t what)
{
    console_restore_terminal();
    log_error("internal error: signal %d at 0x%lx for %s 0x%lx; please report "
              "this",
              signal, rip, refused ? "system call" : "address", what);
    _exit(EXIT_HOST_TROUBLE);
}

static void on_fault(int signal, siginfo_t *info, void *opaque)
{
    const ucontext_t *context = opaque;
    const bool refused = signal == SIGSYS;

    fault_end(signal, (uint64_t)context->uc_mcontext.gregs[REG_RIP], refused,
              refused ? (uint64_t)info->si_syscall
                      : (uint64_t)(uintptr_t)info->si_addr);
}

int fault_watch(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};
    const struct sigaction action = {
        .sa_sigaction = on_fault,
        /* a second one, from the report itself, is the kernel's affair */
        .sa_flags = SA_SIGINFO | SA_RESETHAND,
    };

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], &action, NULL))
            return -errno;
    return 0;
}
