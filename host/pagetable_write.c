#include <errno.h>

#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pagetable_private.h"

int pagetable_find(const struct vcpu *vcpu, uint64_t va, maddr_t *pte_addr)
{
    mfn_t mfn = vcpu->cr3;

    if (!va_is_guest(va))
        return -EINVAL;
    for (unsigned level = 4;; level--) {
        const uint64_t *table = memory_frame(&vcpu->domain->mem, mfn);
        unsigned slot = (va >> (PAGE_SHIFT + 9 * (level - 1))) % ENTRIES;
        uint64_t pte;

        if (!table)
            return -EINVAL;
        if (level == 1) {
            *pte_addr = (mfn << PAGE_SHIFT) + slot * sizeof *table;
            return 0;
        }
        pte = load(&table[slot]);
        if (!(pte & PTE_PRESENT) || (pte & PTE_PSE))
            return -EINVAL;
        mfn = pte_mfn(pte);
    }
}

/* Do both entries refer to the same thing in the same way? */
static bool same_target(uint64_t old, uint64_t val)
{
    const uint64_t matters = PTE_PRESENT | PTE_MFN_MASK | PTE_RW;

    return (old & PTE_PRESENT) && (old & matters) == (val & matters);
}

/*
 * What the new entry (val) of a table refers to is taken. Others may have had
 * their turn, and the table may be linked elsewhere: where the entry starts
 * now, and the target knows.
 */
static uint64_t follow_link(struct vcpu *vcpu, maddr_t pte_addr, unsigned level,
                            uint64_t va, uint64_t val)
{
    const struct frame *frame =
        memory_record(&vcpu->domain->mem, pte_addr >> PAGE_SHIFT);
    const unsigned slot = pte_addr % PAGE_SIZE / sizeof(uint64_t);

    for (;;) {
        const uint64_t now = entry_va(level, frame->linked_at, slot);

        if (now == va)
            return va;
        va = now;
        pagetable_link(vcpu, pte_mfn(val), level - 1, va);
    }
}

/*
 * Write the entry at (pte_addr), of a table of (level); it starts at (va).
 * What another vCPU wrote there in its turn is what goes; and what goes no
 * vCPU uses any more before it is put.
 */
static int write_entry(struct vcpu *vcpu, maddr_t pte_addr, unsigned level,
                       uint64_t va, uint64_t val, bool keep_ad)
{
    struct domain *dom = vcpu->domain;
    uint64_t *table = memory_frame(&dom->mem, pte_addr >> PAGE_SHIFT);
    uint64_t *entry = &table[(pte_addr % PAGE_SIZE) / sizeof *table];
    uint64_t old = load(entry);
    bool same = same_target(old, val);
    int rc;

    if (val & PTE_PRESENT) {
        rc = pagetable_check_bits(level, val);
        if (!rc && level == 1 && !pagetable_reachable(dom, va, 1))
            rc = -EINVAL;
        if (!rc && !same)
            rc = pagetable_take_target(vcpu, pte_addr >> PAGE_SHIFT, level, val,
                                       va);
        if (rc)
            return rc;
        if (!same && level > 1)
            va = follow_link(vcpu, pte_addr, level, va, val);
        old = load(entry);
        if (keep_ad)
            val |= old & (PTE_ACCESSED | PTE_DIRTY);
        val = pagetable_adjust(level, val);
    }
    store(entry, val);
    if (!(old & PTE_PRESENT))
        return 0;
    if (old != val) {
        tell_table_written(dom, pte_addr);
        pagetable_forget(vcpu, level, va);
    }
    if (!same)
        pagetable_put_target(vcpu, pte_addr >> PAGE_SHIFT, level, old);
    return 0;
}

int pagetable_check_io(const struct vcpu *vcpu, maddr_t pte_addr, uint64_t val)
{
    const struct domain *dom = vcpu->domain;
    const mfn_t mfn = pte_addr >> PAGE_SHIFT;
    const struct frame *frame = pagetable_frame(dom, mfn);
    const uint64_t *table = memory_frame(&dom->mem, mfn);

    if (!frame || !table || !frame->uses || frame->type != TYPE_L1 ||
        !(val & PTE_PRESENT) || pagetable_check_bits(1, val) ||
        same_target(load(&table[pte_addr % PAGE_SIZE / sizeof *table]), val))
        return 0;
    return pagetable_frame(dom, pte_mfn(val))
               ? -EBUSY
               : pagetable_refuse_frame(dom, pte_mfn(val));
}

/* (va) is FRAME_LINKED_NEVER if the caller only knows the address. */
static int write_at(struct vcpu *vcpu, maddr_t pte_addr, uint64_t va,
                    uint64_t val, bool keep_ad)
{
    mfn_t mfn = pte_addr >> PAGE_SHIFT;
    unsigned slot = (pte_addr % PAGE_SIZE) / sizeof(uint64_t);
    struct frame *frame = pagetable_frame(vcpu->domain, mfn);
    uint64_t *table = memory_frame(&vcpu->domain->mem, mfn);
    const unsigned level = frame ? frame->type : 0;
    int rc;

    if (!frame || !table || pte_addr % sizeof *table)
        return -EINVAL;
    if (frame_is_writable(vcpu->domain, mfn)) {
        store(&table[slot], val);
        return 0;
    }
    if (level < TYPE_L1 || level > TYPE_L4 || frame->changing ||
        is_hole(level, slot))
        return -EINVAL;
    if (va == FRAME_LINKED_NEVER || frame->linked_at == FRAME_LINKED_MANY)
        va = entry_va(level, frame->linked_at, slot);
    if (level == 1)
        return write_entry(vcpu, pte_addr, level, va, val, keep_ad);
    frame->uses++; /* it is there, in another's turn too */
    rc = write_entry(vcpu, pte_addr, level, va, val, keep_ad);
    pagetable_put(vcpu, mfn, level);
    return rc;
}

int pagetable_write(struct vcpu *vcpu, maddr_t pte_addr, uint64_t val,
                    bool keep_ad)
{
    return write_at(vcpu, pte_addr, FRAME_LINKED_NEVER, val, keep_ad);
}

int pagetable_write_at(struct vcpu *vcpu, uint64_t va, uint64_t val)
{
    const struct frame *frame;
    maddr_t pte_addr;
    int rc = pagetable_find(vcpu, va, &pte_addr);

    if (rc)
        return rc;
    frame = pagetable_frame(vcpu->domain, pte_addr >> PAGE_SHIFT);
    if (!frame || frame->type != TYPE_L1)
        return -EINVAL;
    if ((val & PTE_PRESENT) && !pagetable_reachable(vcpu->domain, va, 1))
        return -EINVAL;
    return write_at(vcpu, pte_addr, va & ~(uint64_t)(PAGE_SIZE - 1), val,
                    false);
}
