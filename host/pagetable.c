#include "host/pagetable.h"

#include <errno.h>

#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/log.h"

#define ENTRIES 512

/* The L4 slots of the hypervisor's hole. */
#define HOLE_FIRST_SLOT 256
#define HOLE_LAST_SLOT  271
#define HOLE_START      UINT64_C(0xffff800000000000)
#define HOLE_END        UINT64_C(0xffff880000000000)

/* Bits a guest may set in a present entry; the domain has no devices. */
#define UPPER_ALLOWED                                                         \
    (PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_DIRTY | PTE_AVAIL | \
     PTE_AVAIL_HI | PTE_NX | PTE_MFN_MASK)
#define L1_ALLOWED (UPPER_ALLOWED | PTE_GLOBAL)

bool va_is_guest(uint64_t va)
{
    return va_is_canonical(va) && !(va >= HOLE_START && va < HOLE_END);
}

static uint64_t load(const uint64_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

static void store(uint64_t *entry, uint64_t val)
{
    __atomic_store_n(entry, val, __ATOMIC_RELAXED);
}

static mfn_t pte_mfn(uint64_t pte)
{
    return (pte & PTE_MFN_MASK) >> PAGE_SHIFT;
}

/* Does the hypervisor own this slot of a table of (level)? */
static bool is_hole(unsigned level, unsigned slot)
{
    return level == 4 && slot >= HOLE_FIRST_SLOT && slot <= HOLE_LAST_SLOT;
}

/* Pages that one entry of (level) covers. */
static uint64_t entry_pages(unsigned level)
{
    return UINT64_C(1) << (9 * (level - 1));
}

/* Where entry (slot) starts, in a table of (level) that starts at (va). */
static uint64_t entry_va(unsigned level, uint64_t va, unsigned slot)
{
    if (va == FRAME_LINKED_NEVER || va == FRAME_LINKED_MANY)
        return va;
    va += (uint64_t)slot * entry_pages(level) << PAGE_SHIFT;
    return (uint64_t)((int64_t)(va << 16) >> 16);
}

/* The record of a frame that the guest may refer to, or NULL. */
static struct frame *own_frame(const struct domain *dom, mfn_t mfn)
{
    struct frame *frame = memory_record(&dom->mem, mfn);

    if (!frame || frame->state == FRAME_FREE || frame->given_back)
        return NULL;
    return frame;
}

bool frame_take_type(struct domain *dom, mfn_t mfn, enum frame_type type)
{
    struct frame *frame = own_frame(dom, mfn);

    if (!frame || (frame->uses && frame->type != type))
        return false;
    if (frame->uses == UINT32_MAX)
        return false;
    frame->type = (uint8_t)type;
    frame->uses++;
    return true;
}

void frame_put_type(struct domain *dom, mfn_t mfn, enum frame_type type)
{
    struct frame *frame = memory_record(&dom->mem, mfn);

    if (!frame || frame->type != type || !frame->uses)
        return;
    if (--frame->uses == 0)
        frame->type = TYPE_NONE;
}

bool frame_is_writable(const struct domain *dom, mfn_t mfn)
{
    const struct frame *frame = own_frame(dom, mfn);

    return frame && (!frame->uses || frame->type == TYPE_WRITABLE);
}

/*
 * Can the engine show the guest anything in these pages? Said once: a kernel
 * that tries is about to fail for good.
 */
static bool is_reachable(const struct domain *dom, uint64_t va, uint64_t pages)
{
    static bool said;
    const struct engine_ops *ops = engine_ops_of(dom);

    if (!ops || va == FRAME_LINKED_NEVER || va == FRAME_LINKED_MANY)
        return true;
    if (va < ops->va_end && va + ((pages << PAGE_SHIFT) - 1) >= ops->va_start)
        return true;
    if (!said)
        log_warning("the guest maps something at 0x%llx, but the engine %s "
                    "offers 0x%llx to 0x%llx only: link the guest there or "
                    "use another --engine",
                    (unsigned long long)va, ops->name,
                    (unsigned long long)ops->va_start,
                    (unsigned long long)ops->va_end);
    said = true;
    return false;
}

/* Have the engine forget what entry (va) of a table of (level) translated. */
static void forget(struct vcpu *vcpu, unsigned level, uint64_t va)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);
    uint64_t end;

    if (!ops || va == FRAME_LINKED_NEVER)
        return;
    /* tables that show tables are other addresses of the same */
    if (va == FRAME_LINKED_MANY || (level > 1 && vcpu->domain->mem.nr_linear)) {
        tell_invalidate_all(vcpu);
        return;
    }
    end = va + (entry_pages(level) << PAGE_SHIFT);
    if (end > ops->va_end || end < va)
        end = ops->va_end;
    if (va < ops->va_start)
        va = ops->va_start & ~(uint64_t)(PAGE_SIZE - 1);
    if (va < end)
        tell_invalidate(vcpu, va, (end - va) >> PAGE_SHIFT);
}

