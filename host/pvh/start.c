#include "host/pvh/start.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <xen/hvm/hvm_vcpu.h>

#include "host/guest_access.h"

#define CR0_PE   UINT64_C(1)
#define CR0_ET   UINT64_C(0x10)
#define CR0_PG   UINT64_C(0x80000000)
#define CR0_NWCD UINT64_C(0x60000000)
#define CR4_PAE  UINT64_C(0x20)
#define EFER_LME UINT64_C(0x100)
#define EFER_LMA UINT64_C(0x400)
/* SCE, LME, LMA, NXE, SVME is not there, LMSLE is not, FFXSR */
#define EFER_VALID UINT64_C(0x4d01)
/* VMXE, SMXE and the reserved ones are nobody's here. */
#define CR4_VALID UINT64_C(0x00771fff)

#define RFLAGS_FIXED 2u

#define TYPE_ACCESSED 1
#define TYPE_WRITABLE 2 /* of code: readable */
#define TYPE_CODE     8
#define TYPE_BUSY_TSS 11
#define TSS_LIMIT     0x67

#define AR_CODE64 0xa9b
#define AR_DATA   0xc93
#define AR_CODE32 0xc9b
#define AR_CODE16 0x09b
#define AR_DATA16 0x093
#define AR_TSS    0x08b

void pvh_start_boot(struct pvh_start *start, const struct regs *regs)
{
    const struct pvh_segment data = {
        .limit = UINT32_MAX, .selector = 16, .ar = AR_DATA};

    *start = (struct pvh_start){
        .regs = *regs,
        .cr0 = CR0_PE | CR0_ET,
        .cs = {.limit = UINT32_MAX, .selector = 8, .ar = AR_CODE32},
        .ds = data,
        .es = data,
        .ss = data,
        .tr = {.limit = TSS_LIMIT, .selector = 24, .ar = AR_TSS},
    };
}

void pvh_start_sipi(struct pvh_start *start, uint8_t vector)
{
    const struct pvh_segment data = {.limit = 0xffff, .ar = AR_DATA16};

    *start = (struct pvh_start){
        .regs = {.rflags = RFLAGS_FIXED},
        .cr0 = CR0_ET | CR0_NWCD,
        .cs = {.base = (uint64_t)vector << 12,
               .limit = 0xffff,
               .selector = (uint16_t)(vector << 8),
               .ar = AR_CODE16},
        .ds = data,
        .es = data,
        .ss = data,
        .tr = {.limit = 0xffff, .ar = AR_TSS},
    };
}

enum role { CS, SS, DS, ES, TR };

/* One that is present is in use: accessed, or busy. */
static int take_segment(struct pvh_segment *to, enum role role, uint32_t base,
                        uint32_t limit, uint16_t ar)
{
    unsigned type;

    if (PVH_AR_P(ar))
        ar |= role == TR ? TYPE_WRITABLE : TYPE_ACCESSED;
    type = PVH_AR_TYPE(ar);
    *to = (struct pvh_segment){.base = base, .limit = limit, .ar = ar};
    if (PVH_AR_UNUSED(ar))
        return -EINVAL;
    if (ar == 0)
        return role == DS || role == ES ? 0 : -EINVAL;
    if (role == TR ? PVH_AR_S(ar) || type != TYPE_BUSY_TSS : !PVH_AR_S(ar))
        return -EINVAL;
    if (!PVH_AR_P(ar))
        return -EINVAL;
    if (role == CS && !(type & TYPE_CODE))
        return -EINVAL;
    if (role == SS && ((type & TYPE_CODE) || !(type & TYPE_WRITABLE)))
        return -EINVAL;
    if ((role == DS || role == ES) && (type & TYPE_CODE) &&
        !(type & TYPE_WRITABLE))
        return -EINVAL;
    return 0;
}

