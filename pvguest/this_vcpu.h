/*
 * pvguest/this_vcpu.h: what the library keeps for each vCPU. (private)
 *
 * Until a second vCPU is started there is one record, found without looking;
 * from then on GS points at each vCPU's own.
 */
#ifndef PVGUEST_THIS_VCPU_H
#define PVGUEST_THIS_VCPU_H

/* Offsets that entry_x86_64.S uses. */
#define VCPU_BLOCK_SP 8
#define VCPU_INFO     16
#define VCPU_PREEMPT  24
#define VCPU_USER     64

#include "user_entry.h"

#ifndef __ASSEMBLY__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/vcpu.h>

struct spinlock;
struct thread;
struct timer;

struct guest_vcpu {
    struct guest_vcpu *self;
    void *block_sp;         /* where guest_block comes out */
    struct vcpu_info *info; /* the hypervisor's and ours */
    bool preempt;           /* upcalls between any two instructions */
    unsigned id;

    struct user_entry user; /* user.c */

    /* timer.c */
    struct timer *first_timer; /* to fire */
    uint64_t timer_programmed; /* what the hypervisor was told; 0: nothing */
    uint64_t timer_wanted;     /* what it is to be told; 0: nothing */
    bool timer_used;

    /* thread.c */
    struct thread *current;
    unsigned lock_depth; /* how often it holds the library's lock */
    struct thread *idle; /* has nothing to do, but a stack to do it on */
    bool idling;         /* looks for a thread to run */
    bool sleeping;       /* in the hypervisor, and nobody sent it an IPI */
    struct thread *gone; /* has ended: the next one buries it */
    uint64_t tls_loaded; /* what the FS base is */
    unsigned in_handler; /* depth of event handlers running */

    struct event_queues *queues; /* event_fifo.c */

    /* spinlock.c: what it sleeps for */
    struct spinlock *awaited;
    uint32_t awaited_ticket;
    evtchn_port_t kick_port;

    /* vcpu.c */
    evtchn_port_t ipi_port;
    bool up, initialised;
    void (*entry)(void *arg);
    void *arg;
    void *stack_top;
    void *data;
    void *abi_state; /* the ABI's own */
    bool runstate_told;

    struct vcpu_runstate_info runstate;
    struct vcpu_info own_info __attribute__((aligned(64)));
};

extern struct guest_vcpu guest_boot_vcpu;
extern struct guest_vcpu *guest_vcpus[]; /* VCPU_MAX; NULL: never started */
extern bool guest_smp;                   /* GS is valid on every vCPU */

/* lock.c: from the moment on that guest_smp is set, the lock is one. */
void lock_becomes_real(void);

/* schedule.c: the main thread is no longer alone; before that moment. */
void schedule_becomes_smp(void);

/* Of who runs this; not to be kept across anything that may wait. */
static inline struct guest_vcpu *this_vcpu(void)
{
    struct guest_vcpu *vcpu;

    if (!guest_smp)
        return &guest_boot_vcpu;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(vcpu));
    return vcpu;
}

/* Run what vcpu_start was given, again and again: where every ABI's own start
 * of a vCPU ends, on the stack it was given. */
_Noreturn void guest_vcpu_run(struct guest_vcpu *vcpu);

/*
 * entry_x86_64.S: leave the stack for the one that ends at (stack_top), and run
 * guest_vcpu_run there.
 */
_Noreturn void guest_vcpu_rerun(struct guest_vcpu *vcpu, void *stack_top);

#endif
#endif
