/*
 * host/pv/emulate.h: the instructions Xen carries out for a PV kernel that
 * cannot execute them in ring 3, the same on every engine.
 */
#ifndef HOST_PV_EMULATE_H
#define HOST_PV_EMULATE_H

#include <stdbool.h>
#include <stdint.h>

/* Xen's CPUID leaves. */
#define EMULATE_FIRST_LEAF 0x40000000u
#define EMULATE_NR_LEAVES  6u

struct trap;
struct vcpu;

/*
 * (trap) is what stopped vcpu->regs; vcpu->fs_base and gs_base are what they
 * are in the CPU. Returns true if the instruction was carried out: RIP moved
 * on, or another trap was delivered. False: deliver (trap).
 */
bool emulate(struct vcpu *vcpu, const struct trap *trap);

/* The domain's view of CPUID, as EAX, EBX, ECX, EDX. */
void emulate_leaf(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

#endif
