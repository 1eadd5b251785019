/* host/pv/decode.c: Zydis knows the instructions; this knows what we need. */
#include "host/pv/decode.h"

#include <errno.h>

#include <Zydis/Zydis.h>

/* Operations whose two visible operands are what they look like. */
static const struct {
    uint16_t mnemonic, operation;
} plain[] = {
    {ZYDIS_MNEMONIC_ADC, OP_ADC},
    {ZYDIS_MNEMONIC_ADD, OP_ADD},
    {ZYDIS_MNEMONIC_AND, OP_AND},
    {ZYDIS_MNEMONIC_BT, OP_BT},
    {ZYDIS_MNEMONIC_BTC, OP_BTC},
    {ZYDIS_MNEMONIC_BTR, OP_BTR},
    {ZYDIS_MNEMONIC_BTS, OP_BTS},
    {ZYDIS_MNEMONIC_CLI, OP_CLI},
    {ZYDIS_MNEMONIC_CLTS, OP_CLTS},
    {ZYDIS_MNEMONIC_CMP, OP_CMP},
    {ZYDIS_MNEMONIC_CMPXCHG, OP_CMPXCHG},
    {ZYDIS_MNEMONIC_CMPXCHG8B, OP_CMPXCHG8B},
    {ZYDIS_MNEMONIC_CPUID, OP_CPUID},
    {ZYDIS_MNEMONIC_DEC, OP_DEC},
    {ZYDIS_MNEMONIC_IN, OP_IN},
    {ZYDIS_MNEMONIC_INC, OP_INC},
    {ZYDIS_MNEMONIC_INT, OP_INT},
    {ZYDIS_MNEMONIC_IRETQ, OP_IRETQ},
    {ZYDIS_MNEMONIC_MOV, OP_MOV},
    {ZYDIS_MNEMONIC_MOVSX, OP_MOVSX},
    {ZYDIS_MNEMONIC_MOVSXD, OP_MOVSX},
    {ZYDIS_MNEMONIC_MOVZX, OP_MOVZX},
    {ZYDIS_MNEMONIC_NEG, OP_NEG},
    {ZYDIS_MNEMONIC_NOT, OP_NOT},
    {ZYDIS_MNEMONIC_OR, OP_OR},
    {ZYDIS_MNEMONIC_OUT, OP_OUT},
    {ZYDIS_MNEMONIC_PUSH, OP_PUSH},
    {ZYDIS_MNEMONIC_RDMSR, OP_RDMSR},
    {ZYDIS_MNEMONIC_RDTSC, OP_RDTSC},
    {ZYDIS_MNEMONIC_RDTSCP, OP_RDTSCP},
    {ZYDIS_MNEMONIC_SBB, OP_SBB},
    {ZYDIS_MNEMONIC_STI, OP_STI},
    {ZYDIS_MNEMONIC_SYSENTER, OP_SYSENTER},
    {ZYDIS_MNEMONIC_SUB, OP_SUB},
    {ZYDIS_MNEMONIC_TEST, OP_TEST},
    {ZYDIS_MNEMONIC_WBINVD, OP_WBINVD},
    {ZYDIS_MNEMONIC_WRMSR, OP_WRMSR},
    {ZYDIS_MNEMONIC_XADD, OP_XADD},
    {ZYDIS_MNEMONIC_XCHG, OP_XCHG},
    {ZYDIS_MNEMONIC_XOR, OP_XOR},
    {ZYDIS_MNEMONIC_XSETBV, OP_XSETBV},
};

/* String operations: their operands are never written down. */
static const struct {
    uint16_t mnemonic, operation;
} strings[] = {
    {ZYDIS_MNEMONIC_INSB, OP_INS},   {ZYDIS_MNEMONIC_INSW, OP_INS},
    {ZYDIS_MNEMONIC_INSD, OP_INS},   {ZYDIS_MNEMONIC_OUTSB, OP_OUTS},
    {ZYDIS_MNEMONIC_OUTSW, OP_OUTS}, {ZYDIS_MNEMONIC_OUTSD, OP_OUTS},
    {ZYDIS_MNEMONIC_LODSB, OP_LODS}, {ZYDIS_MNEMONIC_LODSW, OP_LODS},
    {ZYDIS_MNEMONIC_LODSD, OP_LODS}, {ZYDIS_MNEMONIC_LODSQ, OP_LODS},
    {ZYDIS_MNEMONIC_MOVSB, OP_MOVS}, {ZYDIS_MNEMONIC_MOVSW, OP_MOVS},
    {ZYDIS_MNEMONIC_MOVSD, OP_MOVS}, {ZYDIS_MNEMONIC_MOVSQ, OP_MOVS},
    {ZYDIS_MNEMONIC_STOSB, OP_STOS}, {ZYDIS_MNEMONIC_STOSW, OP_STOS},
    {ZYDIS_MNEMONIC_STOSD, OP_STOS}, {ZYDIS_MNEMONIC_STOSQ, OP_STOS},
};

