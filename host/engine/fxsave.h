/*
 * host/engine/fxsave.h: the state of the FPU as a guest gives it, made fit for
 * XRSTOR, which raises a fault where something is wrong.
 */
#ifndef HOST_ENGINE_FXSAVE_H
#define HOST_ENGINE_FXSAVE_H

#include <stdint.h>
#include <string.h>

#define FXSAVE_SIZE   512
#define FXSAVE_MXCSR  24
#define FXSAVE_END    416 /* behind it: reserved, and room for software */
#define MXCSR_DEFINED 0xffffu

#define XSAVE_HEADER      FXSAVE_SIZE /* its first word: what is there */
#define XSAVE_HEADER_SIZE 64
#define XSTATE_X87_SSE    UINT64_C(3)

/*
 * The start of an XSAVE area in the standard format, (xsave), FXSAVE_SIZE +
 * XSAVE_HEADER_SIZE bytes of it, with the x87 and SSE state of (fxsave) and
 * nothing else in use.
 */
static inline void fxsave_to_xsave(uint8_t *xsave, const void *fxsave)
{
    const uint64_t there = XSTATE_X87_SSE;
    uint32_t mxcsr;

    memset(xsave, 0, FXSAVE_SIZE + XSAVE_HEADER_SIZE);
    memcpy(xsave, fxsave, FXSAVE_END);
    memcpy(&mxcsr, xsave + FXSAVE_MXCSR, sizeof mxcsr);
    mxcsr &= MXCSR_DEFINED;
    memcpy(xsave + FXSAVE_MXCSR, &mxcsr, sizeof mxcsr);
    memcpy(xsave + XSAVE_HEADER, &there, sizeof there);
}

#endif
