/* host/sandbox.c: the seccomp filter, and where system calls may come from. */
#include "host/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/log.h"

/* A rule is a dozen at most. */
#define MAX_INSTRUCTIONS (SANDBOX_MAX_RULES * 16)

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

/*
 * libseccomp cannot ask where a call comes from, and it must be asked first:
 * calls from the guest's half of the address space go to the engine.
 */
static unsigned trap_calls_from_below(struct sock_filter *code, uint64_t limit)
{
    const struct sock_filter ask[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(limit >> 32), 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };

    if (!limit)
        return 0;
    memcpy(code, ask, sizeof ask);
    return sizeof ask / sizeof *ask;
}

/* The filter's instructions, appended at (code). Their number or -errno. */
static long export_filter(scmp_filter_ctx filter, struct sock_filter *code,
                          size_t room)
{
    int fds[2];
    long rc;

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
        return -errno;
    rc = seccomp_export_bpf(filter, fds[1]);
    if (rc == 0) {
        rc = read(fds[0], code, room * sizeof *code);
        rc = rc < 0 ? -errno : rc / (long)sizeof *code;
        if (rc == (long)room)
            rc = -E2BIG; /* perhaps there was more */
    }
    close(fds[0]);
    close(fds[1]);
    return rc;
}

static int install(scmp_filter_ctx filter, uint64_t trap_below)
{
    struct sock_filter code[MAX_INSTRUCTIONS];
    struct sock_fprog program = {.filter = code};
    unsigned len = trap_calls_from_below(code, trap_below);
    long rc = export_filter(filter, code + len, MAX_INSTRUCTIONS - len);

    if (rc < 0)
        return (int)rc;
    program.len = (unsigned short)(len + rc);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return -errno;
    return 0;
}

int sandbox_enter(const struct sandbox *sandbox,
                  const struct sandbox_engine *engine, int memfd)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int rc = -ENOMEM;

    if (filter)
        rc = allow_plain(filter);
    if (rc == 0)
        rc = allow_registered(filter, sandbox);
    if (rc == 0)
        rc = allow_punching(filter, memfd);
    if (rc == 0 && engine->guest_va_end)
        rc = allow_guest_mappings(filter, engine->guest_va_end, memfd);
    if (rc == 0)
        rc = install(filter, engine->trap_below);
    if (rc)
        log_error("cannot enter the sandbox: %s; see 'paravane doctor'",
                  strerror(-rc));
    if (filter)
        seccomp_release(filter);
    return rc;
}
