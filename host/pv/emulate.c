/*
 * host/pv/emulate.c: fixed encodings that PV kernels are known to use. A fault
 * on anything else is the guest's own.
 */
#include "host/pv/emulate.h"

#include <string.h>

#include "host/domain.h"
#include "host/engine/engine.h"
#include "host/guest_access.h"
#include "host/pv/bounce.h"
#include "host/version.h"

#define VECTOR_UD 6
#define VECTOR_GP 13

#define ERROR_IDT  2u
#define KERNEL_DPL 1 /* a PV kernel counts as ring 1 */

#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_SHADOW_GS_BASE 0xc0000102u

#define CR0_SEEN 0x80050033u /* PG AM WP NE ET MP PE */
#define CR4_SEEN 0x00000660u /* PAE MCE OSFXSR OSXMMEXCPT */

#define XEN_LEAF_BASE EMULATE_FIRST_LEAF

static bool canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

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
}

static void emulate_cpuid(struct regs *r)
{
    uint32_t out[4];

    emulate_leaf((uint32_t)r->rax, (uint32_t)r->rcx, out);
    r->rax = out[0];
    r->rbx = out[1];
    r->rcx = out[2];
    r->rdx = out[3];
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

static bool emulate_rdmsr(struct vcpu *vcpu)
{
    struct regs *r = &vcpu->regs;
    const uint64_t *base = msr_base(vcpu, (uint32_t)r->rcx);

    if (!base)
        return false;
    r->rax = (uint32_t)*base;
    r->rdx = *base >> 32;
    return true;
}

static bool emulate_wrmsr(struct vcpu *vcpu)
{
    struct regs *r = &vcpu->regs;
    uint64_t *base = msr_base(vcpu, (uint32_t)r->rcx);
    const uint64_t value = (r->rdx << 32) | (uint32_t)r->rax;

    if (!base || !canonical(value))
        return false;
    *base = value;
    vcpu->domain->engine->ops->set_bases(vcpu);
    return true;
}

/* mov %crN,%reg: REX.B extends the register, modrm is 11 crn reg. */
static bool emulate_read_cr(struct vcpu *vcpu, uint8_t rex, uint8_t modrm)
{
    struct regs *r = &vcpu->regs;
    uint64_t *const by_number[16] = {
        &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
        &r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15};
    uint64_t *to = by_number[(modrm & 7) | (rex & 1) << 3];

    if ((modrm & 0xc0) != 0xc0 || rex & 4)
        return false;
    switch (modrm >> 3 & 7) {
    case 0:
        *to = CR0_SEEN;
        return true;
    case 2:
        *to = vcpu->cr2;
        return true;
    case 3:
        *to = vcpu->cr3 << PAGE_SHIFT;
        return true;
    case 4:
        *to = CR4_SEEN;
        return true;
    default:
        return false;
    }
}

/*
 * iretq from kernel to kernel, which a PV kernel may use in place of the
 * hypercall when the upcall mask need not change. In ring 3 it faults only on
 * the flat selectors, which are not those of this process.
 */
static bool emulate_iretq(struct vcpu *vcpu)
{
    struct regs *r = &vcpu->regs;
    uint64_t frame[5]; /* rip, cs, rflags, rsp, ss */

    if (guest_read(vcpu, guest_addr(r->rsp), frame, sizeof frame))
        return false;
    if ((uint16_t)(frame[1] | 3) != FLAT_KERNEL_CS || !canonical(frame[0]))
        return false;
    r->rip = frame[0];
    r->rflags = frame[2];
    r->rsp = frame[3];
    return true;
}

/*
 * int n, which no gate lets ring 3 do: the trap itself if the guest's table
 * allows it, else a fault whose error code names the gate.
 */
static void emulate_int(struct vcpu *vcpu, uint8_t vector)
{
    const struct trap_entry *entry = &vcpu->traps[vector];
    struct trap trap = {.vector = vector};

    if (entry->address && (entry->flags & 3) >= KERNEL_DPL) {
        vcpu->regs.rip += 2;
    } else {
        trap.vector = VECTOR_GP;
        trap.has_error = true;
        trap.error = (uint32_t)vector << 3 | ERROR_IDT;
    }
    bounce_trap(vcpu, &trap);
}

/* Read as much of the instruction as there is; bytes beyond are zero. */
static void fetch(struct vcpu *vcpu, uint8_t code[8])
{
    memset(code, 0, 8);
    for (size_t i = 0; i < 8; i++)
        if (guest_read(vcpu, guest_addr(vcpu->regs.rip + i), &code[i], 1))
            return;
}

static bool emulate_gp(struct vcpu *vcpu, uint32_t error, const uint8_t code[8])
{
    static const uint8_t rdmsr[] = {0x0f, 0x32}, wrmsr[] = {0x0f, 0x30};
    static const uint8_t clts[] = {0x0f, 0x06}, wbinvd[] = {0x0f, 0x09};
    static const uint8_t iretq[] = {0x48, 0xcf};
    const uint8_t rex = (code[0] & 0xf0) == 0x40 ? code[0] : 0;
    const uint8_t *op = code + (rex ? 1 : 0);
    bool done = false;

    if (memcmp(code, iretq, sizeof iretq) == 0)
        return emulate_iretq(vcpu); /* sets RIP itself */
    if (error)                      /* a selector: nothing below names one */
        return false;
    if (memcmp(op, rdmsr, 2) == 0)
        done = emulate_rdmsr(vcpu);
    else if (memcmp(op, wrmsr, 2) == 0)
        done = emulate_wrmsr(vcpu);
    else if (memcmp(op, clts, 2) == 0 || memcmp(op, wbinvd, 2) == 0)
        done = true; /* TS is not used; no device sees the caches */
    else if (op[0] == 0x0f && op[1] == 0x20)
        done = emulate_read_cr(vcpu, rex, op[2]);
    if (!done)
        return false;
    vcpu->regs.rip += (uint64_t)(op - code) + (op[1] == 0x20 ? 3 : 2);
    return true;
}

bool emulate(struct vcpu *vcpu, const struct trap *trap)
{
    static const uint8_t forced_cpuid[] = {0x0f, 0x0b, 'x', 'e',
                                           'n',  0x0f, 0xa2};
    uint8_t code[8];

    if (trap->vector != VECTOR_UD && trap->vector != VECTOR_GP)
        return false;
    fetch(vcpu, code);
    if (code[0] == 0xcd) { /* as #GP, or as #UD by one KVM */
        emulate_int(vcpu, code[1]);
        return true;
    }
    if (trap->vector == VECTOR_GP)
        return emulate_gp(vcpu, trap->error, code);
    if (memcmp(code, forced_cpuid, sizeof forced_cpuid) != 0)
        return false;
    emulate_cpuid(&vcpu->regs);
    vcpu->regs.rip += sizeof forced_cpuid;
    return true;
}
