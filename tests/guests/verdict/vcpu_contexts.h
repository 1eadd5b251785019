/*
 * What VCPUOP_initialise is given: a context of one kind or the other, good but
 * for one thing.
 */
#ifndef TESTS_GUESTS_VERDICT_VCPU_CONTEXTS_H
#define TESTS_GUESTS_VERDICT_VCPU_CONTEXTS_H

#include <xen/xen.h>

#include <xen/hvm/hvm_vcpu.h>
#include <xen/vcpu.h>

/* Of which vCPU each is. */
enum use {
    RUNS,    /* is brought up in the end */
    REFUSED, /* is offered what cannot be */
    USER_BASE,
    INFO,
    FIRST_ODD, /* and those behind: one odd context each */
    NR_USES = 8
};

#define ID(use) (1u + (use))

#define NON_CANONICAL 0x800000000000ul
#define RESERVED      0xffff800000000000ul

union context {
    struct vcpu_guest_context pv;
    struct vcpu_hvm_context hvm;
};
extern union context good, context;

/* (good) := one that begins at (entry). */
void make_good_pv(void (*entry)(void), void *stack_top);
void make_good_pvh(void (*entry)(void), void *stack_top);

/* (context) := (good), which is what it is before each of the others. */
void begin_with_good(void);

/* Say what comes of (context) for a vCPU that never gets one that is taken. */
void try_it(const char *what);

/* The same where it may be taken: for the vCPU FIRST_ODD + (index). */
void try_odd(unsigned index, const char *what);

/* All that are wrong. */
void try_pv_contexts(void);
void try_pvh_contexts(void);

#endif
