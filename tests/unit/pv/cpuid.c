/* What a PV kernel is not told of the CPU. */
#include <cpuid.h>
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
    cr_expect(!has(1, 7) && !has(1, 10) && !has(1, 20));
    cr_expect(!has(2, 2) && !has(2, 16));
    ask(0x80000001, 0);
    cr_expect(!has(2, 2));
}

/* The kernel adds up the states' sizes, and complains of a difference. */
Test(cpuid, the_size_of_saved_state_is_that_of_the_states_offered)
{
    uint32_t states, total = 576, end = 576, size;

    ask(0xd, 0);
    states = regs[0];
    size = regs[1];
    cr_expect_eq(states & ~0xffu, 0);
    if (!states)
        cr_skip("this CPU has no XSAVE");
    for (unsigned i = 2; i < 64; i++) {
        uint32_t state[4];

        __cpuid_count(0xd, i, state[0], state[1], state[2], state[3]);
        pv_hide_features(0xd, i, state);
        cr_expect_eq(state[0] != 0, i < 32 && states >> i & 1, "state %u", i);
        if (state[0] && state[1] + state[0] > end)
            end = state[1] + state[0];
        if (state[0] && state[2] & 2)
            total = (total + 63) & ~63u;
        total += state[0];
    }
    cr_expect_eq(size, end);
    ask(0xd, 1);
    cr_expect_eq(regs[1], total);
    cr_expect(!has(0, 3), "XSAVES");
    cr_expect_eq(regs[2], 0);
}

Test(cpuid, other_leaves_and_subleaves_are_left_alone)
{
    static const uint32_t leaves[][2] = {{0, 0}, {6, 0}, {7, 1}, {0xb, 1}};
    const uint32_t all[4] = {~0u, ~0u, ~0u, ~0u};

    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        ask(leaves[i][0], leaves[i][1]);
        cr_expect_arr_eq(regs, all, sizeof all);
    }
}