static int take_segments(struct pvh_start *s, const struct vcpu_hvm_x86_32 *r)
{
    if (take_segment(&s->cs, CS, r->cs_base, r->cs_limit, r->cs_ar) ||
        take_segment(&s->ds, DS, r->ds_base, r->ds_limit, r->ds_ar) ||
        take_segment(&s->ss, SS, r->ss_base, r->ss_limit, r->ss_ar) ||
        take_segment(&s->es, ES, r->es_base, r->es_limit, r->es_ar) ||
        take_segment(&s->tr, TR, r->tr_base, r->tr_limit, r->tr_ar))
        return -EINVAL;
    return 0;
}

/* Do the data segments go with the code's ring? */
static bool rings_agree(const struct pvh_start *s)
{
    const unsigned dpl = PVH_AR_DPL(s->cs.ar);

    return PVH_AR_DPL(s->ss.ar) == dpl &&
           !(PVH_AR_P(s->ds.ar) && PVH_AR_DPL(s->ds.ar) > dpl) &&
           !(PVH_AR_P(s->es.ar) && PVH_AR_DPL(s->es.ar) > dpl);
}

static int from_32(struct pvh_start *s, const struct vcpu_hvm_x86_32 *r)
{
    uint64_t limit;

    if (r->pad1 || r->pad2[0] || r->pad2[1] || r->pad2[2] ||
        take_segments(s, r))
        return -EINVAL;
    limit = s->cs.limit;
    if (PVH_AR_G(s->cs.ar))
        limit = (uint32_t)(limit << 12) | 0xfff;
    if (r->eip > limit || !rings_agree(s) ||
        ((r->efer & EFER_LMA) && !(r->efer & EFER_LME)))
        return -EINVAL;
    s->regs = (struct regs){
        .rax = r->eax,
        .rcx = r->ecx,
        .rdx = r->edx,
        .rbx = r->ebx,
        .rsp = r->esp,
        .rbp = r->ebp,
        .rsi = r->esi,
        .rdi = r->edi,
        .rip = r->eip,
        .rflags = r->eflags | RFLAGS_FIXED,
    };
    s->cr0 = r->cr0;
    s->cr3 = r->cr3;
    s->cr4 = r->cr4;
    s->efer = r->efer;
    return 0;
}

static int from_64(struct pvh_start *s, const struct vcpu_hvm_x86_64 *r)
{
    const struct pvh_segment data = {.limit = UINT32_MAX, .ar = AR_DATA};

    if (!va_is_canonical(r->rip) || !(r->cr0 & CR0_PG) || !(r->cr4 & CR4_PAE) ||
        !(r->efer & EFER_LME))
        return -EINVAL;
    *s = (struct pvh_start){
        .regs = {.rax = r->rax,
                 .rcx = r->rcx,
                 .rdx = r->rdx,
                 .rbx = r->rbx,
                 .rsp = r->rsp,
                 .rbp = r->rbp,
                 .rsi = r->rsi,
                 .rdi = r->rdi,
                 .rip = r->rip,
                 .rflags = r->rflags | RFLAGS_FIXED},
        .cr0 = r->cr0,
        .cr3 = r->cr3,
        .cr4 = r->cr4,
        .efer = r->efer,
        .cs = {.limit = UINT32_MAX, .ar = AR_CODE64},
        .ds = data,
        .es = data,
        .ss = data,
        .tr = {.limit = TSS_LIMIT, .ar = AR_TSS},
    };
    return 0;
}

int pvh_start_from(struct pvh_start *start,
                   const struct vcpu_hvm_context *context)
{
    int rc = -EINVAL;

    *start = (struct pvh_start){0};
    if (context->pad)
        return -EINVAL;
    if (context->mode == VCPU_HVM_MODE_32B)
        rc = from_32(start, &context->cpu_regs.x86_32);
    else if (context->mode == VCPU_HVM_MODE_64B)
        rc = from_64(start, &context->cpu_regs.x86_64);
    if (rc)
        return rc;
    if ((start->efer & EFER_LME) && (start->cr0 & CR0_PG))
        start->efer |= EFER_LMA;
    return start->cr4 & ~CR4_VALID || start->efer & ~EFER_VALID ? -EINVAL : 0;
}
