/*
 * host/pv/emulate.h: the instructions Xen carries out for a PV kernel that
 * cannot execute them in ring 3.
 */
#ifndef HOST_PV_EMULATE_H
#define HOST_PV_EMULATE_H

#include <stdbool.h>

struct trap;
struct vcpu;

/*
 * (trap) is the #GP or #UD that stopped vcpu->regs. Returns true if the
 * instruction was carried out and RIP moved on; false: deliver the trap.
 */
bool emulate(struct vcpu *vcpu, const struct trap *trap);

#endif
