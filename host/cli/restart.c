#include "host/cli/restart.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/log.h"

static const int handed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void watched_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    for (size_t i = 0; i < sizeof handed_on / sizeof *handed_on; i++)
        sigaddset(set, handed_on[i]);
}

/* The whole of one run, in the child. */
_Noreturn static void run_once(restart_fn run,
                               const struct domain_config *config,
                               const sigset_t *mask, pid_t parent, bool *again)
{
    bool once_more = false;
    int status;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(STATUS_HOST_TROUBLE);
    sigprocmask(SIG_SETMASK, mask, NULL);
    status = run(config, &once_more);
    __atomic_store_n(again, once_more, __ATOMIC_RELAXED);
    if (fflush(stdout))
        status = STATUS_HOST_TROUBLE;
    _exit(status);
}

/*
 * Until (child) has ended: its exit status. What a terminal sends goes to the
 * whole group, so only what somebody sent to us is handed on.
 */
static int wait_for_child(pid_t child, const sigset_t *watched)
{
    siginfo_t info;
    int status;

    while (waitpid(child, &status, WNOHANG) == 0)
        if (sigwaitinfo(watched, &info) > 0 && info.si_signo != SIGCHLD &&
            info.si_code <= 0)
            kill(child, info.si_signo);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int restart_while_asked(restart_fn run, const struct domain_config *config)
{
    bool *again = mmap(NULL, sizeof *again, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const pid_t self = getpid();
    sigset_t watched, before;
    int status = STATUS_HOST_TROUBLE;

    if (again == MAP_FAILED) {
        log_error("no memory to remember a reboot in: %m");
        return status;
    }
    watched_signals(&watched);
    sigprocmask(SIG_BLOCK, &watched, &before);
    do {
        pid_t child;

        *again = false;
        fflush(stdout);
        child = fork();
        if (child == 0)
            run_once(run, config, &before, self, again);
        if (child < 0) {
            log_error("cannot start a process for the guest: %m");
            status = STATUS_HOST_TROUBLE;
            break;
        }
        status = wait_for_child(child, &watched);
        if (__atomic_load_n(again, __ATOMIC_RELAXED))
            log_info("the guest reboots");
    } while (__atomic_load_n(again, __ATOMIC_RELAXED));
    munmap(again, sizeof *again);
    return status;
}
