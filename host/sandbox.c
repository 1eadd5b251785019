/* host/sandbox.c: the seccomp filter, and where system calls may come from. */
#include "host/sandbox.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/prctl.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "host/log.h"

#define TASK_TOP 0x7ffffffff000u

void sandbox_allow_args(struct sandbox *sandbox, int nr, int arg, int64_t arg2)
{
    const unsigned i = sandbox->nr_rules;

    if (i == SANDBOX_MAX_RULES) /* then that call fails, which is safe */
        return;
    sandbox->rules[i].nr = nr;
    sandbox->rules[i].arg = arg;
    sandbox->rules[i].arg2 = arg2;
    sandbox->nr_rules++;
}

void sandbox_allow_arg(struct sandbox *sandbox, int nr, int arg)
{
    sandbox_allow_args(sandbox, nr, arg, -1);
}

#define ARG32(n, value) \
    SCMP_CMP32(n, SCMP_CMP_MASKED_EQ, 0xffffffff, (uint32_t)(value))

static int allow_registered(scmp_filter_ctx filter,
                            const struct sandbox *sandbox)
{
    int rc = 0;

    for (unsigned i = 0; i < sandbox->nr_rules && rc == 0; i++) {
        const int nr = sandbox->rules[i].nr, arg = sandbox->rules[i].arg;
        const int64_t arg2 = sandbox->rules[i].arg2;

        if (arg2 < 0)
            rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 1, ARG32(0, arg));
        else
            rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 2, ARG32(0, arg),
                                  ARG32(1, arg2));
        if (rc == -EEXIST)
            rc = 0;
    }
    return rc;
}

/* Calls without a descriptor, harmless from anywhere. */
static int allow_plain(scmp_filter_ctx filter)
{
    static const int calls[] = {SYS_rt_sigreturn,  SYS_exit_group,
                                SYS_ppoll,         SYS_poll,
                                SYS_clock_gettime, SYS_restart_syscall};
    int rc = 0;

    for (size_t i = 0; i < sizeof calls / sizeof *calls && rc == 0; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    /* malloc, when its arena is full, is told so instead of being killed. */
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOMEM), SYS_brk, 0);
    if (rc == 0)
        rc = seccomp_rule_add(
            filter, SCMP_ACT_ERRNO(ENOMEM), SYS_mmap, 1,
            SCMP_A4(SCMP_CMP_MASKED_EQ, 0xffffffff, 0xffffffff));
    return rc;
}

/* The guest's own memory, at the guest's own addresses: its "TLB". */
static int allow_guest_mappings(scmp_filter_ctx filter, uint64_t va_end,
                                int memfd)
{
    int rc;

    rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYS_mmap, 4,
                          SCMP_A0(SCMP_CMP_LT, va_end, 0),
                          SCMP_A1(SCMP_CMP_LT, va_end, 0),
                          ARG32(3, MAP_SHARED | MAP_FIXED), ARG32(4, memfd));
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYS_munmap, 2,
                              SCMP_A0(SCMP_CMP_LT, va_end, 0),
                              SCMP_A1(SCMP_CMP_LE, va_end, 0));
    return rc;
}

/* Frames given back: holes in the memfd, and nothing else of fallocate. */
static int allow_punching(scmp_filter_ctx filter, int memfd)
{
    return seccomp_rule_add(
        filter, SCMP_ACT_ALLOW, SYS_fallocate, 2, ARG32(0, memfd),
        ARG32(1, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE));
}

int sandbox_enter(const struct sandbox *sandbox,
                  const struct sandbox_engine *engine, int memfd)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    const char *step = "make the filter";
    int rc = -ENOMEM;

    if (!filter)
        goto fail;
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 1);
    rc = allow_plain(filter);
    if (rc == 0)
        rc = allow_registered(filter, sandbox);
    if (rc == 0)
        rc = allow_punching(filter, memfd);
    if (rc == 0 && engine->guest_va_end)
        rc = allow_guest_mappings(filter, engine->guest_va_end, memfd);
    if (rc)
        goto fail;

    step = "turn on syscall user dispatch";
    if (engine->dispatch_below &&
        prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
              engine->dispatch_below, TASK_TOP - engine->dispatch_below, NULL)) {
        rc = -errno;
        goto fail;
    }

    step = "load the filter";
    rc = seccomp_load(filter);
    if (rc)
        goto fail;
    seccomp_release(filter);
    return 0;

fail:
    log_error("cannot enter the sandbox: could not %s (error %d); see "
              "'paravane doctor'",
              step, rc);
    if (filter)
        seccomp_release(filter);
    return rc;
}