/* What Xen makes of a valid entry; guests see it when they read it back. */
static uint64_t adjust(unsigned level, uint64_t pte)
{
    if (level == 4)
        return pte | PTE_USER | PTE_ACCESSED;
    if (level > 1)
        return pte | PTE_USER;
    if (!(pte & PTE_USER))
        return pte | PTE_USER | PTE_GUEST;
    return pte & PTE_GUEST ? pte : pte | PTE_GLOBAL;
}

static int check_bits(unsigned level, uint64_t pte)
{
    return pte & ~(level == 1 ? L1_ALLOWED : UPPER_ALLOWED) ? -EINVAL : 0;
}

/*
 * A table is linked at (va) from now on (too): it and all below it know. Each
 * record changes at most twice, so this ends soon whatever the tables say.
 */
static void link_table(struct domain *dom, mfn_t mfn, unsigned level,
                       uint64_t va)
{
    struct frame *frame = memory_record(&dom->mem, mfn);
    const uint64_t *table = memory_frame(&dom->mem, mfn);

    if (!frame || !table || frame->type != level || !frame->uses)
        return;
    if (va == FRAME_LINKED_NEVER || va == frame->linked_at ||
        frame->linked_at == FRAME_LINKED_MANY)
        return;
    if (frame->linked_at != FRAME_LINKED_NEVER)
        va = FRAME_LINKED_MANY;
    frame->linked_at = va;
    for (unsigned i = 0; level > 1 && i < ENTRIES; i++) {
        uint64_t pte = load(&table[i]);

        if ((pte & PTE_PRESENT) && !is_hole(level, i))
            link_table(dom, pte_mfn(pte), level - 1, entry_va(level, va, i));
    }
}

static int take_table(struct domain *dom, mfn_t mfn, unsigned level,
                      uint64_t va);
static void put_table(struct domain *dom, mfn_t mfn, unsigned level);

/* Why an L1 entry cannot map (mfn), which is not the domain's. */
static int refuse_frame(const struct domain *dom, mfn_t mfn)
{
    if (mfn == PTE_MFN_MASK >> PAGE_SHIFT)
        return -EINVAL;
    if (mfn >= dom->mem.first_mfn + dom->mem.nr_frames)
        return -EPERM; /* no RAM at all, and no device of the domain's */
    return -EBUSY;
}

static int take_page(struct domain *dom, uint64_t pte)
{
    const mfn_t mfn = pte_mfn(pte);

    if (!own_frame(dom, mfn))
        return refuse_frame(dom, mfn);
    if ((pte & PTE_RW) && !frame_take_type(dom, mfn, TYPE_WRITABLE))
        return -EBUSY;
    return 0;
}

/*
 * An entry of table (mfn) that refers to a table of its own (level), so that
 * tables show up as pages: only to be read, and one such step at most, for a
 * table that has such entries is never referred to by one. To itself costs no
 * reference.
 */
static int take_linear(struct domain *dom, mfn_t mfn, unsigned level,
                       uint64_t pte)
{
    struct frame *self = memory_record(&dom->mem, mfn);
    struct frame *other = own_frame(dom, pte_mfn(pte));

    if (!self || !other || (pte & PTE_RW) || other->type != level ||
        !other->uses || other->uses == UINT32_MAX)
        return -EINVAL;
    if (self != other) {
        if (self->linear < 0 || other->linear > 0)
            return -EINVAL;
        self->linear++;
        other->linear--;
        other->uses++;
    }
    dom->mem.nr_linear++;
    return 0;
}

/* True if the entry was one of these, whose reference is gone now. */
static bool put_linear(struct domain *dom, mfn_t mfn, unsigned level,
                       uint64_t pte)
{
    struct frame *self = memory_record(&dom->mem, mfn);
    struct frame *other = memory_record(&dom->mem, pte_mfn(pte));

    if (!self || !other || (self != other && other->type != level))
        return false;
    dom->mem.nr_linear--;
    if (self != other) {
        self->linear--;
        other->linear++;
        put_table(dom, pte_mfn(pte), level);
    }
    return true;
}

