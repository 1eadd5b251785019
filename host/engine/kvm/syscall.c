/*
 * host/engine/kvm/syscall.c: SYSCALL, which the CPU takes to LSTAR or, from
 * 32-bit code, to CSTAR. There is one `out` each.
 */
#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/pv/bounce.h"

#define VECTOR_UD 6
#define VECTOR_PF 14

#define OUT_LENGTH     2
#define SYSCALL_LENGTH 2

/* vcpu->regs := those behind the instruction. */
static void go_behind(struct vcpu *vcpu, bool narrow)
{
    vcpu->regs.rip = vcpu->regs.rcx;
    vcpu->regs.rflags = vcpu->regs.r11;
    vcpu->regs.cs = narrow ? FLAT_USER_CS32 : FLAT_KERNEL_CS;
    vcpu->regs.ss = FLAT_KERNEL_SS;
}

static void serve(struct kvm_cpu *cpu, struct vcpu *vcpu, bool narrow)
{
    go_behind(vcpu, narrow);
    cpu->in_ring0 = true;
    if (!narrow)
        probe_note(cpu, vcpu);
    if (vcpu->user_mode || narrow) {
        cpu->counts.nr[EXIT_SYSCALL]++;
        bounce_syscall(vcpu);
    } else {
        exit_serve_hypercall(vcpu);
    }
}

void syscall_make(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    serve(cpu, vcpu, false);
}

bool syscall_serve(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const uint64_t at = vcpu->regs.rip - OUT_LENGTH;
    const bool narrow = at == stub_syscall_va(stub_syscall32);

    if (exit_serve_path(cpu, vcpu, at, false))
        return true;
    /* who jumps to our own code there gets what a jump to LSTAR leads to */
    if (!narrow && at != stub_entry_va(vcpu->id, stub_entry_out) &&
        at != stub_entry_va(vcpu->id, stub_probe_out) &&
        at != stub_syscall_va(stub_selectors_out))
        return false;
    serve(cpu, vcpu, narrow);
    return true;
}

bool syscall_serve_lost(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                        uint8_t vector)
{
    static const struct trap undefined = {.vector = VECTOR_UD};
    const struct stub_frame *frame = &cpu->stub->frame;

    if (vector != VECTOR_PF || !vcpu->user_mode ||
        frame->rip != (uint32_t)stub_syscall_va(stub_syscall32))
        return false;
    go_behind(vcpu, true);
    vcpu->regs.rip -= SYSCALL_LENGTH;
    vcpu->regs.rsp = frame->rsp;
    bounce_trap(vcpu, &undefined);
    return true;
}
