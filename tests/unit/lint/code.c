/* Where code is taken to begin and to end. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "host/lint/lint.h"

#define VA UINT64_C(0x1000)

static struct lint lint;

static void end(void)
{
    /* what a test lent */
    lint.symbols = NULL;
    lint_destroy(&lint);
}

TestSuite(lint_code, .fini = end);

/* mov $imm32,%eax whose constant ends in HLT; HLT; data, 4 bytes; HLT */
static const uint8_t bytes[] = {0xb8, 0, 0,    0,    0xf4, 0xf4,
                                0xf4, 1, 0xf4, 0xf4, 0xf4};

Test(lint_code, without_symbols_all_of_it_is)
{
    cr_assert(lint_code(&lint, bytes, sizeof bytes, VA));
    cr_expect_eq(lint.findings[0].va, VA + 5);
    cr_expect_eq(lint.findings[1].va, VA + 6);
    cr_expect_eq(lint.nr_findings, 4, "ADD swallows what follows 1");
}

Test(lint_code, each_symbol_begins_anew)
{
    struct lint_symbol symbols[] = {
        {.va = VA, .size = 5},
        {.va = VA + 4}, /* inside the first one */
        {.va = VA + 6, .size = 4, .is_data = true},
        {.va = VA + 10, .size = UINT64_MAX},
    };

    lint.symbols = symbols;
    lint.nr_symbols = 4;
    cr_assert(lint_code(&lint, bytes, sizeof bytes, VA));
    cr_assert_eq(lint.nr_findings, 2);
    cr_expect_eq(lint.findings[0].va, VA + 5);
    cr_expect_eq(lint.findings[1].va, VA + 10);
}

Test(lint_code, the_32_bit_entry_is_left_out)
{
    struct lint_symbol symbols[] = {{.va = VA + 5}, {.va = VA + 10}};

    lint.symbols = symbols;
    lint.nr_symbols = 2;
    lint.pvh_entry = VA + 5;
    cr_assert(lint_code(&lint, bytes, sizeof bytes, VA));
    cr_assert_eq(lint.nr_findings, 1);
    cr_expect_eq(lint.findings[0].va, VA + 10);
}

Test(lint_code, too_many_are_counted)
{
    enum { SIZE = LINT_MAX_FINDINGS + 10 };
    uint8_t *many = malloc(SIZE);

    memset(many, 0xf4, SIZE);
    cr_assert(lint_code(&lint, many, SIZE, VA));
    cr_expect_eq(lint.nr_findings, LINT_MAX_FINDINGS);
    cr_expect_eq(lint.nr_unlisted, 10);
    free(many);
}
