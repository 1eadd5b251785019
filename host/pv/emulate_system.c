/*
 * host/pv/emulate_system.c: CPUID, control and debug registers, and the
 * instructions that a PV kernel may find to do nothing.
 */
#include <string.h>
#include <sys/platform/x86.h>
#include <x86intrin.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/guest_access.h"
#include "host/pagetable.h"
#include "host/pv/cpuid.h"
#include "host/pv/emulate.h"
#include "host/pv/emulate_private.h"
#include "host/version.h"

#define CR0_SEEN 0x80050033u /* PG AM WP NE ET MP PE */
#define CR0_TS   0x00000008u
#define CR4_SEEN 0x00000660u /* PAE MCE OSFXSR OSXMMEXCPT */

/* Of CR4, what the guest decides for itself. */
#define CR4_TSD      0x00000004u
#define CR4_DE       0x00000008u
#define CR4_FSGSBASE 0x00010000u
#define CR4_OSXSAVE  0x00040000u

#define XCR0_X87 1u

#define XEN_LEAF_BASE EMULATE_FIRST_LEAF

/* The host's, and Xen's leaves. */
void emulate_leaf(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof *out);
    switch (leaf) {
    case XEN_LEAF_BASE:
        out[0] = XEN_LEAF_BASE + 5;
        memcpy(&out[1], "XenVMMXenVMM", 12);
        return;
    case XEN_LEAF_BASE + 1:
        out[0] = PARAVANE_XEN_VERSION;
        return;
    case XEN_LEAF_BASE + 2:
        out[0] = 1;             /* one hypercall page */
        out[1] = XEN_LEAF_BASE; /* its MSR */
        out[2] = 1;             /* MMU_PT_UPDATE_PRESERVE_AD */
        return;
    case XEN_LEAF_BASE + 3:
    case XEN_LEAF_BASE + 4:
        return;
    case XEN_LEAF_BASE + 5:
        out[1] = 52; /* bits of a machine address */
        return;
    default:
        break;
    }
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "0"(leaf), "2"(subleaf));
    if (leaf == 1)
        out[2] |= UINT32_C(1) << 31; /* a hypervisor is present */
    pv_hide_features(leaf, subleaf, out);
}

static enum emulated emulate_cpuid(struct regs *r)
{
    uint32_t out[4];

    emulate_leaf((uint32_t)r->rax, (uint32_t)r->rcx, out);
    r->rax = out[0];
    r->rbx = out[1];
    r->rcx = out[2];
    r->rdx = out[3];
    return EMULATED_DONE;
}

static enum emulated read_cr(struct emulation *e)
{
    const struct vcpu *vcpu = e->vcpu;
    uint64_t value;

    switch (e->insn.operands[1].number) {
    case 0:
        value = CR0_SEEN | (vcpu->ts ? CR0_TS : 0);
        break;
    case 2:
        value = vcpu->cr2;
        break;
    case 3:
        value = vcpu->cr3 << PAGE_SHIFT;
        break;
    case 4:
        value = CR4_SEEN | vcpu->cr4;
        break;
    default:
        return EMULATED_NOT;
    }
    emulate_set(e, &e->insn.operands[0], value);
    return EMULATED_DONE;
}

/* The bits of CR4 that are the guest's own, as far as this CPU has them. */
static uint64_t own_cr4(void)
{
    return CR4_TSD | CR4_DE |
           (CPU_FEATURE_PRESENT(FSGSBASE) ? CR4_FSGSBASE : 0) |
           (CPU_FEATURE_PRESENT(XSAVE) ? CR4_OSXSAVE : 0);
}

static enum emulated write_cr(struct emulation *e)
{
    struct vcpu *vcpu = e->vcpu;
    const uint64_t value = emulate_get(e, &e->insn.operands[1]);

