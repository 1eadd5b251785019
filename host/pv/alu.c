#include "host/pv/alu.h"

#define CF     0x001u
#define PF     0x004u
#define AF     0x010u
#define ZF     0x040u
#define SF     0x080u
#define OF     0x800u
#define STATUS (CF | PF | AF | ZF | SF | OF)

static bool sign(uint64_t value, unsigned bytes)
{
    return value >> (8 * bytes - 1) & 1;
}

/* ZF, SF and PF say what the result is, the rest how it came about. */
static void set_flags(uint64_t *rflags, uint64_t result, unsigned bytes,
                      uint64_t rest)
{
    *rflags = (*rflags & ~(uint64_t)STATUS) | rest;
    if (result == 0)
        *rflags |= ZF;
    if (sign(result, bytes))
        *rflags |= SF;
    if (!__builtin_parityll(result & 0xff))
        *rflags |= PF;
}

static uint64_t add(unsigned bytes, uint64_t a, uint64_t b, bool carry,
                    uint64_t *rflags)
{
    const uint64_t r = decode_cut(a + b + carry, bytes);
    uint64_t rest = (a ^ b ^ r) & AF;

    if (r < a || (carry && r == a))
        rest |= CF;
    if (sign(~(a ^ b) & (a ^ r), bytes))
        rest |= OF;
    set_flags(rflags, r, bytes, rest);
    return r;
}

static uint64_t subtract(unsigned bytes, uint64_t a, uint64_t b, bool borrow,
                         uint64_t *rflags)
{
    const uint64_t r = decode_cut(a - b - borrow, bytes);
    uint64_t rest = (a ^ b ^ r) & AF;

    if (a < b || (borrow && a == b))
        rest |= CF;
    if (sign((a ^ b) & (a ^ r), bytes))
        rest |= OF;
    set_flags(rflags, r, bytes, rest);
    return r;
}

static uint64_t logic(unsigned bytes, uint64_t result, uint64_t *rflags)
{
    set_flags(rflags, result, bytes, 0);
    return result;
}

/* INC and DEC leave the carry alone. */
static uint64_t by_one(enum operation operation, unsigned bytes, uint64_t a,
                       uint64_t *rflags)
{
    const uint64_t carry = *rflags & CF;
    const uint64_t r = operation == OP_INC
                           ? add(bytes, a, 1, false, rflags)
                           : subtract(bytes, a, 1, false, rflags);

    *rflags = (*rflags & ~(uint64_t)CF) | carry;
    return r;
}

/* The carry is what the bit was; no other flag changes. */
static uint64_t bit(enum operation operation, unsigned bytes, uint64_t a,
                    uint64_t b, uint64_t *rflags)
{
    const uint64_t mask = UINT64_C(1) << (b & (8 * bytes - 1));

    *rflags = (*rflags & ~(uint64_t)CF) | (a & mask ? CF : 0);
    switch (operation) {
    case OP_BTC:
        return a ^ mask;
    case OP_BTR:
        return a & ~mask;
    case OP_BTS:
        return a | mask;
    default:
        return a;
    }
}

uint64_t alu(enum operation operation, unsigned bytes, uint64_t a, uint64_t b,
             uint64_t *rflags)
{
    const bool carry = *rflags & CF;

    a = decode_cut(a, bytes);
    b = decode_cut(b, bytes);
    switch (operation) {
    case OP_ADC:
        return add(bytes, a, b, carry, rflags);
    case OP_ADD:
    case OP_XADD:
        return add(bytes, a, b, false, rflags);
    case OP_SBB:
        return subtract(bytes, a, b, carry, rflags);
    case OP_SUB:
        return subtract(bytes, a, b, false, rflags);
    case OP_CMP:
        subtract(bytes, a, b, false, rflags);
        return a;
    case OP_NEG:
        return subtract(bytes, 0, a, false, rflags);
    case OP_DEC:
    case OP_INC:
        return by_one(operation, bytes, a, rflags);
    case OP_AND:
        return logic(bytes, a & b, rflags);
    case OP_OR:
        return logic(bytes, a | b, rflags);
    case OP_XOR:
        return logic(bytes, a ^ b, rflags);
    case OP_TEST:
        logic(bytes, a & b, rflags);
        return a;
    case OP_NOT:
        return decode_cut(~a, bytes);
    case OP_BT:
    case OP_BTC:
    case OP_BTR:
    case OP_BTS:
        return bit(operation, bytes, a, b, rflags);
    default:
        return a;
    }
}

bool alu_condition(unsigned code, uint64_t rflags)
{
    const bool less = !(rflags & SF) != !(rflags & OF);
    bool holds;

    switch (code >> 1 & 7) {
    case 0:
        holds = rflags & OF;
        break;
    case 1:
        holds = rflags & CF;
        break;
    case 2:
        holds = rflags & ZF;
        break;
    case 3:
        holds = rflags & (CF | ZF);
        break;
    case 4:
        holds = rflags & SF;
        break;
    case 5:
        holds = rflags & PF;
        break;
    case 6:
        holds = less;
        break;
    default:
        holds = less || (rflags & ZF);
        break;
    }
    return holds != (code & 1);
}
