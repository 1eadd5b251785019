/*
 * host/engine/kvm/probe.c: are the stub's short paths of use here? Only where
 * the CPU itself runs ring 0 and walks the page tables that the host writes.
 * What is asked, in the guest's own VM, is what they depend on: that behind
 * SYSCALL there is ring 0, and that it sees another entry of its tables once it
 * has loaded CR3. It takes two exits, and is done when the first program calls
 * its kernel or interrupts have become many: most guests never pay.
 */
#include "host/config.h"
#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/log.h"

#define MANY_IRETS 8

/* What ring 0 finds in the second word of (shown). */
static bool ask(struct kvm_cpu *cpu, struct vcpu *vcpu, const void *shown,
                uint64_t *word)
{
    const struct kvm_regs *regs = &cpu->run->s.regs.regs;
    bool answered;

    stub_show_spare(&cpu->vm->stub, vcpu->id, shown);
    stub_lead_to(cpu->stub, stub_probe);
    answered = enter_own(cpu, vcpu, stub_syscall_va(stub_ask),
                         stub_entry_va(vcpu->id, stub_probe_out));
    stub_lead_to(cpu->stub, stub_entry_out);
    *word = regs->rcx;
    return answered && (uint16_t)regs->rax == STUB_CS;
}

static enum paths probe(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    uint64_t word;

    /* of the deputy, that is known already */
    if (cpu->vm->stub.has_deputy || !ask(cpu, vcpu, cpu->stub->gdt, &word)) {
        log_info("no short paths: ring 0 of this KVM is not the CPU's own");
        return PATHS_NONE;
    }
    if (word == cpu->stub->gdt[1] && ask(cpu, vcpu, &cpu->stub->path, &word) &&
        word == cpu->stub->path.may_iret) {
        log_info("system calls and irets are served inside of the VM");
        return PATHS_USED;
    }
    log_info("no short paths: this KVM shadows page tables");
    return PATHS_NONE;
}

void probe_note(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    struct kvm_vm *vm = cpu->vm;

    if (vm->paths != PATHS_UNKNOWN)
        return;
    if (!vcpu->user_mode && ((uint32_t)vcpu->regs.rax != __HYPERVISOR_iret ||
                             ++cpu->nr_could < MANY_IRETS))
        return;
    vm->paths = PATHS_NONE;
    if (vcpu->domain->config->no_short_paths)
        return;
    vm->paths = probe(cpu, vcpu);
}