    switch (e->insn.operands[0].number) {
    case 0:
        if ((value ^ CR0_SEEN) & ~(uint64_t)CR0_TS)
            return EMULATED_NOT;
        vcpu->ts = value & CR0_TS;
        tell_set_control(vcpu);
        return EMULATED_DONE;
    case 2:
        vcpu->cr2 = value;
        vcpu->info->arch.cr2 = value;
        return EMULATED_DONE;
    case 3:
        return pagetable_set_base(vcpu, value >> PAGE_SHIFT) ? EMULATED_NOT
                                                             : EMULATED_DONE;
    case 4: /* what is not the guest's own stays as it is */
        vcpu->cr4 = value & own_cr4();
        tell_set_control(vcpu);
        return EMULATED_DONE;
    default:
        return EMULATED_NOT;
    }
}

static enum emulated read_dr(struct emulation *e)
{
    const uint64_t args[1] = {e->insn.operands[1].number};
    const long value = call_get_debugreg(e->vcpu, args);

    if (args[0] > 7)
        return EMULATED_NOT;
    emulate_set(e, &e->insn.operands[0], (uint64_t)value);
    return EMULATED_DONE;
}

static enum emulated write_dr(struct emulation *e)
{
    const uint64_t args[2] = {e->insn.operands[0].number,
                              emulate_get(e, &e->insn.operands[1])};

    return call_set_debugreg(e->vcpu, args) ? EMULATED_NOT : EMULATED_DONE;
}

/*
 * XCR0 is what the engine has, and stays so: a guest that wants less gets more.
 * What it cannot have is its fault.
 */
static enum emulated emulate_xsetbv(const struct emulation *e)
{
    static const struct trap undefined = {.vector = VECTOR_UD};
    const struct regs *r = &e->vcpu->regs;
    const uint64_t value = r->rdx << 32 | (uint32_t)r->rax;
    uint32_t lo, hi;

    if (!(e->vcpu->cr4 & CR4_OSXSAVE)) {
        bounce_trap(e->vcpu, &undefined);
        return EMULATED_TRAPPED;
    }
    if ((uint32_t)r->rcx || !(value & XCR0_X87) ||
        !CPU_FEATURE_PRESENT(OSXSAVE))
        return EMULATED_NOT;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return value & ~(lo | (uint64_t)hi << 32) ? EMULATED_NOT : EMULATED_DONE;
}

static enum emulated emulate_rdtsc(struct regs *r, bool with_aux)
{
    const uint64_t tsc = __rdtsc();

    r->rax = (uint32_t)tsc;
    r->rdx = tsc >> 32;
    if (with_aux)
        r->rcx = 0;
    return EMULATED_DONE;
}

/* Does (operation) take a kernel? Its user programs get the fault. */
static bool is_privileged(enum operation operation)
{
    switch (operation) {
    case OP_CLI: /* by the I/O privilege level */
    case OP_STI:
    case OP_CPUID:
    case OP_RDTSC:
    case OP_RDTSCP:
        return false;
    default:
        return true;
    }
}

enum emulated emulate_system(struct emulation *e)
{
    struct vcpu *vcpu = e->vcpu;

    if (vcpu->user_mode && is_privileged(e->insn.operation))
        return EMULATED_NOT;
    switch (e->insn.operation) {
    case OP_CLI: /* the upcall mask is another matter */
    case OP_STI:
        return emulate_has_iopl(vcpu) ? EMULATED_DONE : EMULATED_NOT;
    case OP_CLTS:
        vcpu->ts = false;
        tell_set_control(vcpu);
        return EMULATED_DONE;
    case OP_CPUID:
        return emulate_cpuid(&vcpu->regs);
    case OP_RDMSR:
    case OP_WRMSR:
        return emulate_msr(e);
    case OP_RDTSC:
    case OP_RDTSCP:
        return emulate_rdtsc(&vcpu->regs, e->insn.operation == OP_RDTSCP);
    case OP_WBINVD: /* no device sees the caches */
        return EMULATED_DONE;
    case OP_XSETBV:
        return emulate_xsetbv(e);
    case OP_READ_CR:
        return read_cr(e);
    case OP_WRITE_CR:
        return write_cr(e);
    case OP_READ_DR:
        return read_dr(e);
    case OP_WRITE_DR:
        return write_dr(e);
    default:
        return EMULATED_NOT;
    }
}
