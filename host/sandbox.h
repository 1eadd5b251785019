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

#include <stdbool.h>
#include <stdint.h>

#define SANDBOX_MAX_RULES 256
#define SANDBOX_ARGS      3
#define SANDBOX_ANY       INT64_MIN

struct sandbox {
    struct {
        int nr;                     /* SYS_* */
        int64_t args[SANDBOX_ARGS]; /* the only ones, 32 bits; SANDBOX_ANY */
    } rules[SANDBOX_MAX_RULES];
    unsigned nr_rules;
    bool threads; /* there are several: the filter is for all */
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

/* The same with up to three arguments checked, or none. */
void sandbox_allow(struct sandbox *sandbox, int nr, int64_t arg, int64_t arg2,
                   int64_t arg3);

/* Close the door. 0, or -errno with a sentence logged. */
int sandbox_enter(const struct sandbox *sandbox,
                  const struct sandbox_engine *engine, int memfd);

#endif
