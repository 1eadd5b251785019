/*
 * host/pv/emulate.c: from a trap to the operation that settles it. A fault on
 * anything else is the guest's own.
 */
#include "host/pv/emulate.h"

#include <errno.h>
#include <string.h>

#include "host/guest_access.h"
#include "host/pv/emulate_private.h"

#define ERROR_IDT  2u
#define KERNEL_DPL 1 /* a PV kernel counts as ring 1 */
#define USER_DPL   3
#define DR6_STEP   0x4000u

/* Rounds of a string instruction before others get their turn. */
#define ROUNDS 512

/* What is read of the instruction at RIP: up to the end of what is mapped. */
struct code {
    uint8_t bytes[DECODE_MAX_LENGTH];
    size_t size;
};

enum emulated emulate_page_fault(struct vcpu *vcpu, uint64_t va, uint32_t error)
{
    const struct trap trap = {
        .vector = VECTOR_PF,
        .has_error = true,
        .error = error | (vcpu->user_mode ? PF_USER : 0),
        .cr2 = va,
    };

    bounce_trap(vcpu, &trap);
    return EMULATED_TRAPPED;
}

uint64_t emulate_get(const struct emulation *e, const struct operand *operand)
{
    uint64_t value = operand->value;

    if (operand->kind == OPERAND_REGISTER)
        value = *decode_register(&e->vcpu->regs, operand->number);
    else if (operand->kind == OPERAND_HIGH_BYTE)
        value = *decode_register(&e->vcpu->regs, operand->number) >> 8;
    return decode_cut(value, operand->bytes);
}

void emulate_set(struct emulation *e, const struct operand *operand,
                 uint64_t value)
{
    uint64_t *to = decode_register(&e->vcpu->regs, operand->number);
    const unsigned shift = operand->kind == OPERAND_HIGH_BYTE ? 8 : 0;
    const uint64_t mask = decode_cut(UINT64_MAX, operand->bytes) << shift;

    if (operand->bytes >= 4)
        *to = decode_cut(value, operand->bytes);
    else
        *to = (*to & ~mask) | (value << shift & mask);
}

/* Move (reg) as the string instruction at hand does. */
static void move_on(const struct emulation *e, uint64_t *reg, int64_t by)
{
    *reg = decode_cut(*reg + (uint64_t)by, e->insn.address_bytes);
}

bool emulate_string(struct emulation *e, emulate_round round, void *opaque,
                    enum emulated *how)
{
    struct regs *r = &e->vcpu->regs;
    struct instruction *insn = &e->insn;
    const bool from = insn->operation != OP_STOS && insn->operation != OP_INS;
    const bool to = insn->operation != OP_LODS && insn->operation != OP_OUTS;
    const unsigned bytes = insn->operands[from ? 1 : 0].bytes;
    const int64_t by = r->rflags & RFLAGS_DF ? -(int64_t)bytes : bytes;
    /* addresses of 32 bits may wrap, which the CPU does itself */
    const unsigned most = insn->address_bytes == 8 ? ROUNDS : 1;

    *how = EMULATED_DONE;
    for (unsigned i = 0;; i++) {
        if (insn->repeated && decode_cut(r->rcx, insn->address_bytes) == 0)
            return true;
        if (i == most) {
            *how = EMULATED_AS_SET;
            return true;
        }
        if (!round(e, opaque))
            return false;
        if (from)
            move_on(e, &r->rsi, by);
        if (to)
            move_on(e, &r->rdi, by);
        if (!insn->repeated)
            return true;
        move_on(e, &r->rcx, -1);
        insn->operands[0].value += (uint64_t)by;
        insn->operands[1].value += (uint64_t)by;
    }
}

/*
 * int n, which no gate lets ring 3 do: the trap itself if the guest's table
 * allows it, else a fault whose error code names the gate.
 */
static enum emulated emulate_int(struct emulation *e)
{
    const uint8_t vector = (uint8_t)e->insn.operands[0].value;
    const struct trap_entry *entry = &e->vcpu->traps[vector];
    const unsigned level = e->vcpu->user_mode ? USER_DPL : KERNEL_DPL;
    struct trap trap = {.vector = vector};

    if (entry->address && (entry->flags & 3) >= level) {
        e->vcpu->regs.rip += e->insn.length;
    } else {
        trap.vector = VECTOR_GP;
        trap.has_error = true;
        trap.error = (uint32_t)vector << 3 | ERROR_IDT;
    }
    bounce_trap(e->vcpu, &trap);
    return EMULATED_TRAPPED;
}

static void fetch(struct vcpu *vcpu, struct code *code)
{
    const uint64_t rip = vcpu->regs.rip;
    const size_t room = PAGE_SIZE - rip % PAGE_SIZE;
    const size_t first = room < sizeof code->bytes ? room : sizeof code->bytes;

    code->size = 0;
    if (guest_read(vcpu, guest_addr(rip), code->bytes, first))
        return;
    code->size = first;
    if (guest_read(vcpu, guest_addr(rip + first), code->bytes + first,
                   sizeof code->bytes - first) == 0)
        code->size = sizeof code->bytes;
}

