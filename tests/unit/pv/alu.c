/* Arithmetic, beside the CPU's own. */
#include <criterion/criterion.h>

#include "host/pv/alu.h"

#define STATUS UINT64_C(0x8d5)
#define AF     UINT64_C(0x10)

static const uint64_t values[] = {
    0,          1,
    2,          0x0f,
    0x10,       0x7f,
    0x80,       0xff,
    0x100,      0x7fff,
    0x8000,     0xffff,
    0x7fffffff, 0x80000000,
    0xffffffff, 0x12345678,
    INT64_MAX,  (uint64_t)INT64_MIN,
    UINT64_MAX, UINT64_C(0xfedcba9876543210),
};

#define NR_VALUES (sizeof values / sizeof *values)

/* (ignored): flags that the operation leaves undefined */
static void same(const char *name, enum operation op, unsigned bytes,
                 uint64_t a, uint64_t b, uint64_t flags, uint64_t result,
                 uint64_t after, uint64_t ignored)
{
    uint64_t got_flags = flags;
    const uint64_t got = alu(op, bytes, a, b, &got_flags);

    cr_assert_eq(got, decode_cut(result, bytes), "%s of %u on %lx, %lx: %lx",
                 name, bytes, a, b, got);
    cr_assert_eq((got_flags ^ after) & STATUS & ~ignored, 0,
                 "%s of %u on %lx, %lx: flags %lx, not %lx", name, bytes, a, b,
                 got_flags, after);
}

#define RUN2(op, name, type, suffix, ignored)                               \
    do {                                                                    \
        type x = (type)a;                                                   \
        uint64_t after;                                                     \
        __asm__ volatile("push %[in]\n popf\n " name suffix " %[b], %[x]\n" \
                         " pushf\n pop %[out]"                              \
                         : [x] "+r"(x), [out] "=r"(after)                   \
                         : [b] "r"((type)b), [in] "r"(flags)                \
                         : "cc", "memory");                                 \
        same(name, op, sizeof(type), a, b, flags, (uint64_t)x, after,       \
             ignored);                                                      \
    } while (0)
#define RUN1(op, name, type, suffix, ignored)                               \
    do {                                                                    \
        type x = (type)a;                                                   \
        uint64_t after;                                                     \
        __asm__ volatile("push %[in]\n popf\n " name suffix " %[x]\n pushf" \
                         "\n pop %[out]"                                    \
                         : [x] "+r"(x), [out] "=r"(after)                   \
                         : [in] "r"(flags)                                  \
                         : "cc", "memory");                                 \
        same(name, op, sizeof(type), a, 0, flags, (uint64_t)x, after,       \
             ignored);                                                      \
    } while (0)
#define WIDTHS(run, op, name, ignored)         \
    do {                                       \
        run(op, name, uint8_t, "b", ignored);  \
        run(op, name, uint16_t, "w", ignored); \
        run(op, name, uint32_t, "l", ignored); \
        run(op, name, uint64_t, "q", ignored); \
    } while (0)
#define BITS(op, name)                                        \
    do {                                                      \
        RUN2(op, name, uint16_t, "w", STATUS & ~UINT64_C(1)); \
        RUN2(op, name, uint32_t, "l", STATUS & ~UINT64_C(1)); \
        RUN2(op, name, uint64_t, "q", STATUS & ~UINT64_C(1)); \
    } while (0)

static void two(uint64_t a, uint64_t b, uint64_t flags)
{
    WIDTHS(RUN2, OP_ADC, "adc", 0);
    WIDTHS(RUN2, OP_ADD, "add", 0);
    WIDTHS(RUN2, OP_AND, "and", AF);
    WIDTHS(RUN2, OP_CMP, "cmp", 0);
    WIDTHS(RUN2, OP_OR, "or", AF);
    WIDTHS(RUN2, OP_SBB, "sbb", 0);
    WIDTHS(RUN2, OP_SUB, "sub", 0);
    WIDTHS(RUN2, OP_TEST, "test", AF);
    WIDTHS(RUN2, OP_XOR, "xor", AF);
    BITS(OP_BT, "bt");
    BITS(OP_BTC, "btc");
    BITS(OP_BTR, "btr");
    BITS(OP_BTS, "bts");
}

static void one(uint64_t a, uint64_t flags)
{
    WIDTHS(RUN1, OP_DEC, "dec", 0);
    WIDTHS(RUN1, OP_INC, "inc", 0);
    WIDTHS(RUN1, OP_NEG, "neg", 0);
    WIDTHS(RUN1, OP_NOT, "not", 0);
}

Test(pv_alu, results_and_flags_are_the_cpus)
{
    for (unsigned carry = 0; carry < 2; carry++)
        for (size_t i = 0; i < NR_VALUES; i++) {
            one(values[i], 0x202 | carry);
            for (size_t j = 0; j < NR_VALUES; j++)
                two(values[i], values[j], 0x202 | carry);
        }
}

#define HOLDS(code, name)                                                  \
    do {                                                                   \
        uint8_t holds;                                                     \
        __asm__ volatile("push %[in]\n popf\n set" name " %[holds]"        \
                         : [holds] "=r"(holds)                             \
                         : [in] "r"(flags)                                 \
                         : "cc", "memory");                                \
        cr_assert_eq(alu_condition(code, flags), holds, "%s of %lx", name, \
                     flags);                                               \
    } while (0)

Test(pv_alu, conditions_are_the_cpus)
{
    for (unsigned i = 0; i < 32; i++) {
        const uint64_t flags = 0x202 | (i & 1) | (i & 2) << 1 | (i & 4) << 4 |
                               (i & 8) << 4 | (i & 16) << 7;

        HOLDS(0, "o");
        HOLDS(1, "no");
        HOLDS(2, "b");
        HOLDS(3, "ae");
        HOLDS(4, "e");
        HOLDS(5, "ne");
        HOLDS(6, "be");
        HOLDS(7, "a");
        HOLDS(8, "s");
        HOLDS(9, "ns");
        HOLDS(10, "p");
        HOLDS(11, "np");
        HOLDS(12, "l");
        HOLDS(13, "ge");
        HOLDS(14, "le");
        HOLDS(15, "g");
    }
}
