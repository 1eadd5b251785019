/*
 * The pages that verdict_mmu plays with, and its calls in short.
 */
#ifndef TESTS_GUESTS_VERDICT_MMU_PAGES_H
#define TESTS_GUESTS_VERDICT_MMU_PAGES_H

#include <string.h>

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include "../tables.h"
#include "cases.h"

#define P   0x001ul
#define RW  0x002ul
#define US  0x004ul
#define A   0x020ul
#define D   0x040ul
#define PSE 0x080ul

#define RAM_FLAGS   (P | RW | A | D)
#define TABLE_FLAGS (P | RW | US | A | D)

#define NO_FRAME (~0ul >> 12 >> 4) /* beyond what any machine has */

/* Pages whose entries the builder made. */
extern uint64_t pages[12][NR_ENTRIES];
/* What each is for. */
enum { PLAIN, OTHER, L1, L2, L3, L4, SECOND, SCRATCH };

static inline uint64_t mfn(unsigned page)
{
    return page_mfn(pages[page]);
}

static inline uint64_t maddr(const volatile void *address)
{
    const void *p = (const void *)(uintptr_t)address;

    return (page_mfn(p) << PAGE_SHIFT) + (uintptr_t)p % PAGE_SIZE;
}

static inline long update(uint64_t ptr, uint64_t val)
{
    struct mmu_update req = {.ptr = ptr, .val = val};

    return hypercall_mmu_update(&req, 1, NULL, DOMID_SELF);
}

static inline long ext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = {.cmd = cmd};

    op.arg1.mfn = arg1;
    op.arg2.src_mfn = arg2;
    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static inline long pin(unsigned level, uint64_t frame)
{
    return ext(MMUEXT_PIN_L1_TABLE + level - 1, frame, 0);
}

static inline long unpin(uint64_t frame)
{
    return ext(MMUEXT_UNPIN_TABLE, frame, 0);
}

static inline long map(unsigned page, uint64_t flags)
{
    return hypercall_update_va_mapping(
        (uintptr_t)pages[page], mfn(page) << PAGE_SHIFT | flags, UVMF_INVLPG);
}

/* Empty, and to be read only: what may become a table. */
static inline void make_blank(unsigned page)
{
    map(page, RAM_FLAGS);
    memset(pages[page], 0, sizeof pages[page]);
    map(page, P | A | D);
}

/* mmu_tables.c: what a page may become, and what must be in it. */
void types(void);
void contents(void);
void reserved(void);
void linear(void);
void tree(void);

/* mmu_operations.c: mmuext_op with frames and addresses of every kind. */
void pins(void);
void flushes(void);

#endif