/* 0; -ENODATA: the next byte needed is not there; -EILSEQ: no instruction. */
static int look(struct emulation *e, const struct code *code)
{
    const struct decode_state state = {
        .regs = &e->vcpu->regs,
        .fs_base = e->vcpu->fs_base,
        .gs_base = *vcpu_gs_base(e->vcpu),
    };

    return decode(&e->insn, code->bytes, code->size, &state);
}

/* CPUID behind a UD2 and a word that says who is meant. */
static enum emulated emulate_forced(struct emulation *e,
                                    const struct code *code)
{
    static const uint8_t prefix[] = {0x0f, 0x0b, 'x', 'e', 'n'};
    static const uint8_t cpuid[] = {0x0f, 0xa2};
    const size_t whole = sizeof prefix + sizeof cpuid;

    if (code->size < sizeof prefix ||
        memcmp(code->bytes, prefix, sizeof prefix) != 0)
        return EMULATED_NOT;
    if (code->size < whole)
        return emulate_page_fault(e->vcpu, e->vcpu->regs.rip + code->size,
                                  PF_FETCH);
    if (memcmp(code->bytes + sizeof prefix, cpuid, sizeof cpuid) != 0)
        return EMULATED_NOT;
    e->insn =
        (struct instruction){.operation = OP_CPUID, .length = (uint8_t)whole};
    return emulate_system(e);
}

/*
 * A fault where the engine lets no SYSENTER in. All that it tells its kernel is
 * who did it: ring 3, with a null code segment.
 */
static enum emulated emulate_sysenter(struct emulation *e)
{
    struct regs *r = &e->vcpu->regs;

    if (!e->vcpu->sysenter.address)
        return EMULATED_NOT;
    r->rip = 0;
    r->cs = USER_DPL;
    r->rsp = 0;
    r->ss = FLAT_USER_SS;
    bounce_sysenter(e->vcpu);
    return EMULATED_TRAPPED;
}

static enum emulated emulate_protection(struct emulation *e)
{
    enum emulated how = EMULATED_NOT;

    /* An error code names a selector. */
    if (e->trap->error || e->insn.operation == OP_IRETQ)
        return emulate_segment(e);
    how = emulate_system(e);
    if (how == EMULATED_NOT)
        how = emulate_port(e);
    return how;
}

static enum emulated emulate_trap(struct emulation *e)
{
    struct vcpu *vcpu = e->vcpu;
    struct code code;
    int rc;

    fetch(vcpu, &code);
    if (e->trap->vector == VECTOR_UD) {
        const enum emulated how = emulate_forced(e, &code);

        if (how != EMULATED_NOT)
            return how;
    }
    rc = look(e, &code);
    if (rc == -ENODATA && !va_is_canonical(vcpu->regs.rip))
        return EMULATED_NOT; /* that is what the trap is about */
    if (rc == -ENODATA)
        return emulate_page_fault(vcpu, vcpu->regs.rip + code.size, PF_FETCH);
    if (rc)
        return EMULATED_NOT;
    if (e->trap->vector != VECTOR_PF &&
        e->insn.operation == OP_INT) /* as #GP, or as #UD by one KVM */
        return emulate_int(e);
    if (e->trap->vector == VECTOR_GP && e->insn.operation == OP_SYSENTER)
        return emulate_sysenter(e);
    if ((uint16_t)vcpu->regs.cs == FLAT_RING3_CS32)
        return EMULATED_NOT; /* other code may be of another kind */
    if (e->trap->vector == VECTOR_PF)
        return emulate_memory(e);
    return e->trap->vector == VECTOR_GP ? emulate_protection(e) : EMULATED_NOT;
}

/* The instruction is done; a guest that steps through its code sees it. */
static void retire(struct emulation *e)
{
    static const struct trap step = {.vector = VECTOR_DB};
    struct vcpu *vcpu = e->vcpu;

    vcpu->regs.rip += e->insn.length;
    vcpu->regs.rflags &= ~(uint64_t)RFLAGS_RF;
    if (vcpu->regs.rflags & RFLAGS_TF) {
        vcpu->debugreg[6] |= DR6_STEP;
        bounce_trap(vcpu, &step);
    }
}

/* Most page faults have nothing to do with us. */
static bool concerns_us(const struct vcpu *vcpu, const struct trap *trap)
{
    switch (trap->vector) {
    case VECTOR_UD:
    case VECTOR_GP:
        return true;
    case VECTOR_PF:
        return emulate_wants_fault(vcpu, trap);
    default:
        return false;
    }
}

bool emulate(struct vcpu *vcpu, const struct trap *trap)
{
    struct emulation e = {.vcpu = vcpu, .trap = trap};

    switch (concerns_us(vcpu, trap) ? emulate_trap(&e) : EMULATED_NOT) {
    case EMULATED_DONE:
        retire(&e);
        return true;
    case EMULATED_AS_SET:
    case EMULATED_TRAPPED:
        return true;
    default:
        break;
    }
    if (trap->vector != VECTOR_PF || !emulate_in_m2p_slot(trap->cr2))
        return false;
    emulate_m2p_fault(vcpu, trap);
    return true;
}
