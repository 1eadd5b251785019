/*
 * host/pv/mode.h: a PV guest's kernel and its user programs. Both run in ring
 * 3, each on page tables and with a GS base of its own; that the kernel is not
 * in the tables of user mode is what protects it.
 */
#ifndef HOST_PV_MODE_H
#define HOST_PV_MODE_H

struct vcpu;

/* From the mode it is in to the other: tables and GS base follow. */
void mode_toggle(struct vcpu *vcpu);

#endif
