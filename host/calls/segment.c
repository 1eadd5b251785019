/*
 * Segments: bases, and descriptor tables. The flat selectors of the ABI work
 * on every engine; whether a guest's own descriptors can be loaded is the
 * engine's affair, the host keeps and checks them.
 */
#include <errno.h>
#include <string.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/log.h"
#include "host/pagetable.h"

#define ENTRIES_PER_PAGE 512
#define GDT_MAX_ENTRIES  (VCPU_GDT_FRAMES * (uint64_t)ENTRIES_PER_PAGE)
#define LDT_MAX_ENTRIES  8192

#define RPL_MASK    3
#define TABLE_LOCAL 4 /* of a selector */

/* A descriptor as one 64-bit word. */
#define DESC_TYPE(desc) ((desc) >> 40 & 0xf)
#define DESC_S          (UINT64_C(1) << 44) /* code or data */
#define DESC_DPL3       (UINT64_C(3) << 45)
#define DESC_PRESENT    (UINT64_C(1) << 47)
#define DESC_READABLE   (UINT64_C(1) << 41) /* of code */
#define DESC_CODE       (UINT64_C(1) << 43)
#define DESC_BASE(desc) \
    (((desc) >> 16 & 0xffffff) | ((desc) >> 56 & 0xff) << 24)
#define DESC_FLAT UINT64_C(0x00cff3000000ffff)

/* A call gate: where it leads, and bits that are none. */
#define GATE_SELECTOR(desc) ((uint16_t)((desc) >> 16))
#define GATE_RPL3           (UINT64_C(3) << 16)
#define GATE_RESERVED       (UINT64_C(0xff) << 32)

#define TYPE_SECOND_HALF 0x0 /* of a call gate */
#define TYPE_CALL_GATE   0xc

/* What (selector) names, 0 if nothing: of the hypervisor's, the flat ones. */
static uint64_t descriptor(struct vcpu *vcpu, uint16_t selector)
{
    const unsigned index = selector >> 3, page = index / ENTRIES_PER_PAGE;
    const uint64_t *table = NULL;

    if (selector == FLAT_RING3_CS64 || selector == FLAT_RING3_CS32 ||
        selector == FLAT_RING3_SS64)
        return DESC_FLAT;
    if (selector & TABLE_LOCAL && index < vcpu->nr_ldt_entries)
        table = memory_frame(&vcpu->domain->mem, segment_ldt_frame(vcpu, page));
    else if (!(selector & TABLE_LOCAL) &&
             page * ENTRIES_PER_PAGE < vcpu->nr_gdt_entries)
        table = memory_frame(&vcpu->domain->mem, vcpu->gdt[page]);
    return table ? __atomic_load_n(&table[index % ENTRIES_PER_PAGE],
                                   __ATOMIC_RELAXED)
                 : 0;
}

/* GS of user mode by selector, of which the base is left: 0 of one that is
 * none. */
static void set_user_gs(struct vcpu *vcpu, uint16_t selector)
{
    const uint64_t desc =
        selector > RPL_MASK ? descriptor(vcpu, selector | RPL_MASK) : 0;
    const bool good = desc & DESC_PRESENT && desc & DESC_S &&
                      (desc & DESC_DPL3) == DESC_DPL3 &&
                      (!(desc & DESC_CODE) || desc & DESC_READABLE);

    vcpu->gs_base_user = good ? DESC_BASE(desc) : 0;
}

long call_set_segment_base(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    uint64_t base = args[1];

    if (args[0] != SEGBASE_GS_USER_SEL &&
        (uint64_t)((int64_t)(base << 16) >> 16) != base)
        return -EINVAL;
    tell_sync_regs(vcpu); /* the other base may have been set without us */
    switch ((uint32_t)args[0]) {
    case SEGBASE_FS:
        vcpu->fs_base = base;
        break;
    case SEGBASE_GS_USER:
        vcpu->gs_base_user = base;
        break;
    case SEGBASE_GS_KERNEL:
        vcpu->gs_base = base;
        break;
    case SEGBASE_GS_USER_SEL:
        set_user_gs(vcpu, (uint16_t)base);
        break;
    default:
        return -EINVAL;
    }
    tell_set_bases(vcpu);
    return 0;
}

/*
 * A gate may lead to segments of the guest's own, or to the flat kernel's. It
 * is closed, so that its use is a fault which names it; the level that it had,
 * that of all guests, is kept in its selector.
 */
static bool accept_gate(uint64_t *desc)
{
    const uint16_t selector = GATE_SELECTOR(*desc);
    const bool own = selector >> 3 < GDT_MAX_ENTRIES || selector & TABLE_LOCAL;

    if ((!own && selector != FLAT_KERNEL_CS) || *desc & GATE_RESERVED)
        return false;
    *desc = (*desc & ~DESC_DPL3) | GATE_RPL3;
    return true;
}

/* Is it one a guest may have? Code and data get DPL 3, where guests run. */
static bool accept(uint64_t *desc)
{
    if (!(*desc & DESC_PRESENT))
        return true;
    if (*desc & DESC_S) {
        *desc |= DESC_DPL3;
        return true;
    }
    if (DESC_TYPE(*desc) == TYPE_CALL_GATE)
        return accept_gate(desc);
    return DESC_TYPE(*desc) == TYPE_SECOND_HALF;
}

