/*
 * host/engine/process/mode.c: the guest's kernel and its user programs in one
 * address space. From the one to the other, what the tables of both map alike
 * stays; the rest is dropped, and comes back by faults.
 */
#include "host/domain.h"
#include "host/engine/process/process.h"
#include "host/pagetable.h"

#define ENTRIES 512

/* Of an entry, what a mapping is made of. */
#define PTE_COUNTS (PTE_PRESENT | PTE_RW | PTE_NX | PTE_MFN_MASK)

/* A guest may link its tables so often that comparing them takes for ever. */
#define MAX_TABLES 4096

/* Two L4s in comparison, and what differs between them so far. */
struct comparison {
    struct vcpu *vcpu;
    uint64_t from, to; /* to be dropped; nothing if they are the same */
    unsigned nr_tables;
};

static void drop(struct comparison *c)
{
    if (c->from < c->to)
        tlb_drop(c->from, c->to);
    c->from = c->to = 0;
}

/* Pages between two that are to be dropped and not mapped may go with them. */
static void add(struct comparison *c, uint64_t from, uint64_t to)
{
    if (c->from == c->to)
        c->from = from;
    c->to = to;
}

/* False: it would take too long. */
static bool compare(struct comparison *c, unsigned level, mfn_t old, mfn_t new,
                    uint64_t va)
{
    const struct memory *mem = &c->vcpu->domain->mem;
    const uint64_t span = UINT64_C(1) << (PAGE_SHIFT + 9 * (level - 1));
    const uint64_t *left = memory_frame(mem, old);
    const uint64_t *right = memory_frame(mem, new);

    if (!left || !right || c->nr_tables++ == MAX_TABLES)
        return false;
    for (unsigned i = 0; i < ENTRIES && va < PROCESS_VA_END; i++, va += span) {
        const uint64_t was = left[i] & PTE_COUNTS, is = right[i] & PTE_COUNTS;

        if (!(was & PTE_PRESENT) || !tlb_may_have(va, va + span))
            continue;
        if (was == is)
            drop(c);
        else if (level == 1 || (was ^ is) & ~PTE_MFN_MASK)
            add(c, va, va + span);
        else if (!compare(c, level - 1, (was & PTE_MFN_MASK) >> PAGE_SHIFT,
                          (is & PTE_MFN_MASK) >> PAGE_SHIFT, va))
            return false;
    }
    return true;
}

void mode_follow(struct vcpu *vcpu, mfn_t from)
{
    struct comparison c = {.vcpu = vcpu};

    if (compare(&c, 4, from, vcpu_root(vcpu), 0))
        drop(&c);
    else
        tlb_invalidate_all(vcpu);
}

bool mode_can_go(const struct vcpu *vcpu, uint32_t *error)
{
    const uint16_t cs = (uint16_t)vcpu->regs.cs, ss = (uint16_t)vcpu->regs.ss;

    *error = 0;
    if (cs != FLAT_USER_CS64)
        *error = cs & 0xfffc;
    else if (ss != FLAT_USER_SS64)
        *error = ss & 0xfffc;
    return *error == 0;
}
