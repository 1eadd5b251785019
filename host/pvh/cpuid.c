#include "host/pvh/cpuid.h"

#include <string.h>

#include <xen/arch-x86/cpuid.h>

#include "host/domain.h"
#include "host/version.h"

#define LEAF1_EDX_HTT          (1u << 28)
#define LEAF1_ECX_VMX          (1u << 5)
#define LEAF1_ECX_X2APIC       (1u << 21)
#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_OSXSAVE      (1u << 27)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)
#define LEAF1_EBX_APIC_ID      0xff000000u
#define LEAF1_EBX_NR_CPUS      0x00ff0000u
#define ONE_CPU                0x00010000u

#define AMD_SVM        (1u << 2)
#define AMD_EXTAPIC    (1u << 3) /* of 0x80000001 ECX */
#define AMD_CMP_LEGACY (1u << 1)
#define AMD_TOPOLOGY   (1u << 22) /* leaf 0x8000001e */
#define CACHE_CORES    0xffffc000u

void pvh_xen_leaf(uint32_t index, unsigned id, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof *out);
    switch (index) {
    case 0:
        out[0] = PVH_FIRST_LEAF + PVH_NR_LEAVES - 1;
        out[1] = XEN_CPUID_SIGNATURE_EBX;
        out[2] = XEN_CPUID_SIGNATURE_ECX;
        out[3] = XEN_CPUID_SIGNATURE_EDX;
        return;
    case 1:
        out[0] = PARAVANE_XEN_VERSION;
        return;
    case 2:
        out[0] = 1; /* hypercall page */
        out[1] = PVH_HYPERCALL_MSR;
        return;
    case 4:
        out[0] = XEN_HVM_CPUID_IOMMU_MAPPINGS | XEN_HVM_CPUID_VCPU_ID_PRESENT |
                 XEN_HVM_CPUID_DOMID_PRESENT;
        out[1] = id;
        out[2] = DOMAIN_ID;
        return;
    default:
        return;
    }
}

void pvh_adjust_leaf(uint32_t leaf, uint32_t subleaf, unsigned id,
                     uint32_t regs[4])
{
    switch (leaf) {
    case 1:
        regs[1] &= ~(LEAF1_EBX_APIC_ID | LEAF1_EBX_NR_CPUS);
        regs[1] |= ONE_CPU | (uint32_t)lapic_id_of(id) << 24;
        regs[2] &= ~(LEAF1_ECX_VMX | LEAF1_ECX_X2APIC | LEAF1_ECX_TSC_DEADLINE |
                     LEAF1_ECX_OSXSAVE);
        regs[2] |= LEAF1_ECX_HYPERVISOR;
        regs[3] &= ~LEAF1_EDX_HTT;
        return;
    case 4:
        regs[0] &= ~CACHE_CORES; /* shared with nobody */
        return;
    case 0xb:
    case 0x1f:
        memset(regs, 0, 4 * sizeof *regs);
        regs[2] = subleaf & 0xff; /* an invalid level: there is one CPU */
        regs[3] = lapic_id_of(id);
        return;
    case 0x80000001:
        regs[2] &= ~(AMD_SVM | AMD_EXTAPIC | AMD_CMP_LEGACY | AMD_TOPOLOGY);
        return;
    case 0x80000008:
        regs[2] = 0; /* one core */
        return;
    default:
        return;
    }
}