uint64_t *decode_register(struct regs *regs, unsigned number)
{
    uint64_t *const by_number[16] = {
        &regs->rax, &regs->rcx, &regs->rdx, &regs->rbx, &regs->rsp, &regs->rbp,
        &regs->rsi, &regs->rdi, &regs->r8,  &regs->r9,  &regs->r10, &regs->r11,
        &regs->r12, &regs->r13, &regs->r14, &regs->r15,
    };

    return by_number[number & 15];
}

uint64_t decode_cut(uint64_t value, unsigned bytes)
{
    return bytes < 8 ? value & ((UINT64_C(1) << 8 * bytes) - 1) : value;
}

uint64_t decode_extend(uint64_t value, unsigned bytes)
{
    const unsigned unused = 64 - 8 * bytes;

    return (uint64_t)((int64_t)(value << unused) >> unused);
}

/* The value that an address is made of, as wide as the register is. */
static uint64_t part(const struct decode_state *state, ZydisRegister reg,
                     uint64_t next)
{
    struct regs regs = *state->regs;

    if (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15)
        return *decode_register(&regs, (unsigned)(reg - ZYDIS_REGISTER_RAX));
    if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D)
        return (uint32_t)*decode_register(&regs,
                                          (unsigned)(reg - ZYDIS_REGISTER_EAX));
    if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
        return next;
    return 0;
}

static uint64_t address(const struct decode_state *state,
                        const ZydisDecodedInstruction *insn,
                        const ZydisDecodedOperandMem *mem)
{
    const uint64_t next = state->regs->rip + insn->length;
    uint64_t at = (uint64_t)mem->disp.value + part(state, mem->base, next) +
                  part(state, mem->index, next) * mem->scale;

    if (insn->address_width == 32)
        at = (uint32_t)at;
    if (mem->segment == ZYDIS_REGISTER_FS)
        at += state->fs_base;
    else if (mem->segment == ZYDIS_REGISTER_GS)
        at += state->gs_base;
    return at;
}

static bool take_register(struct operand *to, ZydisRegister reg)
{
    static const struct {
        int16_t first, last;
        uint8_t kind, number, bytes;
    } ranges[] = {
        {ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL, OPERAND_REGISTER, 0, 1},
        {ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH, OPERAND_HIGH_BYTE, 0, 1},
        {ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B, OPERAND_REGISTER, 4, 1},
        {ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W, OPERAND_REGISTER, 0, 2},
        {ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D, OPERAND_REGISTER, 0, 4},
        {ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15, OPERAND_REGISTER, 0, 8},
        {ZYDIS_REGISTER_ES, ZYDIS_REGISTER_GS, OPERAND_SPECIAL, 0, 2},
        {ZYDIS_REGISTER_CR0, ZYDIS_REGISTER_CR15, OPERAND_SPECIAL, 0, 8},
        {ZYDIS_REGISTER_DR0, ZYDIS_REGISTER_DR15, OPERAND_SPECIAL, 0, 8},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (reg < (ZydisRegister)ranges[i].first ||
            reg > (ZydisRegister)ranges[i].last)
            continue;
        to->kind = ranges[i].kind;
        to->number = (uint8_t)(ranges[i].number + (int)reg - ranges[i].first);
        to->bytes = ranges[i].bytes;
        return true;
    }
    return false; /* vectors and the like */
}

/* False if it is of a kind that nothing here works on. */
static bool take_operand(struct operand *to, const struct decode_state *state,
                         const ZydisDecodedInstruction *insn,
                         const ZydisDecodedOperand *from)
{
    to->bytes = (uint8_t)(from->size / 8);
    switch (from->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return take_register(to, from->reg.value);
    case ZYDIS_OPERAND_TYPE_MEMORY:
        to->kind = OPERAND_MEMORY;
        to->value = address(state, insn, &from->mem);
        return from->size == 8 || from->size == 16 || from->size == 32 ||
               from->size == 64;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        to->kind = OPERAND_IMMEDIATE;
        to->bytes = 8;
        to->value = from->imm.value.u;
        return !from->imm.is_relative;
    default:
        return false;
    }
}

static bool take_operands(struct instruction *to,
                          const struct decode_state *state,
                          const ZydisDecodedInstruction *insn,
                          const ZydisDecodedOperand *operands, unsigned nr)
{
    if (nr > 2)
        return false;
    for (unsigned i = 0; i < nr; i++)
        if (!take_operand(&to->operands[i], state, insn, &operands[i]))
            return false;
    return true;
}

/* A bit number in a register reaches beyond the operand that is named. */
static void move_bit_base(struct instruction *insn, struct regs regs)
{
    struct operand *base = &insn->operands[0];
    const struct operand *bit = &insn->operands[1];
    int64_t number;

    if (insn->operation < OP_BT || insn->operation > OP_BTS ||
        base->kind != OPERAND_MEMORY || bit->kind != OPERAND_REGISTER)
        return;
    number = (int64_t)decode_extend(*decode_register(&regs, bit->number),
                                    bit->bytes);
    base->value += (uint64_t)(number >> 3) & ~(uint64_t)(base->bytes - 1);
}