/* Take what the present entry (pte) of table (mfn) of (level) refers to. */
static int take_target(struct domain *dom, mfn_t mfn, unsigned level,
                       uint64_t pte, uint64_t va)
{
    int rc;

    if (level == 1)
        return take_page(dom, pte);
    if (!is_reachable(dom, va, entry_pages(level)))
        return -EINVAL;
    if (pte_mfn(pte) == mfn)
        return take_linear(dom, mfn, level, pte);
    rc = take_table(dom, pte_mfn(pte), level - 1, va);
    return rc == -EINVAL && take_linear(dom, mfn, level, pte) == 0 ? 0 : rc;
}

static void put_target(struct domain *dom, mfn_t mfn, unsigned level,
                       uint64_t pte)
{
    if (level == 1) {
        if (pte & PTE_RW)
            frame_put_type(dom, pte_mfn(pte), TYPE_WRITABLE);
    } else if (!put_linear(dom, mfn, level, pte)) {
        put_table(dom, pte_mfn(pte), level - 1);
    }
}

/* Of the first (nr) entries of table (mfn). */
static void put_entries(struct domain *dom, mfn_t mfn, unsigned level,
                        unsigned nr)
{
    const uint64_t *table = memory_frame(&dom->mem, mfn);

    for (unsigned i = 0; i < nr; i++) {
        uint64_t pte = load(&table[i]);

        if ((pte & PTE_PRESENT) && !is_hole(level, i))
            put_target(dom, mfn, level, pte);
    }
}

/* Take all entries of table (mfn), which starts at (va); all or nothing. */
static int validate(struct domain *dom, mfn_t mfn, unsigned level, uint64_t va)
{
    uint64_t *table = memory_frame(&dom->mem, mfn);

    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t pte = load(&table[i]);
        int rc;

        if (is_hole(level, i)) {
            store(&table[i], 0);
            continue;
        }
        if (!(pte & PTE_PRESENT))
            continue;
        rc = check_bits(level, pte);
        if (!rc)
            rc = take_target(dom, mfn, level, pte, entry_va(level, va, i));
        if (rc) {
            put_entries(dom, mfn, level, i);
            return rc;
        }
        if (adjust(level, pte) == pte)
            continue;
        store(&table[i], adjust(level, pte));
        tell_table_written(dom, (mfn << PAGE_SHIFT) + i * sizeof *table);
    }
    return 0;
}

/*
 * One more use of (mfn) as a table of (level). Recursion is as deep as the
 * levels. While a table is validated it has its type already, so that an
 * entry of it which maps the table itself is caught.
 */
static int take_table(struct domain *dom, mfn_t mfn, unsigned level,
                      uint64_t va)
{
    struct frame *frame = own_frame(dom, mfn);
    int rc;

    if (!frame || frame->state != FRAME_RAM || frame->uses == UINT32_MAX)
        return -EINVAL;
    if (frame->uses) {
        if (frame->type != level)
            return -EINVAL;
        frame->uses++;
        link_table(dom, mfn, level, va);
        return 0;
    }
    frame->type = (uint8_t)level;
    frame->uses = 1;
    frame->linked_at = va;
    rc = validate(dom, mfn, level, va);
    if (rc) {
        frame->type = TYPE_NONE;
        frame->uses = 0;
        frame->linked_at = FRAME_LINKED_NEVER;
    }
    return rc;
}

static void put_table(struct domain *dom, mfn_t mfn, unsigned level)
{
    struct frame *frame = memory_record(&dom->mem, mfn);

    if (!frame || frame->type != level || !frame->uses)
        return;
    if (--frame->uses > 0)
        return;
    frame->type = TYPE_NONE;
    frame->linked_at = FRAME_LINKED_NEVER;
    put_entries(dom, mfn, level, ENTRIES);
}

int pagetable_pin(struct vcpu *vcpu, mfn_t mfn, unsigned level)
{
    struct frame *frame = memory_record(&vcpu->domain->mem, mfn);
    uint64_t va = level == 4 ? 0 : FRAME_LINKED_NEVER;
    int rc;

    if (!frame || frame->pinned)
        return -EINVAL;
    rc = take_table(vcpu->domain, mfn, level, va);
    if (!rc)
        frame->pinned = true;
    return rc;
}

int pagetable_unpin(struct vcpu *vcpu, mfn_t mfn)
{
    struct frame *frame = memory_record(&vcpu->domain->mem, mfn);

    if (!frame || !frame->pinned)
        return -EINVAL;
    frame->pinned = false;
    put_table(vcpu->domain, mfn, frame->type);
    return 0;
}

