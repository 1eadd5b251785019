/*
 * host/sandbox.c: the seccomp filter.
 *
 * Written out by hand: it begins by asking where a call comes from, which
 * libseccomp cannot ask, and libseccomp takes longer to make a filter of a few
 * rules than many a guest to run.
 *
 * A rule is a straight line: the number, then a test for each argument that is
 * checked, then ALLOW; a test that fails goes on with the next rule. What no
 * rule allows raises SIGSYS.
 */
#include "host/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/log.h"

#define MAX_INSTRUCTIONS 2560

struct filter {
    struct sock_filter code[MAX_INSTRUCTIONS];
    unsigned short len;
    unsigned short rule; /* where the current rule began */
    bool full;
};

void sandbox_allow(struct sandbox *sandbox, int nr, int64_t arg, int64_t arg2,
                   int64_t arg3)
{
    const unsigned i = sandbox->nr_rules;

    if (i == SANDBOX_MAX_RULES) /* then that call fails, which is safe */
        return;
    sandbox->rules[i].nr = nr;
    sandbox->rules[i].args[0] = arg;
    sandbox->rules[i].args[1] = arg2;
    sandbox->rules[i].args[2] = arg3;
    sandbox->nr_rules++;
}

void sandbox_allow_args(struct sandbox *sandbox, int nr, int arg, int64_t arg2)
{
    sandbox_allow(sandbox, nr, arg, arg2, SANDBOX_ANY);
}

void sandbox_allow_arg(struct sandbox *sandbox, int nr, int arg)
{
    sandbox_allow(sandbox, nr, arg, SANDBOX_ANY, SANDBOX_ANY);
}

static void emit(struct filter *f, uint16_t code, uint32_t k)
{
    if (f->len == MAX_INSTRUCTIONS) {
        f->full = true;
        return;
    }
    f->code[f->len++] = (struct sock_filter)BPF_STMT(code, k);
}

static void load(struct filter *f, size_t offset)
{
    emit(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/* Go on if A (op) k; otherwise leave the rule: end_rule fills in how far. */
static void require(struct filter *f, uint16_t op, uint32_t k)
{
    emit(f, (uint16_t)(BPF_JMP | op | BPF_K), k);
}

static size_t arg_low(unsigned n)
{
    return offsetof(struct seccomp_data, args) + 8ul * n;
}

static void begin_rule(struct filter *f, int nr)
{
    f->rule = f->len;
    load(f, offsetof(struct seccomp_data, nr));
    require(f, BPF_JEQ, (uint32_t)nr);
}

/* Argument (n), an int to the kernel, is (value). */
static void arg_is(struct filter *f, unsigned n, uint32_t value)
{
    load(f, arg_low(n));
    require(f, BPF_JEQ, value);
}

/* Argument (n), 64 bits, is below (limit), a multiple of 4 GiB. */
static void arg_below(struct filter *f, unsigned n, uint64_t limit)
{
    load(f, arg_low(n) + 4);
    emit(f, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(limit >> 32));
}

static void end_rule(struct filter *f, uint32_t action)
{
    emit(f, BPF_RET | BPF_K, action);
    for (unsigned short i = f->rule; i < f->len; i++) {
        struct sock_filter *insn = &f->code[i];
        const uint8_t out = (uint8_t)(f->len - i - 1);

        if (BPF_CLASS(insn->code) != BPF_JMP)
            continue;
        if (BPF_OP(insn->code) == BPF_JGE)
            insn->jt = out;
        else
            insn->jf = out;
    }
}

/* Calls from the guest's half of the address space are the guest's own. */
static void trap_calls_from_below(struct filter *f, uint64_t limit)
{
    f->rule = f->len;
    load(f, offsetof(struct seccomp_data, instruction_pointer) + 4);
    emit(f, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(limit >> 32));
    end_rule(f, SECCOMP_RET_TRAP);
}

/* No other system call table: int 0x80 has numbers of its own. */
static void only_this_machine(struct filter *f)
{
    load(f, offsetof(struct seccomp_data, arch));
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64);
    f->code[f->len - 1].jt = 1;
    emit(f, BPF_RET | BPF_K, SECCOMP_RET_TRAP);
}

/* Latest first: disks, which are used most, come last in a domain's making. */
static void allow_registered(struct filter *f, const struct sandbox *sandbox)
{
    for (unsigned i = sandbox->nr_rules; i-- > 0;) {
        begin_rule(f, sandbox->rules[i].nr);
        for (unsigned n = 0; n < SANDBOX_ARGS; n++)
            if (sandbox->rules[i].args[n] != SANDBOX_ANY)
                arg_is(f, n, (uint32_t)sandbox->rules[i].args[n]);
        end_rule(f, SECCOMP_RET_ALLOW);
    }
}

/* Calls without a descriptor, harmless from anywhere. */
static void allow_plain(struct filter *f)
{
    static const int calls[] = {
        SYS_ppoll,     SYS_poll,       SYS_clock_gettime,  SYS_rt_sigreturn,
        SYS_getrandom, SYS_exit_group, SYS_restart_syscall};

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        begin_rule(f, calls[i]);
        end_rule(f, SECCOMP_RET_ALLOW);
    }
}

