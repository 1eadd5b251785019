#include "host/pagetable.h"

#include <errno.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pagetable_private.h"

/* Of up to 512 entries each, before the others get their turn. */
#define TABLES_PER_TURN 8

/* Uses that can be asked for: a vCPU holds a table twice at most, for a while.
 */
#define MOST_USES (UINT32_MAX - 2 * DOMAIN_MAX_VCPUS)

/*
 * No vCPU may write to (frame), which becomes something else than writable:
 * those that did not forget all since it was writable do so now. Where all
 * share one cache the change of its entry was enough, as it is for one vCPU.
 */
static void flush_stale(struct domain *dom, struct frame *frame)
{
    const struct engine_ops *ops = engine_ops_of(dom);
    const uint64_t dropped_at = frame->dropped_at;
    uint64_t stale = 0;

    frame->dropped_at = FRAME_LINKED_NEVER;
    if (dom->nr_vcpus == 1 || dropped_at == FRAME_LINKED_NEVER ||
        (ops && ops->one_cache))
        return;
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        if (dom->vcpus[i].flushed_at < dropped_at)
            stale |= UINT64_C(1) << i;
    if (stale)
        tell_flush_vcpus(dom, stale, 0, 0);
}

bool frame_take_type(struct domain *dom, mfn_t mfn, enum frame_type type)
{
    struct frame *frame = pagetable_frame(dom, mfn);

    if (!frame || (frame->uses && frame->type != type))
        return false;
    if (frame->uses == UINT32_MAX)
        return false;
    if (!frame->uses && type != TYPE_WRITABLE)
        flush_stale(dom, frame);
    frame->type = (uint8_t)type;
    frame->uses++;
    return true;
}

void frame_put_type(struct domain *dom, mfn_t mfn, enum frame_type type)
{
    struct frame *frame = memory_record(&dom->mem, mfn);

    if (!frame || frame->type != type || !frame->uses)
        return;
    if (--frame->uses > 0)
        return;
    frame->type = TYPE_NONE;
    if (type == TYPE_WRITABLE)
        frame->dropped_at = dom->mem.flushes + 1;
}

bool frame_is_writable(const struct domain *dom, mfn_t mfn)
{
    const struct frame *frame = pagetable_frame(dom, mfn);

    return frame && (!frame->uses || frame->type == TYPE_WRITABLE);
}

/*
 * One table more was taken, put or told of a link: after some of them the
 * others get their turn. False if the domain ended meanwhile.
 */
static bool pass_turn(struct vcpu *vcpu)
{
    if (vcpu->tables_at_once || ++vcpu->nr_tables % TABLES_PER_TURN)
        return true;
    return call_breathe(vcpu);
}

static bool is_table(const struct frame *frame, unsigned level)
{
    return frame && frame->uses && frame->type == level;
}

/*
 * Each record changes at most twice, so this ends soon whatever the tables
 * say. Tables on the way are held; what changes in them in another's turn is
 * linked by who changes it, for they know already where they are.
 */
void pagetable_link(struct vcpu *vcpu, mfn_t mfn, unsigned level, uint64_t va)
{
    struct memory *mem = &vcpu->domain->mem;
    struct frame *frame = memory_record(mem, mfn);
    const uint64_t *table = memory_frame(mem, mfn);

    if (!table || va == FRAME_LINKED_NEVER)
        return;
    while (is_table(frame, level) && frame->linking)
        if (!call_breathe(vcpu))
            return;
    if (!is_table(frame, level) || frame->changing || va == frame->linked_at ||
        frame->linked_at == FRAME_LINKED_MANY)
        return;
    if (frame->linked_at != FRAME_LINKED_NEVER)
        va = FRAME_LINKED_MANY;
    frame->linked_at = va;
    if (level == 1)
        return;
    frame->uses++;
    frame->linking = true;
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t pte = load(&table[i]);

        if ((pte & PTE_PRESENT) && !is_hole(level, i))
            pagetable_link(vcpu, pte_mfn(pte), level - 1,
                           entry_va(level, va, i));
    }
    pass_turn(vcpu);
    frame->linking = false;
    pagetable_put(vcpu, mfn, level);
}

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

    if (!self || (pte & PTE_RW) || !is_table(other, level) ||
        other->uses >= MOST_USES)
        return -EINVAL;
    if (self != other) {
        if (other->changing || self->linear < 0 || other->linear > 0)
            return -EINVAL;
        self->linear++;
        other->linear--;
        other->uses++;
    }
    dom->mem.nr_linear++;
    return 0;
}

