/*
 * host/pvh/cpuid.h: what a PVH guest's CPUID says beyond what KVM offers.
 */
#ifndef HOST_PVH_CPUID_H
#define HOST_PVH_CPUID_H

#include <stdint.h>

/* Xen's leaves, and the MSR at which a hypercall page is asked for. */
#define PVH_FIRST_LEAF    0x40000000u
#define PVH_NR_LEAVES     6u
#define PVH_HYPERCALL_MSR 0x40000000u

/*
 * Xen's leaf (index), of PVH_NR_LEAVES, as EAX, EBX, ECX, EDX, for vCPU (id).
 */
void pvh_xen_leaf(uint32_t index, unsigned id, uint32_t out[4]);

/*
 * (regs), EAX to EDX as KVM offers them for (leaf, subleaf), become those of
 * vCPU (id): a package of one CPU with a plain local APIC, under a hypervisor,
 * which does not offer to be one itself.
 */
void pvh_adjust_leaf(uint32_t leaf, uint32_t subleaf, unsigned id,
                     uint32_t regs[4]);

#endif
