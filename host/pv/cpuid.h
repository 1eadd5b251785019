/*
 * host/pv/cpuid.h: what a PV kernel is not told of this CPU.
 */
#ifndef HOST_PV_CPUID_H
#define HOST_PV_CPUID_H

#include <stdint.h>

/*
 * Take out of (regs), EAX to EDX as the CPU answers (leaf, subleaf), what only
 * ring 0 could use, or needs page tables and MSRs that a PV domain has not. Xen
 * hides the same from one, for a kernel believes it: large pages above all.
 * Leaf 0xd becomes that of a CPU which saves nothing but what is left.
 */
void pv_hide_features(uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);

#endif