/* True if the entry was one of these, whose reference is gone now. */
static bool put_linear(struct vcpu *vcpu, mfn_t mfn, unsigned level,
                       uint64_t pte)
{
    struct domain *dom = vcpu->domain;
    struct frame *self = memory_record(&dom->mem, mfn);
    struct frame *other = memory_record(&dom->mem, pte_mfn(pte));

    if (!self || !other || (self != other && other->type != level))
        return false;
    dom->mem.nr_linear--;
    if (self != other) {
        self->linear--;
        other->linear++;
        pagetable_put(vcpu, pte_mfn(pte), level);
    }
    return true;
}

int pagetable_take_target(struct vcpu *vcpu, mfn_t mfn, unsigned level,
                          uint64_t pte, uint64_t va)
{
    struct domain *dom = vcpu->domain;
    int rc;

    if (level == 1)
        return take_page(dom, pte);
    if (!pagetable_reachable(dom, va, entry_pages(level)))
        return -EINVAL;
    if (pte_mfn(pte) == mfn)
        return take_linear(dom, mfn, level, pte);
    rc = pagetable_take(vcpu, pte_mfn(pte), level - 1, va);
    return rc == -EINVAL && take_linear(dom, mfn, level, pte) == 0 ? 0 : rc;
}

void pagetable_put_target(struct vcpu *vcpu, mfn_t mfn, unsigned level,
                          uint64_t pte)
{
    if (level == 1) {
        if (pte & PTE_RW)
            frame_put_type(vcpu->domain, pte_mfn(pte), TYPE_WRITABLE);
    } else if (!put_linear(vcpu, mfn, level, pte)) {
        pagetable_put(vcpu, pte_mfn(pte), level - 1);
    }
}

/* Of the first (nr) entries of table (mfn). */
static void put_entries(struct vcpu *vcpu, mfn_t mfn, unsigned level,
                        unsigned nr)
{
    const uint64_t *table = memory_frame(&vcpu->domain->mem, mfn);

    for (unsigned i = 0; i < nr; i++) {
        uint64_t pte = load(&table[i]);

        if ((pte & PTE_PRESENT) && !is_hole(level, i))
            pagetable_put_target(vcpu, mfn, level, pte);
    }
}

/* Take all entries of table (mfn), which starts at (va); all or nothing. */
static int validate(struct vcpu *vcpu, mfn_t mfn, unsigned level, uint64_t va)
{
    struct domain *dom = vcpu->domain;
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
            rc = pagetable_take_target(vcpu, mfn, level, pte,
                                       entry_va(level, va, i));
        if (rc) {
            put_entries(vcpu, mfn, level, i);
            return rc;
        }
        if (pagetable_adjust(level, pte) == pte)
            continue;
        store(&table[i], pagetable_adjust(level, pte));
        tell_table_written(dom, (mfn << PAGE_SHIFT) + i * sizeof *table);
    }
    return 0;
}

/* (frame), which was (changing), is no table any more. */
static void end_table(struct frame *frame)
{
    frame->type = TYPE_NONE;
    frame->uses = 0;
    frame->linked_at = FRAME_LINKED_NEVER;
    frame->changing = false;
}

/*
 * (frame) of (mfn), unused, becomes a table of (level), or not. While it is
 * validated it has its type already, so that an entry of it which maps the
 * table itself is caught, and nobody else makes it something else.
 */
static int make_table(struct vcpu *vcpu, struct frame *frame, mfn_t mfn,
                      unsigned level, uint64_t va)
{
    int rc;

    flush_stale(vcpu->domain, frame);
    frame->type = (uint8_t)level;
    frame->uses = 1;
    frame->linked_at = va;
    frame->changing = true;
    rc = pass_turn(vcpu) ? validate(vcpu, mfn, level, va) : -EINTR;
    if (rc)
        end_table(frame);
    else
        frame->changing = false;
    return rc;
}

/* Recursion is as deep as the levels. */
int pagetable_take(struct vcpu *vcpu, mfn_t mfn, unsigned level, uint64_t va)
{
    for (;;) {
        struct frame *frame = pagetable_frame(vcpu->domain, mfn);

        if (!frame || frame->state != FRAME_RAM || frame->uses >= MOST_USES)
            return -EINVAL;
        if (!frame->uses)
            return make_table(vcpu, frame, mfn, level, va);
        if (frame->type != level)
            return -EINVAL;
        if (!frame->changing && !frame->linking) {
            frame->uses++;
            pagetable_link(vcpu, mfn, level, va);
            return 0;
        }
        if (!call_breathe(vcpu))
            return -EINTR;
    }
}

void pagetable_put(struct vcpu *vcpu, mfn_t mfn, unsigned level)
{
    struct frame *frame = memory_record(&vcpu->domain->mem, mfn);

    if (!is_table(frame, level) || frame->changing)
        return;
    if (frame->uses > 1) {
        frame->uses--;
        return;
    }
    frame->changing = true;
    pass_turn(vcpu);
    put_entries(vcpu, mfn, level, ENTRIES);
    end_table(frame);
}
