/*
 * host/engine/kvm/control.c: the guest's own part of the control registers, its
 * debug registers and its FPU. All are the vCPU's while it runs: KVM and the
 * CPU do what they say.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/fxsave.h"
#include "host/engine/kvm/kvm.h"

#define CR0_TS 0x8u

/* What works in ring 3 by itself: TSD, DE, FSGSBASE. */
#define CR4_OWN 0x1000cu

#define DR6_NOTHING 0xffff0ff0u
#define DR7_NOTHING 0x400u

void control_load(struct kvm_cpu *cpu, const struct vcpu *vcpu)
{
    struct kvm_sregs *s = &cpu->run->s.regs.sregs;
    const uint64_t cr0 = (s->cr0 & ~(uint64_t)CR0_TS) | (vcpu->ts ? CR0_TS : 0);
    const uint64_t cr4 = (s->cr4 & ~(uint64_t)CR4_OWN) | (vcpu->cr4 & CR4_OWN);

    if (s->cr0 != cr0 || s->cr4 != cr4) {
        s->cr0 = cr0;
        s->cr4 = cr4;
        cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
    }
    if (cpu->new_debug)
        control_arm(cpu, vcpu);
}

/* A KVM that will not have them leaves the guest without: it can still run. */
void control_arm(struct kvm_cpu *cpu, const struct vcpu *vcpu)
{
    struct kvm_debugregs regs = {.dr6 = DR6_NOTHING, .dr7 = DR7_NOTHING};

    cpu->new_debug = false;
    if (!cpu->armed && !cpu->dr6_used && !debugreg_is_armed(vcpu))
        return;
    cpu->dr6_used = false; /* the CPU only ever adds to it */
    cpu->armed = debugreg_is_armed(vcpu);
    if (cpu->armed) {
        memcpy(regs.db, vcpu->debugreg, sizeof regs.db);
        regs.dr7 = debugreg_armed(vcpu);
    }
    (void)ioctl(cpu->fd, KVM_SET_DEBUGREGS, &regs);
}

void control_note_debug(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    struct kvm_debugregs regs;

    if (ioctl(cpu->fd, KVM_GET_DEBUGREGS, &regs))
        return;
    debugreg_note_trap(vcpu, regs.dr6);
    cpu->dr6_used = true;
    cpu->new_debug = true;
}

/* A KVM that will not have it leaves the vCPU as it was made. */
void control_set_fpu(struct vcpu *vcpu, const void *fxsave)
{
    struct kvm_xsave xsave = {0};

    fxsave_to_xsave((uint8_t *)xsave.region, fxsave);
    (void)ioctl(kvm_cpu_of(vcpu)->fd, KVM_SET_XSAVE, &xsave);
}
