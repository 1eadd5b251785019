/*
 * host/sandbox.h: what the process may still ask of the kernel once a guest
 * runs: the security boundary of the process engine, and a second wall around
 * the others.
 *
 * Parts of the host say at creation which system call they need, and on which
 * descriptor; everything else is refused by a seccomp filter that the guest
 * cannot lift, even when it runs the shim's own instructions.
 */
#ifndef HOST_SANDBOX_H
#define HOST_SANDBOX_H

#include <stdint.h>

#define SANDBOX_MAX_RULES 96

struct sandbox {
    struct {
        int nr;       /* SYS_* */
        int arg;      /* the only first argument allowed */
        int64_t arg2; /* the only second argument, or -1: any */
    } rules[SANDBOX_MAX_RULES];
    unsigned nr_rules;
};

/* What the engine adds. */
struct sandbox_engine {
    uint64_t guest_va_end; /* the guest's memfd may be mapped below; 0: not */
    uint64_t trap_below;   /* all calls from below raise SIGSYS: they are the
                              guest's own; a multiple of 4 GiB, 0: none are */
};

/* Allow system call (nr) with (arg) as its first argument: a descriptor. */
void sandbox_allow_arg(struct sandbox *sandbox, int nr, int arg);
void sandbox_allow_args(struct sandbox *sandbox, int nr, int arg, int64_t arg2);

/* Close the door. 0, or -errno with a sentence logged. */
int sandbox_enter(const struct sandbox *sandbox,
                  const struct sandbox_engine *engine, int memfd);

#endif
