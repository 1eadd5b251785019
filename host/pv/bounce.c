/* host/pv/bounce.c: frames pushed on a PV guest's stack, and taken back. */
#include "host/pv/bounce.h"

#include <stddef.h>

#include <xen/xen.h>

#include "host/domain.h"
#include "host/guest_access.h"

#define VECTOR_NMI 2
#define VECTOR_NM  7
#define VECTOR_PF  14

#define RFLAGS_FIXED 0x002u
#define RFLAGS_TF    0x100u
#define RFLAGS_IF    0x200u
#define RFLAGS_IOPL  0x3000u
#define RFLAGS_NT    0x4000u
#define RFLAGS_RF    0x10000u
#define RFLAGS_VM    0x20000u
#define RFLAGS_AC    0x40000u

#define CLEARED_AT_ENTRY \
    (RFLAGS_TF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC)

/* trap_info.flags (xen/arch-x86/xen.h): TI_GET_IF */
#define TRAP_MASKS_EVENTS 4u

#define HYPERVISOR_START 0xffff800000000000u
#define HYPERVISOR_END   0xffff880000000000u

static bool in_hypervisor_hole(uint64_t va)
{
    return va >= HYPERVISOR_START && va < HYPERVISOR_END;
}

/*
 * Push the frame (xen-abi: RCX, R11, an error code if there is one, RIP, CS
 * with the upcall mask above it, RFLAGS, RSP, SS) and enter (handler). 0, or
 * -EFAULT: nothing changed but perhaps bytes below the guest's stack.
 */
static int push_frame(struct vcpu *vcpu, uint64_t handler, bool has_error,
                      uint32_t error)
{
    struct regs *r = &vcpu->regs;
    const uint8_t mask = vcpu->info->evtchn_upcall_mask;
    uint64_t frame[8], sp = r->rsp & ~UINT64_C(15);
    size_t n = 0;
    int rc;

    frame[n++] = r->rcx;
    frame[n++] = r->r11;
    if (has_error)
        frame[n++] = error;
    frame[n++] = r->rip;
    /* RPL 0 says that the kernel was interrupted */
    frame[n++] = (r->cs & 0xfffc) | (uint64_t)(mask != 0) << 32;
    frame[n++] = (r->rflags & ~(uint64_t)(RFLAGS_IF | RFLAGS_IOPL)) |
                 (mask ? 0 : RFLAGS_IF) | RFLAGS_FIXED;
    frame[n++] = r->rsp;
    frame[n++] = r->ss;

    sp -= n * sizeof *frame;
    if (in_hypervisor_hole(sp))
        return -1;
    rc = guest_write(vcpu, guest_addr(sp), frame, n * sizeof *frame);
    if (rc)
        return rc;
    r->rcx = r->rip; /* what SYSRET would leave behind */
    r->r11 = r->rflags;
    r->rsp = sp;
    r->rip = handler;
    r->cs = FLAT_KERNEL_CS;
    r->ss = FLAT_KERNEL_SS;
    r->rflags &= ~(uint64_t)CLEARED_AT_ENTRY;
    return 0;
}

void bounce_trap(struct vcpu *vcpu, const struct trap *trap)
{
    const struct trap_entry *entry = &vcpu->traps[trap->vector];

    if (trap->vector == VECTOR_PF) {
        vcpu->cr2 = trap->cr2;
        vcpu->info->arch.cr2 = trap->cr2;
    } else if (trap->vector == VECTOR_NM) {
        vcpu->ts = false; /* the handler needs no CLTS */
    }
    if (!entry->address) {
        domain_crash(vcpu,
                     "trap %u (error code 0x%x, address 0x%lx) and the guest "
                     "has no handler for it",
                     trap->vector, trap->error, trap->cr2);
        return;
    }
    if (push_frame(vcpu, entry->address, trap->has_error, trap->error)) {
        domain_crash(vcpu,
                     "trap %u (error code 0x%x, address 0x%lx) and the guest's "
                     "stack at 0x%lx cannot take its frame",
                     trap->vector, trap->error, trap->cr2, vcpu->regs.rsp);
        return;
    }
    if (entry->flags & TRAP_MASKS_EVENTS)
        vcpu->info->evtchn_upcall_mask = 1;
}

/* One at a time: the next waits for the iret hypercall. */
static bool nmi_is_due(const struct vcpu *vcpu)
{
    return vcpu->nmi_pending && !vcpu->nmi_blocked;
}

/* Without a handler it is lost. */
static void bounce_nmi(struct vcpu *vcpu)
{
    const struct trap_entry *entry = &vcpu->traps[VECTOR_NMI];

    vcpu->nmi_pending = false;
    if (!entry->address)
        return;
    if (push_frame(vcpu, entry->address, false, 0)) {
        domain_crash(vcpu,
                     "an NMI came and the guest's stack at 0x%lx cannot take "
                     "its frame",
                     vcpu->regs.rsp);
        return;
    }
    vcpu->nmi_blocked = true;
    if (entry->flags & TRAP_MASKS_EVENTS)
        vcpu->info->evtchn_upcall_mask = 1;
}

bool bounce_is_due(const struct vcpu *vcpu)
{
    return vcpu_event_deliverable(vcpu) || nmi_is_due(vcpu);
}

void bounce_event(struct vcpu *vcpu)
{
    if (nmi_is_due(vcpu))
        bounce_nmi(vcpu);
    if (!vcpu_event_deliverable(vcpu))
        return;
    if (!vcpu->event.address) {
        domain_crash(vcpu, "an event is pending and unmasked, but the guest "
                           "registered no event callback");
        return;
    }
    if (push_frame(vcpu, vcpu->event.address, false, 0)) {
        domain_crash(vcpu,
                     "an event is pending and the guest's stack at 0x%lx "
                     "cannot take its frame",
                     vcpu->regs.rsp);
        return;
    }
    vcpu->info->evtchn_upcall_mask = 1;
}

void bounce_iret(struct vcpu *vcpu)
{
    struct regs *r = &vcpu->regs;
    struct iret_context frame; /* xen/arch-x86/xen-x86_64.h */

    if (guest_read(vcpu, guest_addr(r->rsp), &frame, sizeof frame)) {
        domain_crash(vcpu, "the iret hypercall's frame at 0x%lx cannot be read",
                     r->rsp);
        return;
    }
    if ((frame.cs & 3) == 3) {
        domain_crash(vcpu,
                     "the iret hypercall asks for user mode (CS 0x%lx), "
                     "which this engine does not run",
                     frame.cs);
        return;
    }
    vcpu->nmi_blocked = false;
    r->rax = frame.rax;
    r->r11 = frame.r11;
    r->rcx = frame.rcx;
    r->rip = frame.rip;
    r->cs = (frame.cs & 0xffff) | 3;
    r->ss = (frame.ss & 0xffff) | 3;
    r->rsp = frame.rsp;
    r->rflags = (frame.rflags & ~(uint64_t)(RFLAGS_VM | RFLAGS_IOPL)) |
                RFLAGS_IF | RFLAGS_FIXED;
    vcpu->info->evtchn_upcall_mask = !(frame.rflags & RFLAGS_IF);
}
