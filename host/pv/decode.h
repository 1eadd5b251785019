/*
 * host/pv/decode.h: one instruction of a guest, taken apart: what it does, as
 * far as the emulation knows, and on what, with addresses computed. Any bytes
 * may be looked at.
 */
#ifndef HOST_PV_DECODE_H
#define HOST_PV_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/vcpu.h"

#define DECODE_MAX_LENGTH 15

enum operation {
    OP_OTHER, /* an instruction, but none that is emulated */

    OP_CLI,
    OP_CLTS,
    OP_CPUID,
    OP_INT, /* operand 0: the vector */
    OP_IRETQ,
    OP_LRETQ, /* operand 0, if any: bytes to drop from the stack */
    OP_RDMSR,
    OP_RDTSC,
    OP_RDTSCP,
    OP_STI,
    OP_SYSENTER,
    OP_WBINVD,
    OP_WRMSR,
    OP_XSETBV,
    /* operand 0 is set from operand 1; one of them is special */
    OP_READ_CR,
    OP_WRITE_CR,
    OP_READ_DR,
    OP_WRITE_DR,
    OP_LOAD_SEGMENT, /* operand 1 is 16 bits wide */
    OP_POP_SEGMENT,  /* from the stack: operand 1 is the slot there */

    /* in: operand 0 from port operand 1; out: to port operand 0 from 1 */
    OP_IN,
    OP_OUT,
    OP_INS,
    OP_OUTS,

    /* operand 0 from operand 1 */
    OP_MOV,
    OP_MOVSX,
    OP_MOVZX,
    OP_CMOV,
    OP_PUSH, /* operand 0 */
    OP_LODS,
    OP_MOVS,
    OP_STOS,
    /* operand 0 from operands 0 and 1 */
    OP_ADC,
    OP_ADD,
    OP_AND,
    OP_BT,
    OP_BTC,
    OP_BTR,
    OP_BTS,
    OP_CMP,
    OP_CMPXCHG,
    OP_CMPXCHG8B, /* operand 0 */
    OP_OR,
    OP_SBB,
    OP_SUB,
    OP_TEST,
    OP_XADD,
    OP_XCHG,
    OP_XOR,
    /* operand 0 */
    OP_DEC,
    OP_INC,
    OP_NEG,
    OP_NOT,
};

enum operand_kind {
    OPERAND_NONE,
    OPERAND_REGISTER,  /* general, by its number in instructions */
    OPERAND_HIGH_BYTE, /* AH, CH, DH, BH: 0 to 3 */
    OPERAND_SPECIAL,   /* a control, debug or segment register */
    OPERAND_MEMORY,
    OPERAND_IMMEDIATE,
};

/* Segment registers by their numbers in instructions. */
enum { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS };

struct operand {
    enum operand_kind kind;
    uint8_t number;
    uint8_t bytes;  /* 1, 2, 4 or 8 */
    uint64_t value; /* the linear address, or the number, sign-extended */
};

struct instruction {
    enum operation operation;
    uint8_t length;
    uint8_t address_bytes; /* 8, or 4 after the prefix for that */
    uint8_t condition;     /* OP_CMOV: as it is encoded */
    bool repeated;         /* string instructions: RCX times */
    struct operand operands[2];
};

/* What addresses are made of. */
struct decode_state {
    const struct regs *regs;
    uint64_t fs_base, gs_base;
};

/*
 * Take apart the 64-bit code at (code), of which (size) bytes can be had, as it
 * would run with (state). 0; -EILSEQ if that is no instruction; -ENODATA if it
 * goes on beyond (size), which is less than DECODE_MAX_LENGTH then.
 */
int decode(struct instruction *insn, const uint8_t *code, size_t size,
           const struct decode_state *state);

/* The general register (number) that instructions name, below 16. */
uint64_t *decode_register(struct regs *regs, unsigned number);

/* Lowest (bytes) bytes of (value), the rest zero. */
uint64_t decode_cut(uint64_t value, unsigned bytes);

/* The same with the rest as copies of the sign. */
uint64_t decode_extend(uint64_t value, unsigned bytes);

#endif
