/* What a PV kernel is not told of the CPU. */
#include <string.h>

#include <criterion/criterion.h>

#include "host/pv/cpuid.h"

static uint32_t regs[4];

static void ask(uint32_t leaf, uint32_t subleaf)
{
    memset(regs, 0xff, sizeof regs);
    pv_hide_features(leaf, subleaf, regs);
}

static bool has(unsigned reg, unsigned bit)
{
    return regs[reg] >> bit & 1;
}

Test(cpuid, there_are_no_large_and_no_global_pages)
{
    ask(1, 0);
    cr_expect(!has(3, 3) && !has(3, 13) && !has(3, 17));
    ask(0x80000001, 0);
    cr_expect(!has(3, 3) && !has(3, 13) && !has(3, 17) && !has(3, 26));
}

Test(cpuid, what_programs_use_stays)
{
    static const unsigned kept[] = {0, 4, 6, 8, 15, 23, 24, 25, 26};

    ask(1, 0);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        cr_expect(has(3, kept[i]), "EDX %u", kept[i]);
    cr_expect(has(2, 31), "the hypervisor");
    cr_expect(has(2, 26) && has(2, 28), "XSAVE and AVX");
    ask(0x80000001, 0);
    cr_expect(has(3, 11) && has(3, 20) && has(3, 29), "SYSCALL, NX, LM");
}

Test(cpuid, what_only_ring_0_uses_is_hidden)
{
    ask(1, 0);
    cr_expect(!has(2, 5) && !has(2, 17) && !has(2, 21));
    ask(7, 0);
    cr_expect(!has(1, 0) && !has(1, 7) && !has(1, 10) && !has(1, 20));
    cr_expect(!has(2, 2) && !has(2, 16));
    ask(0x80000001, 0);
    cr_expect(!has(2, 2));
}

Test(cpuid, other_leaves_and_subleaves_are_left_alone)
{
    static const uint32_t leaves[][2] = {{0, 0}, {7, 1}, {0xd, 0}, {0xd, 1}};
    const uint32_t all[4] = {~0u, ~0u, ~0u, ~0u};

    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        ask(leaves[i][0], leaves[i][1]);
        cr_expect_arr_eq(regs, all, sizeof all);
    }
}