int pagetable_adopt(struct vcpu *vcpu)
{
    int rc = pagetable_pin(vcpu, vcpu->cr3, 4);

    return rc ? rc : take_table(vcpu->domain, vcpu->cr3, 4, 0);
}

int pagetable_use(struct domain *dom, mfn_t l4)
{
    return take_table(dom, l4, 4, 0);
}

void pagetable_leave(struct domain *dom, mfn_t l4)
{
    put_table(dom, l4, 4);
}

int pagetable_set_base(struct vcpu *vcpu, mfn_t l4)
{
    int rc;

    if (l4 != vcpu->cr3) {
        rc = pagetable_use(vcpu->domain, l4);
        if (rc)
            return rc;
        pagetable_leave(vcpu->domain, vcpu->cr3);
        vcpu->cr3 = l4;
    }
    tell_invalidate_all(vcpu);
    return 0;
}

int pagetable_set_user_base(struct vcpu *vcpu, mfn_t l4)
{
    int rc;

    if (l4) {
        rc = take_table(vcpu->domain, l4, 4, 0);
        if (rc)
            return rc;
    }
    if (vcpu->cr3_user)
        put_table(vcpu->domain, vcpu->cr3_user, 4);
    vcpu->cr3_user = l4;
    return 0;
}

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

/* Write the entry at (pte_addr), of a table of (level); it starts at (va). */
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
        if (keep_ad)
            val |= old & (PTE_ACCESSED | PTE_DIRTY);
        rc = check_bits(level, val);
        if (!rc && level == 1 && !is_reachable(dom, va, 1))
            rc = -EINVAL;
        if (!rc && !same)
            rc = take_target(dom, pte_addr >> PAGE_SHIFT, level, val, va);
        if (rc)
            return rc;
        val = adjust(level, val);
    }
    store(entry, val);
    if (!(old & PTE_PRESENT))
        return 0;
    if (!same)
        put_target(dom, pte_addr >> PAGE_SHIFT, level, old);
    if (old != val) {
        tell_table_written(dom, pte_addr);
        forget(vcpu, level, va);
    }
    return 0;
}

int pagetable_check_io(const struct vcpu *vcpu, maddr_t pte_addr, uint64_t val)
{
    const struct domain *dom = vcpu->domain;
    const mfn_t mfn = pte_addr >> PAGE_SHIFT;
    const struct frame *frame = own_frame(dom, mfn);
    const uint64_t *table = memory_frame(&dom->mem, mfn);

    if (!frame || !table || !frame->uses || frame->type != TYPE_L1 ||
        !(val & PTE_PRESENT) || check_bits(1, val) ||
        same_target(load(&table[pte_addr % PAGE_SIZE / sizeof *table]), val))
        return 0;
    return own_frame(dom, pte_mfn(val)) ? -EBUSY
                                        : refuse_frame(dom, pte_mfn(val));
}

/* (va) is FRAME_LINKED_NEVER if the caller only knows the address. */
static int write_at(struct vcpu *vcpu, maddr_t pte_addr, uint64_t va,
                    uint64_t val, bool keep_ad)
{
    mfn_t mfn = pte_addr >> PAGE_SHIFT;
    unsigned slot = (pte_addr % PAGE_SIZE) / sizeof(uint64_t);
    const struct frame *frame = own_frame(vcpu->domain, mfn);
    uint64_t *table = memory_frame(&vcpu->domain->mem, mfn);

    if (!frame || !table || pte_addr % sizeof *table)
        return -EINVAL;
    if (frame_is_writable(vcpu->domain, mfn)) {
        store(&table[slot], val);
        return 0;
    }
    if (frame->type < TYPE_L1 || frame->type > TYPE_L4 ||
        is_hole(frame->type, slot))
        return -EINVAL;
    if (va == FRAME_LINKED_NEVER || frame->linked_at == FRAME_LINKED_MANY)
        va = entry_va(frame->type, frame->linked_at, slot);
    return write_entry(vcpu, pte_addr, frame->type, va, val, keep_ad);
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
    frame = own_frame(vcpu->domain, pte_addr >> PAGE_SHIFT);
    if (!frame || frame->type != TYPE_L1)
        return -EINVAL;
    if ((val & PTE_PRESENT) && !is_reachable(vcpu->domain, va, 1))
        return -EINVAL;
    return write_at(vcpu, pte_addr, va & ~(uint64_t)(PAGE_SIZE - 1), val,
                    false);
}