/* One more use of (mfn) as descriptors, checked when it is the first. */
static bool take_descriptors(struct domain *dom, mfn_t mfn)
{
    const struct frame *frame = memory_record(&dom->mem, mfn);
    uint64_t *table = memory_frame(&dom->mem, mfn);

    if (!frame || frame->state != FRAME_RAM ||
        !frame_take_type(dom, mfn, TYPE_DESC))
        return false;
    for (unsigned i = 0; frame->uses == 1 && i < ENTRIES_PER_PAGE; i++) {
        if (accept(&table[i]))
            continue;
        frame_put_type(dom, mfn, TYPE_DESC);
        return false;
    }
    return true;
}

static void put_gdt(struct domain *dom, const mfn_t *frames, unsigned nr)
{
    while (nr > 0)
        frame_put_type(dom, frames[--nr], TYPE_DESC);
}

static unsigned gdt_pages(unsigned nr_entries)
{
    return (nr_entries + ENTRIES_PER_PAGE - 1) / ENTRIES_PER_PAGE;
}

int segment_install_gdt(struct vcpu *vcpu, const uint64_t *frames,
                        uint64_t nr_entries)
{
    unsigned nr;

    if (nr_entries > GDT_MAX_ENTRIES)
        return -EINVAL;
    nr = gdt_pages((unsigned)nr_entries);
    for (unsigned i = 0; i < nr; i++) {
        if (take_descriptors(vcpu->domain, frames[i]))
            continue;
        put_gdt(vcpu->domain, frames, i);
        return -EINVAL;
    }
    put_gdt(vcpu->domain, vcpu->gdt, gdt_pages(vcpu->nr_gdt_entries));
    if (nr)
        memcpy(vcpu->gdt, frames, nr * sizeof *frames);
    vcpu->nr_gdt_entries = (unsigned)nr_entries;
    tell_set_gdt(vcpu);
    return 0;
}

long call_set_gdt(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    uint32_t nr_entries = (uint32_t)args[1];
    uint64_t frames[VCPU_GDT_FRAMES];

    if (nr_entries > GDT_MAX_ENTRIES)
        return -EINVAL;
    if (guest_read(vcpu, guest_addr(args[0]), frames,
                   gdt_pages(nr_entries) * sizeof *frames))
        return -EFAULT;
    return segment_install_gdt(vcpu, frames, nr_entries);
}

long call_update_descriptor(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    struct domain *dom = vcpu->domain;
    maddr_t maddr = args[0];
    uint64_t desc = args[1];
    const struct frame *frame = memory_record(&dom->mem, maddr >> PAGE_SHIFT);
    uint8_t *bytes = memory_frame(&dom->mem, maddr >> PAGE_SHIFT);

    if (maddr % sizeof desc || !accept(&desc) || !frame || !bytes)
        return -EINVAL;
    if (!frame_is_writable(dom, maddr >> PAGE_SHIFT) &&
        frame->type != TYPE_DESC)
        return -EINVAL;
    __atomic_store_n((uint64_t *)(void *)(bytes + maddr % PAGE_SIZE), desc,
                     __ATOMIC_RELAXED);
    return 0;
}

/* Where there are no entries it does not matter where. */
long segment_set_ldt(struct vcpu *vcpu, uint64_t base, uint32_t nr)
{
    if (nr == 0)
        base = 0;
    if (nr > LDT_MAX_ENTRIES || base % PAGE_SIZE || !va_is_guest(base))
        return -EINVAL;
    if (base == vcpu->ldt_base && nr == vcpu->nr_ldt_entries)
        return 0;
    segment_forget_ldt(vcpu);
    vcpu->ldt_base = base;
    vcpu->nr_ldt_entries = nr;
    tell_set_ldt(vcpu);
    return 0;
}

mfn_t segment_ldt_frame(struct vcpu *vcpu, unsigned page)
{
    const uint64_t va = vcpu->ldt_base + ((uint64_t)page << PAGE_SHIFT);
    struct walk walk;

    if (page * ENTRIES_PER_PAGE >= vcpu->nr_ldt_entries)
        return 0;
    if (vcpu->ldt[page])
        return vcpu->ldt[page];
    guest_walk(&vcpu->domain->mem, vcpu->cr3, va, &walk);
    if (!walk.present || !take_descriptors(vcpu->domain, walk.mfn))
        return 0;
    vcpu->ldt[page] = walk.mfn;
    return walk.mfn;
}

void segment_forget_ldt(struct vcpu *vcpu)
{
    bool any = false;

    for (unsigned i = 0; i < VCPU_LDT_FRAMES; i++) {
        if (!vcpu->ldt[i])
            continue;
        frame_put_type(vcpu->domain, vcpu->ldt[i], TYPE_DESC);
        vcpu->ldt[i] = 0;
        any = true;
    }
    if (any)
        tell_set_ldt(vcpu);
}
