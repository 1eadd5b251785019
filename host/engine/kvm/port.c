/*
 * host/engine/kvm/port.c: what a guest does to the engine's port beside making
 * hypercalls with it. It gets what every port gives it, as if that were closed.
 */
#include <string.h>

#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/guest_access.h"
#include "host/pv/bounce.h"

#define VECTOR_GP 13

#define OUT_IMM8      0xe6 /* and the port */
#define OUT_IMM8_LONG 0xe7

static const struct trap protection = {.vector = VECTOR_GP, .has_error = true};

/*
 * The port is open to user programs as well, because some KVM runs LSTAR's
 * code in ring 3. RIP is behind the instruction already.
 */
void port_refuse_out(struct vcpu *vcpu)
{
    uint8_t code[2] = {0, 0};

    vcpu->regs.rip -= sizeof code; /* by its number, or else by DX */
    guest_read(vcpu, guest_addr(vcpu->regs.rip), code, sizeof code);
    if (code[0] != OUT_IMM8 && code[0] != OUT_IMM8_LONG)
        vcpu->regs.rip++;
    exit_serve_trap(vcpu, &protection);
}

/*
 * A read is under way until KVM is given the answer: it gets one and stops
 * before the next instruction, and what it made of the registers is dropped.
 */
void port_refuse_in(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    struct kvm_run *run = cpu->run;
    const size_t size = (size_t)run->io.size * run->io.count;

    memset((uint8_t *)run + run->io.data_offset, 0xff, size);
    run->immediate_exit = 1;
    enter_run(cpu);
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    exit_serve_trap(vcpu, &protection);
}
