#include "host/pv/cpuid.h"

#include <cpuid.h>
#include <stdbool.h>
#include <stddef.h>

#define BIT(n) (UINT32_C(1) << (n))

enum { EAX, EBX, ECX, EDX };

/* Leaf 1 and, on AMD, 0x80000001 say these alike. */
#define VME    BIT(1)
#define PSE    BIT(3)
#define APIC   BIT(9)
#define MTRR   BIT(12)
#define PGE    BIT(13)
#define PSE36  BIT(17)
#define COMMON (VME | PSE | APIC | MTRR | PGE | PSE36)

/* Leaf 1, ECX. */
#define MONITOR      BIT(3)
#define VMX          BIT(5)
#define PCID         BIT(17)
#define X2APIC       BIT(21)
#define TSC_DEADLINE BIT(24)

/* Leaf 7, EBX, ECX, EDX. */
#define SMEP    BIT(7)
#define INVPCID BIT(10)
#define SMAP    BIT(20)

#define UMIP   BIT(2)
#define PKU    BIT(3)
#define OSPKE  BIT(4)
#define CET_SS BIT(7)
#define LA57   BIT(16)

#define UINTR   BIT(5)
#define CET_IBT BIT(20)
#define SPECULATION_MSR \
    (BIT(26) | BIT(27) | BIT(28) | BIT(29) | BIT(30) | BIT(31))

/* Leaf 0x80000001, ECX, EDX. */
#define SVM      BIT(2)
#define EXTAPIC  BIT(3)
#define IBS      BIT(10)
#define SKINIT   BIT(12)
#define COUNTERS (BIT(23) | BIT(24) | BIT(28))

#define PAGE1GB BIT(26)

/* Leaf 0x80000008, EBX: AMD's ways to stop speculation, by MSRs. */
#define AMD_SPECULATION_MSR                                                \
    (BIT(12) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | BIT(18) | BIT(19) | \
     BIT(24) | BIT(28))

static const struct {
    uint32_t leaf; /* its subleaf 0 */
    unsigned reg;
    uint32_t bits;
} hidden[] = {
    {1, ECX, MONITOR | VMX | PCID | X2APIC | TSC_DEADLINE},
    {1, EDX, COMMON},
    {7, EBX, SMEP | INVPCID | SMAP},
    {7, ECX, UMIP | PKU | OSPKE | CET_SS | LA57},
    {7, EDX, UINTR | CET_IBT | SPECULATION_MSR},
    {0x80000001, ECX, SVM | EXTAPIC | IBS | SKINIT | COUNTERS},
    {0x80000001, EDX, COMMON | PAGE1GB},
    {0x80000008, EBX, AMD_SPECULATION_MSR},
};

/*
 * Leaf 0xd: what XSAVE keeps. Of the rest, PKRU belongs to a hidden feature,
 * the tiles and the supervisor's states to MSRs.
 */
#define XSAVE_STATES 0xffu /* x87, SSE, AVX, MPX, AVX-512 */
#define XSAVE_LEGACY 576u  /* bytes of x87 and SSE, and the header */

#define XSAVES        BIT(3) /* subleaf 1, EAX */
#define XFD           BIT(4)
#define STATE_ALIGNED BIT(1) /* a state's own subleaf, ECX */

/* The bytes for all of (states), each in its place or one behind another. */
static uint32_t xsave_size(uint32_t states, bool compact)
{
    uint32_t end = XSAVE_LEGACY;

    for (unsigned i = 2; i < 32; i++) {
        uint32_t size, offset, flags, unused;

        if (!(states & BIT(i)))
            continue;
        __cpuid_count(0xd, i, size, offset, flags, unused);
        if (compact)
            offset = flags & STATE_ALIGNED ? (end + 63) & ~63u : end;
        if (offset + size > end)
            end = offset + size;
    }
    return end;
}

/* Sizes are for all that is offered: what a guest will turn on. */
static void describe_xsave(uint32_t subleaf, uint32_t regs[4])
{
    uint32_t states, unused;

    __cpuid_count(0xd, 0, states, unused, unused, unused);
    states &= XSAVE_STATES;
    if (subleaf == 0) {
        regs[EAX] = states;
        regs[EBX] = regs[ECX] = states ? xsave_size(states, false) : 0;
        regs[EDX] = 0;
    } else if (subleaf == 1) {
        regs[EAX] &= ~(XSAVES | XFD);
        regs[EBX] = states ? xsave_size(states, true) : 0;
        regs[ECX] = regs[EDX] = 0;
    } else if (subleaf >= 32 || !(states & BIT(subleaf))) {
        regs[EAX] = regs[EBX] = regs[ECX] = regs[EDX] = 0;
    }
}

void pv_hide_features(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
    if (leaf == 0xd)
        describe_xsave(subleaf, regs);
    if (leaf == 7 && subleaf != 0) /* the others ignore the subleaf */
        return;
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (hidden[i].leaf == leaf)
            regs[hidden[i].reg] &= ~hidden[i].bits;
}
