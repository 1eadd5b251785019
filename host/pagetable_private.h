/*
 * host/pagetable_private.h: what the files about page tables share.
 *
 * pagetable_entry.c knows single entries and frames, pagetable.c types and
 * whole tables, pagetable_root.c who uses them, pagetable_write.c how an entry
 * changes.
 */
#ifndef HOST_PAGETABLE_PRIVATE_H
#define HOST_PAGETABLE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/pagetable.h"

#define ENTRIES 512

/* The L4 slots of the hypervisor's hole. */
#define HOLE_FIRST_SLOT 256
#define HOLE_LAST_SLOT  271

static inline uint64_t load(const uint64_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

static inline void store(uint64_t *entry, uint64_t val)
{
    __atomic_store_n(entry, val, __ATOMIC_RELAXED);
}

static inline mfn_t pte_mfn(uint64_t pte)
{
    return (pte & PTE_MFN_MASK) >> PAGE_SHIFT;
}

/* Does the hypervisor own this slot of a table of (level)? */
static inline bool is_hole(unsigned level, unsigned slot)
{
    return level == 4 && slot >= HOLE_FIRST_SLOT && slot <= HOLE_LAST_SLOT;
}

/* Pages that one entry of (level) covers. */
static inline uint64_t entry_pages(unsigned level)
{
    return UINT64_C(1) << (9 * (level - 1));
}

/* Where entry (slot) starts, in a table of (level) that starts at (va). */
static inline uint64_t entry_va(unsigned level, uint64_t va, unsigned slot)
{
    if (va == FRAME_LINKED_NEVER || va == FRAME_LINKED_MANY)
        return va;
    va += (uint64_t)slot * entry_pages(level) << PAGE_SHIFT;
    return (uint64_t)((int64_t)(va << 16) >> 16);
}

/* The record of a frame that the guest may refer to, or NULL. */
struct frame *pagetable_frame(const struct domain *dom, mfn_t mfn);

/*
 * Can the engine show the guest anything in (pages) from (va) on? A warning,
 * once: a kernel that tries is about to fail for good.
 */
bool pagetable_reachable(const struct domain *dom, uint64_t va, uint64_t pages);

/* Have the engine forget what entry (va) of a table of (level) translated. */
void pagetable_forget(struct vcpu *vcpu, unsigned level, uint64_t va);

/* What Xen makes of a valid entry; guests see it when they read it back. */
uint64_t pagetable_adjust(unsigned level, uint64_t pte);

/* 0, or -EINVAL for a present entry with bits that are not the guest's. */
int pagetable_check_bits(unsigned level, uint64_t pte);

/* Why an L1 entry cannot map (mfn), which is not the domain's. */
int pagetable_refuse_frame(const struct domain *dom, mfn_t mfn);

/*
 * Take, or put, what the present entry (pte) of table (mfn) of (level) refers
 * to; the entry starts at (va). Errors as pagetable_pin. Above level 1 the
 * others may get their turn meanwhile: (vcpu) is the caller.
 */
int pagetable_take_target(struct vcpu *vcpu, mfn_t mfn, unsigned level,
                          uint64_t pte, uint64_t va);
void pagetable_put_target(struct vcpu *vcpu, mfn_t mfn, unsigned level,
                          uint64_t pte);

/*
 * One more use of (mfn) as a table of (level) that starts at (va): it is whole
 * when this returns. Errors as pagetable_pin.
 */
int pagetable_take(struct vcpu *vcpu, mfn_t mfn, unsigned level, uint64_t va);

/* One use less of table (mfn) of (level); the others may get their turn. */
void pagetable_put(struct vcpu *vcpu, mfn_t mfn, unsigned level);

/*
 * A table that is in use is linked at (va) from now on (too): it and all below
 * it know when this returns.
 */
void pagetable_link(struct vcpu *vcpu, mfn_t mfn, unsigned level, uint64_t va);

#endif
