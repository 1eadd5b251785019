#include "host/pagetable.h"

#include <errno.h>

#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pagetable_private.h"

bool frame_take_type(struct domain *dom, mfn_t mfn, enum frame_type type)
{
    struct frame *frame = pagetable_frame(dom, mfn);

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
    const struct frame *frame = pagetable_frame(dom, mfn);

    return frame && (!frame->uses || frame->type == TYPE_WRITABLE);
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

static int take_page(struct domain *dom, uint64_t pte)
{
    const mfn_t mfn = pte_mfn(pte);

    if (!pagetable_frame(dom, mfn))
        return pagetable_refuse_frame(dom, mfn);
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
    struct frame *other = pagetable_frame(dom, pte_mfn(pte));

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

int pagetable_take_target(struct domain *dom, mfn_t mfn, unsigned level,
                          uint64_t pte, uint64_t va)
{
    int rc;

    if (level == 1)
        return take_page(dom, pte);
    if (!pagetable_reachable(dom, va, entry_pages(level)))
        return -EINVAL;
    if (pte_mfn(pte) == mfn)
        return take_linear(dom, mfn, level, pte);
    rc = take_table(dom, pte_mfn(pte), level - 1, va);
    return rc == -EINVAL && take_linear(dom, mfn, level, pte) == 0 ? 0 : rc;
}

void pagetable_put_target(struct domain *dom, mfn_t mfn, unsigned level,
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
            pagetable_put_target(dom, mfn, level, pte);
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
        rc = pagetable_check_bits(level, pte);
        if (!rc)
            rc = pagetable_take_target(dom, mfn, level, pte,
                                       entry_va(level, va, i));
        if (rc) {
            put_entries(dom, mfn, level, i);
            return rc;
        }
        if (pagetable_adjust(level, pte) == pte)
            continue;
        store(&table[i], pagetable_adjust(level, pte));
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
    struct frame *frame = pagetable_frame(dom, mfn);
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
