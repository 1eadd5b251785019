/*
 * host/pv/emulate_msr.c: the model-specific registers that Xen 4.17 shows an
 * unprivileged PV guest. The rest are faults; a guest that cannot take one yet
 * reads zeros.
 */
#include <cpuid.h>
#include <x86intrin.h>

#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pagetable.h"
#include "host/pv/emulate_private.h"

#define MSR_TSC              0x00000010u
#define MSR_APIC_BASE        0x0000001bu
#define MSR_PATCH_LEVEL      0x0000008bu
#define MSR_PLATFORM_INFO    0x000000ceu
#define MSR_MPERF            0x000000e7u
#define MSR_APERF            0x000000e8u
#define MSR_FEATURES_ENABLES 0x00000140u
#define MSR_MCG_CAP          0x00000179u
#define MSR_MCG_STATUS       0x0000017au
#define MSR_MCG_CTL          0x0000017bu
#define MSR_MISC_ENABLE      0x000001a0u
#define MSR_PAT              0x00000277u
#define MSR_PERF_CAPABILITY  0x00000345u
#define MSR_MC               0x00000400u /* 4 for each bank */
#define MSR_EFER             0xc0000080u
#define MSR_FS_BASE          0xc0000100u
#define MSR_GS_BASE          0xc0000101u
#define MSR_SHADOW_GS_BASE   0xc0000102u

/* of Intel's CPUs */
#define MSR_PERF_COUNTER 0x000000c1u /* 8 of them */
#define MSR_PERF_SELECT  0x00000186u /* 4 */
#define MSR_FIXED        0x00000309u /* 3 */
#define MSR_FIXED_CTRL   0x0000038du /* and three that go with it */

/* of AMD's */
#define MSR_K7_SELECT    0xc0010000u /* 4, and as many counters behind */
#define MSR_HWCR         0xc0010015u
#define MSR_NB_CFG       0xc001001fu
#define MSR_FIDVID       0xc0010041u /* 2 */
#define MSR_PSTATE_LIMIT 0xc0010061u /* 11: limit, control, status, states */
#define MSR_FAM15H_PERF  0xc0010200u /* 12 */
#define MSR_DE_CFG       0xc0011029u

#define APIC_BASE 0xfee00000u
#define APIC_ON   0x00000800u
#define APIC_BSP  0x00000100u

/* FAST_STRING, and what Xen says of it: no BTS, no PEBS, no xTPR messages. */
#define MISC_ENABLE_SEEN 0x00801801u

#define PAT_SEEN    UINT64_C(0x050100070406)
#define EFER_SEEN   0x00000d01u /* NXE LMA LME SCE */
#define DE_CFG_SEEN 2u          /* LFENCE is serialising */

/* Machine checks: as many banks as Xen shows, which never report one. */
#define MC_BANKS    2u
#define MC_PER_BANK 4u

#define MSR_HYPERCALL_PAGE 0x40000000u /* as leaf 0x40000002 has it */
#define XEN_SPACE          0x4000u /* numbers that belong to hypervisors, >> 16 */

enum vendor { VENDOR_OTHER, VENDOR_INTEL, VENDOR_AMD };

static enum vendor cpu_vendor(void)
{
    uint32_t a, b = 0, c, d;

    __get_cpuid(0, &a, &b, &c, &d);
    switch (b) {
    case signature_INTEL_ebx:
        return VENDOR_INTEL;
    case signature_AMD_ebx:
    case 0x6f677948u: /* "Hygo", which is Xen's name for another AMD */
        return VENDOR_AMD;
    default:
        return VENDOR_OTHER;
    }
}

static uint64_t *msr_base(struct vcpu *vcpu, uint32_t msr)
{
    switch (msr) {
    case MSR_FS_BASE:
        return &vcpu->fs_base;
    case MSR_GS_BASE:
        return &vcpu->gs_base;
    case MSR_SHADOW_GS_BASE:
        return &vcpu->gs_base_user;
    default:
        return NULL;
    }
}

/* Counters and power states: zero for whoever reads, and writes vanish. */
static bool is_void(uint32_t msr)
{
    switch (cpu_vendor()) {
    case VENDOR_INTEL:
        return msr - MSR_PERF_COUNTER < 8 || msr - MSR_PERF_SELECT < 4 ||
               msr - MSR_FIXED < 3 || msr - MSR_FIXED_CTRL < 4;
    case VENDOR_AMD:
        return msr == MSR_HWCR || msr - MSR_K7_SELECT < 8 ||
               msr - MSR_FIDVID < 2 || msr - MSR_PSTATE_LIMIT < 11 ||
               msr - MSR_FAM15H_PERF < 12 || msr == MSR_NB_CFG;
    default:
        return false;
    }
}