static bool is_segment(ZydisRegister reg)
{
    return reg >= ZYDIS_REGISTER_ES && reg <= ZYDIS_REGISTER_GS;
}

static bool is_control(ZydisRegister reg)
{
    return reg >= ZYDIS_REGISTER_CR0 && reg <= ZYDIS_REGISTER_CR15;
}

static bool is_debug(ZydisRegister reg)
{
    return reg >= ZYDIS_REGISTER_DR0 && reg <= ZYDIS_REGISTER_DR15;
}

static ZydisRegister register_of(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER ? operand->reg.value
                                                        : ZYDIS_REGISTER_NONE;
}

/* MOV is many instructions. */
static enum operation which_mov(const ZydisDecodedOperand *operands)
{
    const ZydisRegister to = register_of(&operands[0]);
    const ZydisRegister from = register_of(&operands[1]);

    if (is_control(to))
        return OP_WRITE_CR;
    if (is_control(from))
        return OP_READ_CR;
    if (is_debug(to))
        return OP_WRITE_DR;
    if (is_debug(from))
        return OP_READ_DR;
    if (is_segment(to))
        return OP_LOAD_SEGMENT;
    return is_segment(from) ? OP_OTHER : OP_MOV;
}

static bool is_cmov(const ZydisDecodedInstruction *insn)
{
    return insn->opcode_map == ZYDIS_OPCODE_MAP_0F &&
           insn->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
           (insn->opcode & 0xf0) == 0x40;
}

static bool decode_string(struct instruction *to,
                          const struct decode_state *state,
                          const ZydisDecodedInstruction *insn,
                          const ZydisDecodedOperand *operands)
{
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        if (strings[i].mnemonic != insn->mnemonic)
            continue;
        /* MOVSD is a vector instruction as well */
        if (insn->meta.category != ZYDIS_CATEGORY_STRINGOP &&
            insn->meta.category != ZYDIS_CATEGORY_IOSTRINGOP)
            return false;
        to->repeated =
            insn->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPNE |
                                ZYDIS_ATTRIB_HAS_REPE);
        if (insn->operand_count < 2 ||
            !take_operands(to, state, insn, operands, 2))
            return false;
        to->operation = strings[i].operation;
        return true;
    }
    return false;
}

/* The slot that POP FS takes, of 8 bytes or, with a prefix, 2. */
static void take_stack_slot(struct instruction *to,
                            const struct decode_state *state,
                            const ZydisDecodedInstruction *insn)
{
    to->operands[1] = (struct operand){
        .kind = OPERAND_MEMORY,
        .bytes = insn->operand_width == 16 ? 2 : 8,
        .value = state->regs->rsp,
    };
}

static void decode_plain(struct instruction *to,
                         const struct decode_state *state,
                         const ZydisDecodedInstruction *insn,
                         const ZydisDecodedOperand *operands)
{
    unsigned nr = insn->operand_count_visible;

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (plain[i].mnemonic == insn->mnemonic)
            to->operation = plain[i].operation;
    if (insn->mnemonic == ZYDIS_MNEMONIC_MOV)
        to->operation = which_mov(operands);
    else if (insn->mnemonic == ZYDIS_MNEMONIC_POP &&
             is_segment(register_of(&operands[0])))
        to->operation = OP_POP_SEGMENT;
    else if (insn->mnemonic == ZYDIS_MNEMONIC_RET &&
             insn->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR &&
             insn->operand_width == 64)
        to->operation = OP_LRETQ;
    else if (is_cmov(insn))
        to->operation = OP_CMOV;
    if (to->operation == OP_OTHER)
        return;
    to->condition = insn->opcode & 15;
    if (!take_operands(to, state, insn, operands, nr))
        to->operation = OP_OTHER;
    else if (to->operation == OP_POP_SEGMENT)
        take_stack_slot(to, state, insn);
    move_bit_base(to, *state->regs);
}

int decode(struct instruction *insn, const uint8_t *code, size_t size,
           const struct decode_state *state)
{
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecodedInstruction found;
    ZydisDecoder decoder;
    ZyanStatus status;

    *insn = (struct instruction){.operation = OP_OTHER};
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
                     ZYDIS_STACK_WIDTH_64);
    if (size > DECODE_MAX_LENGTH)
        size = DECODE_MAX_LENGTH;
    status = ZydisDecoderDecodeFull(&decoder, code, size, &found, operands);
    if (status == ZYDIS_STATUS_NO_MORE_DATA && size < DECODE_MAX_LENGTH)
        return -ENODATA;
    if (!ZYAN_SUCCESS(status))
        return -EILSEQ;
    insn->length = found.length;
    insn->address_bytes = (uint8_t)(found.address_width / 8);
    if (!decode_string(insn, state, &found, operands))
        decode_plain(insn, state, &found, operands);
    return 0;
}
