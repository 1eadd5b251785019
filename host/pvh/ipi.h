/*
 * host/pvh/ipi.h: what one vCPU of a PVH guest tells others by its local APIC:
 * interrupts, NMIs, and INIT and SIPI, by which a vCPU is started.
 */
#ifndef HOST_PVH_IPI_H
#define HOST_PVH_IPI_H

struct vcpu;

/* (vcpu) has written a command to its APIC, which has done its own part. */
void ipi_send(struct vcpu *vcpu);

#endif
