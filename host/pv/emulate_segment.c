/*
 * host/pv/emulate_segment.c: loads of the flat selectors that every GDT of the
 * ABI ends with, on an engine whose GDT is another. They change nothing that
 * 64-bit code notices but the base of FS and GS.
 */
#include <stdint.h>

#include <xen/xen.h>

#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/guest_access.h"
#include "host/pv/emulate_private.h"

#define RPL_MASK 3u

/* The flat ones can be read, so any but the stack's takes them at any level. */
static bool may_load(unsigned segment, uint16_t selector)
{
    const uint16_t flat = selector | RPL_MASK;

    if (segment == SEGMENT_SS)
        return selector == FLAT_RING3_SS64;
    return flat == FLAT_RING3_CS64 || flat == FLAT_RING3_CS32 ||
           flat == FLAT_RING3_SS64;
}

static enum emulated load(struct emulation *e, uint16_t selector)
{
    struct vcpu *vcpu = e->vcpu;
    const unsigned segment = e->insn.operands[0].number;

    if (!may_load(segment, selector))
        return EMULATED_NOT;
    if (segment == SEGMENT_FS)
        vcpu->fs_base = 0;
    else if (segment == SEGMENT_GS)
        *vcpu_gs_base(vcpu) = 0;
    else
        return EMULATED_DONE;
    tell_set_bases(vcpu);
    return EMULATED_DONE;
}

static enum emulated load_operand(struct emulation *e)
{
    const struct operand *from = &e->insn.operands[1];
    uint16_t selector = (uint16_t)emulate_get(e, from);
    enum emulated how;

    if (from->kind == OPERAND_MEMORY &&
        guest_read(e->vcpu, guest_addr(from->value), &selector,
                   sizeof selector))
        return EMULATED_NOT;
    how = load(e, selector);
    if (how == EMULATED_DONE && e->insn.operation == OP_POP_SEGMENT)
        e->vcpu->regs.rsp += from->bytes;
    return how;
}

/*
 * iretq from kernel to kernel, which a PV kernel may use in place of the
 * hypercall when the upcall mask need not change.
 */
static enum emulated emulate_iretq(struct emulation *e)
{
    struct regs *r = &e->vcpu->regs;
    uint64_t frame[5]; /* rip, cs, rflags, rsp, ss */

    if (guest_read(e->vcpu, guest_addr(r->rsp), frame, sizeof frame))
        return EMULATED_NOT;
    if ((uint16_t)frame[1] != FLAT_RING3_CS64 ||
        (uint16_t)frame[4] != FLAT_RING3_SS64 || !va_is_canonical(frame[0]))
        return EMULATED_NOT;
    r->rip = frame[0];
    r->rflags = frame[2];
    r->rsp = frame[3];
    return EMULATED_AS_SET;
}

static enum emulated emulate_lretq(struct emulation *e)
{
    struct regs *r = &e->vcpu->regs;
    const struct operand *drop = &e->insn.operands[0];
    uint64_t frame[2]; /* rip, cs */

    if (guest_read(e->vcpu, guest_addr(r->rsp), frame, sizeof frame))
        return EMULATED_NOT;
    if ((uint16_t)frame[1] != FLAT_RING3_CS64 || !va_is_canonical(frame[0]))
        return EMULATED_NOT;
    r->rip = frame[0];
    r->rsp += sizeof frame +
              (drop->kind == OPERAND_IMMEDIATE ? (uint16_t)drop->value : 0);
    return EMULATED_AS_SET;
}

enum emulated emulate_segment(struct emulation *e)
{
    switch (e->insn.operation) {
    case OP_LOAD_SEGMENT:
    case OP_POP_SEGMENT:
        return load_operand(e);
    case OP_IRETQ:
        return emulate_iretq(e);
    case OP_LRETQ:
        return emulate_lretq(e);
    default:
        return EMULATED_NOT;
    }
}