static bool is_bank(uint32_t msr)
{
    return msr - MSR_MC < MC_BANKS * MC_PER_BANK;
}

static bool is_bank_control(uint32_t msr)
{
    return msr % MC_PER_BANK == 0;
}

static bool read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    const uint64_t *base = msr_base(vcpu, msr);

    *value = 0;
    switch (msr) {
    case MSR_TSC:
        *value = __rdtsc();
        return true;
    case MSR_APIC_BASE:
        *value = APIC_BASE | APIC_ON | (vcpu->id == 0 ? APIC_BSP : 0);
        return true;
    case MSR_PAT:
        *value = PAT_SEEN;
        return true;
    case MSR_EFER:
        *value = EFER_SEEN;
        return true;
    case MSR_MISC_ENABLE:
        *value = MISC_ENABLE_SEEN;
        return cpu_vendor() == VENDOR_INTEL;
    case MSR_DE_CFG:
        *value = DE_CFG_SEEN;
        return cpu_vendor() == VENDOR_AMD;
    case MSR_MCG_CAP:
        *value = MC_BANKS;
        return true;
    case MSR_HYPERCALL_PAGE:
    case MSR_PATCH_LEVEL:
    case MSR_PLATFORM_INFO:
    case MSR_FEATURES_ENABLES:
    case MSR_MCG_STATUS:
    case MSR_MCG_CTL:
    case MSR_PERF_CAPABILITY:
        return true;
    default:
        break;
    }
    if (is_bank(msr))
        *value = is_bank_control(msr) ? UINT64_MAX : 0;
    else if (base)
        *value = *base;
    return base || is_bank(msr) || is_void(msr);
}

/*
 * Fill the frame at the machine address (value), whose low bits count pages of
 * which there is one. Where the guest will have it nobody knows.
 */
static bool fill_hypercall_page(struct vcpu *vcpu, uint64_t value)
{
    struct domain *dom = vcpu->domain;
    const mfn_t mfn = value >> PAGE_SHIFT;

    if (value % PAGE_SIZE || !frame_take_type(dom, mfn, TYPE_WRITABLE))
        return false;
    tell_write_stubs(dom, memory_frame(&dom->mem, mfn));
    frame_put_type(dom, mfn, TYPE_WRITABLE);
    return true;
}

static bool write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    uint64_t *base = msr_base(vcpu, msr);

    switch (msr) {
    case MSR_HYPERCALL_PAGE:
        return fill_hypercall_page(vcpu, value);
    case MSR_EFER:
        return value == EFER_SEEN;
    case MSR_FEATURES_ENABLES:
        return value == 0; /* none of its bits is there */
    case MSR_MCG_CAP:
    case MSR_MCG_STATUS:
    case MSR_MCG_CTL:
        return true;
    case MSR_MISC_ENABLE:
        return cpu_vendor() == VENDOR_INTEL;
    case MSR_DE_CFG:
        return cpu_vendor() == VENDOR_AMD;
    case MSR_MPERF:
    case MSR_APERF:
        return cpu_vendor() != VENDOR_OTHER;
    default:
        break;
    }
    if (is_bank(msr))
        return is_bank_control(msr) || value == 0;
    if (!base)
        return is_void(msr);
    if (!va_is_canonical(value))
        return false;
    *base = value;
    tell_set_bases(vcpu);
    return true;
}

enum emulated emulate_msr(struct emulation *e)
{
    struct vcpu *vcpu = e->vcpu;
    struct regs *r = &vcpu->regs;
    const uint32_t msr = (uint32_t)r->rcx;
    uint64_t value = r->rdx << 32 | (uint32_t)r->rax;

    if (e->insn.operation == OP_WRMSR)
        return write(vcpu, msr, value) ? EMULATED_DONE : EMULATED_NOT;
    if (!read(vcpu, msr, &value)) {
        if (vcpu->traps[VECTOR_GP].address || msr >> 16 == XEN_SPACE)
            return EMULATED_NOT;
        value = 0;
    }
    r->rax = (uint32_t)value;
    r->rdx = value >> 32;
    return EMULATED_DONE;
}
