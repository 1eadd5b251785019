/*
 * host/vcpu.h: one virtual CPU: what Xen would keep in struct vcpu.
 */
#ifndef HOST_VCPU_H
#define HOST_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/event_channel.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

#include "host/guest_access.h"
#include "host/memory.h"
#include "host/pvh/lapic.h"
#include "host/turn.h"

struct domain;

#define VCPU_GDT_FRAMES 14
#define VCPU_LDT_FRAMES 16

/* The general registers of a stopped guest, and how it would go on. */
struct regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint64_t rip, cs, rflags, rsp, ss; /* an iretq frame, in this order */
};

/*
 * In an initializer: what (r) has of the above but selectors and flags. Xen's
 * and KVM's structures have the same names for them.
 */
#define REGS_GENERAL(r)                                                 \
    .r15 = (r)->r15, .r14 = (r)->r14, .r13 = (r)->r13, .r12 = (r)->r12, \
    .rbp = (r)->rbp, .rbx = (r)->rbx, .r11 = (r)->r11, .r10 = (r)->r10, \
    .r9 = (r)->r9, .r8 = (r)->r8, .rax = (r)->rax, .rcx = (r)->rcx,     \
    .rdx = (r)->rdx, .rsi = (r)->rsi, .rdi = (r)->rdi, .rip = (r)->rip, \
    .rsp = (r)->rsp

/* What the guest registered with set_trap_table for one vector. */
struct trap_entry {
    uint64_t address; /* 0: none */
    uint16_t cs;
    uint8_t flags; /* bits 0-1 DPL, bit 2 mask events */
};

/* One of set_callbacks / callback_op. */
struct callback {
    uint64_t address;
    bool mask_events;
};

/* The timer that interrupts its guest code (host/engine/tick.h). */
struct tick {
    int timer; /* the kernel's number for it */
    bool exists;
    volatile uint64_t at; /* system time it is set for; 0: not set */
};

struct vcpu {
    struct domain *domain;
    unsigned id;
    bool up;
    bool initialised;  /* it has registers to begin with */
    bool initialising; /* they are looked at now, by another vCPU */
    struct turn_vcpu turn;
    struct tick tick;

    struct regs regs; /* valid while stopped or inside a hypercall that asked
                         for them (engine_sync_regs) */
    bool user_mode;   /* a PV guest's, entered by iret, left by a bounce; its
                         kernel and its user programs both run in ring 3 */
    uint64_t fs_base;
    uint64_t gs_base, gs_base_user; /* each in its own mode: vcpu_gs_base() */
    mfn_t cr3;                      /* the kernel L4 */
    mfn_t cr3_user;                 /* 0: none */
    uint64_t cr2;
    uint64_t flushed_at;  /* mem.flushes when it last forgot all */
    unsigned nr_tables;   /* whole ones it took or put, for its turns */
    bool tables_at_once;  /* nobody else runs yet */
    struct paging paging; /* of a PVH guest, instead of these */
    bool in_32bit;        /* a PVH guest calls from 32-bit code */
    bool interrupts_off;  /* and with RFLAGS.IF clear */

    struct trap_entry traps[256];
    struct callback event, failsafe, syscall, syscall32, sysenter;
    bool nmi_pending; /* somebody sent one; to be bounced before events */
    bool nmi_blocked; /* the guest handles one, until its iret */
    uint64_t kernel_ss, kernel_sp;

    bool ts;      /* CR0.TS as the guest sees it */
    uint64_t cr4; /* what the guest itself set of CR4 */
    uint64_t debugreg[8];
    mfn_t gdt[VCPU_GDT_FRAMES]; /* typed TYPE_DESC while installed */
    unsigned nr_gdt_entries;
    uint64_t ldt_base;
    unsigned nr_ldt_entries;
    mfn_t
        ldt[VCPU_LDT_FRAMES]; /* those that were used, typed TYPE_DESC; or 0 */
    bool reload;       /* others ran: its data segments are loaded anew */
    unsigned iopl;     /* virtual */
    uint64_t iobitmap; /* guest va of the port permissions, 0: none */
    unsigned nr_ioports;

    struct vcpu_info *info; /* host view of where the guest keeps it */
    bool info_registered;
    uint64_t runstate_area;             /* guest va, 0: none */
    uint64_t time_area;                 /* guest va, 0: none */
    struct vcpu_runstate_info runstate; /* host/runstate.h */
    int schedstat_fd;                   /* of its thread; 0: none */
    bool runstate_watched;              /* by the guest */
    uint64_t waited_ns;                 /* for a CPU, up to state_entry_time */

    uint64_t singleshot_ns; /* system time; 0: off */
    uint64_t periodic_ns;   /* period; 0: off */
    uint64_t next_tick_ns;

    /* HVMOP_set_evtchn_upcall_vector: */
    uint8_t upcall_vector; /* 0: none, see domain.hvm */
    bool upcall_raised;    /* pending went from 0 to 1, the APIC not told yet */
    struct lapic lapic;    /* of a PVH guest */

    /* while in SCHEDOP_poll; the array belongs to that call */
    const evtchn_port_t *poll_ports;
    unsigned nr_poll_ports;
    bool poll_past_upcall; /* one that cannot be taken does not end it */
    uint32_t virq_port[NR_VIRQS];

    void *engine_vcpu; /* the engine's own record */
};

/* The L4 by which a PV guest's addresses are translated now. */
static inline mfn_t vcpu_root(const struct vcpu *vcpu)
{
    return vcpu->user_mode ? vcpu->cr3_user : vcpu->cr3;
}

/* The GS base in use. */
static inline uint64_t *vcpu_gs_base(struct vcpu *vcpu)
{
    return vcpu->user_mode ? &vcpu->gs_base_user : &vcpu->gs_base;
}

/*
 * Set (vcpu), zero but for what the builder set, to what Xen gives a new one:
 * vCPU 0 of (dom) up and running, its upcalls masked, the periodic timer at
 * 10 ms, its time published. vcpu->info is where shared_info has it;
 * dom->shared and dom->clock must be there.
 */
void vcpu_create(struct vcpu *vcpu, struct domain *dom, unsigned id);

/*
 * Is there an event that ends a sleep? A PV guest takes it at its next
 * instruction; whether a PVH guest does is between it and its CPU.
 */
bool vcpu_event_deliverable(const struct vcpu *vcpu);

/* Is there one, or an NMI to take? */
bool vcpu_has_to_wake(const struct vcpu *vcpu);

/* Write the clock's line to vcpu_info and the area the guest registered. */
void vcpu_publish_time(struct vcpu *vcpu);

/*
 * The earliest system time at which vcpu_run_timers has something to do;
 * UINT64_MAX for never. The periodic timer counts only while the vCPU runs.
 * vcpu_run_timers raises VIRQ_TIMER for what is due, and crashes a domain
 * whose watchdog expired.
 */
uint64_t vcpu_next_deadline(const struct vcpu *vcpu);
void vcpu_run_timers(struct vcpu *vcpu, uint64_t now_ns);

#endif