/* malloc, when its arena is full, is told so instead of being killed. */
static void answer_malloc(struct filter *f)
{
    begin_rule(f, SYS_brk);
    end_rule(f, SECCOMP_RET_ERRNO | ENOMEM);
    begin_rule(f, SYS_mmap);
    arg_is(f, 4, UINT32_MAX);
    end_rule(f, SECCOMP_RET_ERRNO | ENOMEM);
}

/* The guest's own memory, at the guest's own addresses: its "TLB". */
static void allow_guest_mappings(struct filter *f, uint64_t va_end, int memfd)
{
    begin_rule(f, SYS_mmap);
    arg_below(f, 0, va_end);
    arg_below(f, 1, va_end);
    arg_is(f, 3, MAP_SHARED | MAP_FIXED);
    arg_is(f, 4, (uint32_t)memfd);
    end_rule(f, SECCOMP_RET_ALLOW);
    begin_rule(f, SYS_munmap);
    arg_below(f, 0, va_end);
    arg_below(f, 1, va_end);
    end_rule(f, SECCOMP_RET_ALLOW);
}

/* Frames given back: holes in the memfd, and nothing else of fallocate. */
static void allow_punching(struct filter *f, int memfd)
{
    begin_rule(f, SYS_fallocate);
    arg_is(f, 0, (uint32_t)memfd);
    arg_is(f, 1, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
    end_rule(f, SECCOMP_RET_ALLOW);
}

/* A build that looks for races calls the kernel for that, and is for tests. */
#if defined(__SANITIZE_THREAD__)
#define HAS_SANDBOX false
#else
#define HAS_SANDBOX true
#endif

/* Threads that are there already get it as well. */
static int load_filter(const struct sock_fprog *program, bool threads)
{
    long rc;

    if (!HAS_SANDBOX)
        return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -errno;
    if (!threads)
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program) ? -errno : 0;
    rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                 SECCOMP_FILTER_FLAG_TSYNC, program);
    if (rc < 0)
        return -errno;
    return rc ? -ESRCH : 0; /* a thread that has a filter of its own */
}

int sandbox_enter(const struct sandbox *sandbox,
                  const struct sandbox_engine *engine, int memfd)
{
    struct filter f;
    struct sock_fprog program = {.filter = f.code};
    int rc;

    f.len = 0;
    f.full = false;
    if (engine->trap_below)
        trap_calls_from_below(&f, engine->trap_below);
    only_this_machine(&f);
    allow_registered(&f, sandbox);
    allow_plain(&f);
    answer_malloc(&f);
    allow_punching(&f, memfd);
    if (engine->guest_va_end)
        allow_guest_mappings(&f, engine->guest_va_end, memfd);
    emit(&f, BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    program.len = f.len;

    if (f.full) {
        log_error("cannot enter the sandbox: %u rules are more than fit into "
                  "its filter: give the guest fewer devices",
                  sandbox->nr_rules);
        return -E2BIG;
    }
    rc = load_filter(&program, sandbox->threads);
    if (rc)
        log_error("cannot enter the sandbox: %s; see 'paravane doctor'",
                  strerror(-rc));
    return rc;
}
