/* host/pv/bounce.c: frames pushed on a PV guest's stack. */
#include "host/pv/bounce.h"

#include <errno.h>
#include <stddef.h>

#include <xen/xen.h>

#include "host/domain.h"
#include "host/guest_access.h"
#include "host/pv/mode.h"

#define VECTOR_NMI 2
#define VECTOR_UD  6
#define VECTOR_NM  7
#define VECTOR_GP  13
#define VECTOR_PF  14

#define RFLAGS_FIXED 0x002u
#define RFLAGS_TF    0x100u
#define RFLAGS_IF    0x200u
#define RFLAGS_DF    0x400u
#define RFLAGS_IOPL  0x3000u
#define RFLAGS_NT    0x4000u
#define RFLAGS_RF    0x10000u
#define RFLAGS_VM    0x20000u
#define RFLAGS_AC    0x40000u

#define CLEARED_AT_ENTRY \
    (RFLAGS_TF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC)

#define IOPL_SHIFT     12
#define SYSCALL_LENGTH 2

/* Words of a frame that not all have: DS, ES, FS, GS, or an error code. */
#define MAX_MORE 4

/* trap_info.flags (xen/arch-x86/xen.h): TI_GET_IF */
#define TRAP_MASKS_EVENTS 4u

#define HYPERVISOR_START 0xffff800000000000u
#define HYPERVISOR_END   0xffff880000000000u

static bool in_hypervisor_hole(uint64_t va)
{
    return va >= HYPERVISOR_START && va < HYPERVISOR_END;
}

/* RFLAGS as frames have them: IF says whether upcalls are allowed. */
static uint64_t shown_rflags(const struct vcpu *vcpu)
{
    const bool architectural =
        vcpu->domain->vm_assist >> VMASST_TYPE_architectural_iopl & 1;

    return (vcpu->regs.rflags & ~(uint64_t)(RFLAGS_IF | RFLAGS_IOPL)) |
           (vcpu->info->evtchn_upcall_mask ? 0 : RFLAGS_IF) |
           (architectural ? (uint64_t)vcpu->iopl << IOPL_SHIFT : 0) |
           RFLAGS_FIXED;
}

/*
 * Push the frame (xen-abi: RCX, R11, (more) if there is, RIP, CS with the
 * upcall mask above it, RFLAGS, RSP, SS) and enter (handler): on the stack in
 * use if that is the kernel's, else on the one that it named for this. 0, or
 * -EFAULT: nothing changed but perhaps bytes below the guest's stack.
 */
static int push_frame_with(struct vcpu *vcpu, uint64_t handler,
                           const uint64_t *more, size_t nr_more)
{
    struct regs *r = &vcpu->regs;
    const uint8_t mask = vcpu->info->evtchn_upcall_mask;
    const bool from_user = vcpu->user_mode;
    uint64_t frame[7 + MAX_MORE];
    uint64_t sp = (from_user ? vcpu->kernel_sp : r->rsp) & ~UINT64_C(15);
    size_t n = 0;
    int rc;

    frame[n++] = r->rcx;
    frame[n++] = r->r11;
    for (size_t i = 0; i < nr_more; i++)
        frame[n++] = more[i];
    frame[n++] = r->rip;
    /* RPL 0 says that the kernel was interrupted */
    frame[n++] = (r->cs & (from_user ? 0xffff : 0xfffc)) | (uint64_t)(mask != 0)
                                                               << 32;
    frame[n++] = shown_rflags(vcpu);
    frame[n++] = r->rsp;
    frame[n++] = r->ss;

    sp -= n * sizeof *frame;
    if (in_hypervisor_hole(sp))
        return -EFAULT;
    if (from_user)
        mode_toggle(vcpu);
    rc = guest_write(vcpu, guest_addr(sp), frame, n * sizeof *frame);
    if (rc && from_user)
        mode_toggle(vcpu);
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

static int push_frame(struct vcpu *vcpu, uint64_t handler, bool has_error,
                      uint32_t error)
{
    const uint64_t more[] = {error};

    return push_frame_with(vcpu, handler, more, has_error);
}

/* Where a frame would go, for those who say that it cannot. */
static uint64_t stack(const struct vcpu *vcpu)
{
    return vcpu->user_mode ? vcpu->kernel_sp : vcpu->regs.rsp;
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
                     trap->vector, trap->error, trap->cr2, stack(vcpu));
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
                     stack(vcpu));
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
                     stack(vcpu));
        return;
    }
    vcpu->info->evtchn_upcall_mask = 1;
}

void bounce_failsafe(struct vcpu *vcpu, const uint16_t selectors[4])
{
    const uint64_t more[MAX_MORE] = {selectors[0], selectors[1], selectors[2],
                                     selectors[3]};

    if (!vcpu->failsafe.address) {
        domain_crash(vcpu, "a data segment could not be loaded again and the "
                           "guest registered no failsafe callback");
        return;
    }
    if (push_frame_with(vcpu, vcpu->failsafe.address, more, MAX_MORE)) {
        domain_crash(vcpu,
                     "a data segment could not be loaded again and the guest's "
                     "stack at 0x%lx cannot take the frame",
                     stack(vcpu));
        return;
    }
    if (vcpu->failsafe.mask_events)
        vcpu->info->evtchn_upcall_mask = 1;
}

/* Enter (callback), which is there, for an instruction of a user program. */
static void enter_callback(struct vcpu *vcpu, const struct callback *callback)
{
    if (push_frame(vcpu, callback->address, false, 0)) {
        domain_crash(vcpu,
                     "a user program called its kernel, whose stack at 0x%lx "
                     "cannot take the frame",
                     stack(vcpu));
        return;
    }
    vcpu->regs.rflags &= ~(uint64_t)RFLAGS_DF;
    if (callback->mask_events)
        vcpu->info->evtchn_upcall_mask = 1;
}

void bounce_syscall(struct vcpu *vcpu)
{
    static const struct trap undefined = {.vector = VECTOR_UD};
    const bool narrow = (uint16_t)vcpu->regs.cs == FLAT_USER_CS32;

    if (narrow && vcpu->syscall32.address) {
        enter_callback(vcpu, &vcpu->syscall32);
    } else if (vcpu->syscall.address) {
        enter_callback(vcpu, &vcpu->syscall);
    } else {
        vcpu->regs.rip -= SYSCALL_LENGTH;
        bounce_trap(vcpu, &undefined);
    }
}

void bounce_sysenter(struct vcpu *vcpu)
{
    static const struct trap protection = {.vector = VECTOR_GP,
                                           .has_error = true};

    if (vcpu->sysenter.address)
        enter_callback(vcpu, &vcpu->sysenter);
    else
        bounce_trap(vcpu, &protection);
}
