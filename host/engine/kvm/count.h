/*
 * host/engine/kvm/count.h: why a vCPU left its VM, counted: an exit is what
 * this engine pays for everything.
 */
#ifndef HOST_ENGINE_KVM_COUNT_H
#define HOST_ENGINE_KVM_COUNT_H

#include <stdint.h>

enum exit_kind {
    EXIT_HYPERCALL,
    EXIT_SYSCALL, /* of a user program */
    EXIT_PAGE_FAULT,
    EXIT_PROTECTION, /* #GP and #UD: most are to be emulated */
    EXIT_TRAP,       /* any other */
    EXIT_TABLES,     /* page tables written again in the middle of a call */
    EXIT_SIGNAL,     /* a timer's, or somebody wants something */
    EXIT_OTHER,
    EXIT_KINDS,
};

struct exit_counts {
    uint64_t nr[EXIT_KINDS];
    uint64_t by_helper; /* entries that went through ring 0 */
};

struct domain;
struct kvm_vm;

/* Say them in one line for each vCPU, under -v. */
void count_say(const struct domain *dom, const struct kvm_vm *vm);

#endif
