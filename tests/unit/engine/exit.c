/* A VM that a signal stopped, wherever it was. */
#include <criterion/criterion.h>

#include "host/engine/kvm/kvm.h"

static struct kvm_run run;
static struct kvm_vm vm;
static struct kvm_cpu cpu = {.run = &run, .vm = &vm};
static struct vcpu vcpu;

Test(interrupted, in_the_guest_its_registers_are_taken)
{
    run.s.regs.regs.rip = 0x400000;
    exit_interrupted(&cpu, &vcpu);
    cr_expect_not(cpu.in_stub);
    cr_expect_eq(vcpu.regs.rip, 0x400000);
}

Test(interrupted, in_the_stub_it_is_left_alone)
{
    run.s.regs.regs.rip = stub_code_va(stub_code);
    exit_interrupted(&cpu, &vcpu);
    cr_expect(cpu.in_stub);
    cr_expect_eq(vcpu.regs.rip, 0);
}

/* KVM may return when a trap has happened that it has not delivered yet. */
Test(interrupted, before_a_trap_it_is_left_alone)
{
    run.s.regs.regs.rip = 0x400000;
    run.s.regs.events.exception.injected = 1;
    exit_interrupted(&cpu, &vcpu);
    cr_expect(cpu.in_stub);
    cr_expect_eq(vcpu.regs.rip, 0);

    run.s.regs.events.exception.injected = 0;
    run.s.regs.events.exception.pending = 1;
    exit_interrupted(&cpu, &vcpu);
    cr_expect(cpu.in_stub);
}
