/* What a guest gives for the FPU, made fit for XRSTOR. */
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/engine/fxsave.h"

static uint8_t fxsave[FXSAVE_SIZE];
static uint8_t xsave[FXSAVE_SIZE + XSAVE_HEADER_SIZE];

static uint64_t word(const uint8_t *from, size_t offset, size_t size)
{
    uint64_t value = 0;

    memcpy(&value, from + offset, size);
    return value;
}

Test(fxsave, x87_and_sse_are_taken_and_nothing_else_is_in_use)
{
    for (size_t i = 0; i < sizeof fxsave; i++)
        fxsave[i] = (uint8_t)(i * 7);
    memcpy(fxsave + FXSAVE_MXCSR, &(uint32_t){0x1fc0}, 4);
    memset(xsave, 0xee, sizeof xsave);
    fxsave_to_xsave(xsave, fxsave);
    cr_expect_arr_eq(xsave, fxsave, FXSAVE_END);
    cr_expect_eq(word(xsave, XSAVE_HEADER, 8), XSTATE_X87_SSE);
    for (size_t i = XSAVE_HEADER + 8; i < sizeof xsave; i++)
        cr_expect_eq(xsave[i], 0);
}

Test(fxsave, what_xrstor_would_fault_on_is_left_out)
{
    memset(fxsave, 0xff, sizeof fxsave);
    fxsave_to_xsave(xsave, fxsave);
    cr_expect_eq(word(xsave, FXSAVE_MXCSR, 4), MXCSR_DEFINED);
    cr_expect_eq(word(xsave, XSAVE_HEADER, 8), XSTATE_X87_SSE);
    for (size_t i = FXSAVE_END; i < FXSAVE_SIZE; i++)
        cr_expect_eq(xsave[i], 0);
}
