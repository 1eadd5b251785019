/* host/pv/iret.c: the iret hypercall, the only way into user mode. */
#include <stdint.h>

#include <xen/xen.h>

#include "host/domain.h"
#include "host/guest_access.h"
#include "host/pv/bounce.h"
#include "host/pv/mode.h"

#define RPL_MASK 3u

#define RFLAGS_FIXED 0x00002u
#define RFLAGS_IF    0x00200u
#define RFLAGS_IOPL  0x03000u
#define RFLAGS_VM    0x20000u

#define IOPL_SHIFT 12

/* What SYSRET leaves behind, to one of the two flat code segments. */
static void return_as_sysret(struct regs *r)
{
    r->rcx = r->rip;
    r->r11 = r->rflags;
    r->cs = (uint16_t)r->cs == FLAT_USER_CS32 ? FLAT_USER_CS32 : FLAT_USER_CS64;
    r->ss = FLAT_USER_SS64;
}

static void take_frame(struct vcpu *vcpu, const struct iret_context *frame)
{
    struct regs *r = &vcpu->regs;

    r->rax = frame->rax;
    r->rip = frame->rip;
    r->cs = (frame->cs & 0xffff) | RPL_MASK;
    r->ss = (frame->ss & 0xffff) | RPL_MASK;
    r->rsp = frame->rsp;
    r->rflags = (frame->rflags & ~(uint64_t)(RFLAGS_VM | RFLAGS_IOPL)) |
                RFLAGS_IF | RFLAGS_FIXED;
    if (!(frame->flags & VGCF_in_syscall)) {
        r->r11 = frame->r11;
        r->rcx = frame->rcx;
    } else if (va_is_canonical(frame->rip)) {
        return_as_sysret(r);
    } else { /* SYSRET would fault in ring 0: left to IRET, as in Xen */
        r->rcx = r->rip;
        r->r11 = r->rflags;
    }
}

/* Can the guest go to user mode, by (cs)? If not, it crashed. */
static bool may_leave(struct vcpu *vcpu, uint64_t cs)
{
    if (!vcpu->cr3_user) {
        domain_crash(vcpu,
                     "the iret hypercall asks for user mode (CS 0x%lx) without "
                     "page tables for it: set them with "
                     "MMUEXT_NEW_USER_BASEPTR",
                     cs);
        return false;
    }
    return true;
}

void bounce_iret(struct vcpu *vcpu)
{
    const struct domain *dom = vcpu->domain;
    struct iret_context frame; /* xen/arch-x86/xen-x86_64.h */

    if (guest_read(vcpu, guest_addr(vcpu->regs.rsp), &frame, sizeof frame)) {
        domain_crash(vcpu, "the iret hypercall's frame at 0x%lx cannot be read",
                     vcpu->regs.rsp);
        return;
    }
    if ((frame.cs & RPL_MASK) == RPL_MASK) {
        if (!may_leave(vcpu, frame.cs))
            return;
        mode_toggle(vcpu);
    }
    if (dom->vm_assist >> VMASST_TYPE_architectural_iopl & 1)
        vcpu->iopl = (unsigned)((frame.rflags & RFLAGS_IOPL) >> IOPL_SHIFT);
    vcpu->nmi_blocked = false;
    take_frame(vcpu, &frame);
    vcpu->info->evtchn_upcall_mask = !(frame.rflags & RFLAGS_IF);
}
