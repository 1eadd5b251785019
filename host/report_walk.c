/*
 * Part of the report of a guest that broke: how an address is translated by
 * its page tables, level by level, and what each frame on the way is used as.
 */
#include "host/report_walk.h"

#include <inttypes.h>

#include "host/domain.h"
#include "host/pagetable.h"

#define LEVELS  4
#define ENTRIES 512

const char *report_frame_use(const struct domain *dom, mfn_t mfn)
{
    static const char *const names[] = {
        [TYPE_NONE] = "not in use",   [TYPE_L1] = "an L1 table",
        [TYPE_L2] = "an L2 table",    [TYPE_L3] = "an L3 table",
        [TYPE_L4] = "an L4 table",    [TYPE_DESC] = "descriptors",
        [TYPE_WRITABLE] = "writable",
    };
    const struct frame *frame = memory_record(&dom->mem, mfn);

    if (!frame)
        return "not the guest's";
    if (frame->state == FRAME_FREE || frame->given_back)
        return "given back";
    if (frame->state == FRAME_SHARED)
        return "the hypervisor's";
    return names[frame->uses ? frame->type : TYPE_NONE];
}

/* The flags as a kernel's developer names them. */
static void print_flags(report_fn say, uint64_t pte)
{
    say("%s%s%s%s%s%s", pte & PTE_RW ? " rw" : " ro",
        pte & PTE_GUEST  ? " kernel"
        : pte & PTE_USER ? " user"
                         : "",
        pte & PTE_ACCESSED ? " accessed" : "", pte & PTE_DIRTY ? " dirty" : "",
        pte & PTE_PSE ? " large" : "", pte & PTE_NX ? " nx" : "");
}

/* One entry; where it leads to, or INVALID_MFN. */
static mfn_t print_entry(report_fn say, const struct domain *dom, mfn_t table,
                         unsigned level, uint64_t va)
{
    const unsigned slot = va >> (PAGE_SHIFT + 9 * (level - 1)) & (ENTRIES - 1);
    const uint64_t *entries = memory_frame(&dom->mem, table);
    uint64_t pte;
    mfn_t mfn;

    say("    L%u in mfn %" PRIx64 " (%s)", level, table,
        report_frame_use(dom, table));
    if (!entries) {
        say(": not readable\n");
        return INVALID_MFN;
    }
    pte = entries[slot];
    mfn = (pte & PTE_MFN_MASK) >> PAGE_SHIFT;
    say(", slot %u: %016" PRIx64, slot, pte);
    if (!(pte & PTE_PRESENT)) {
        say(", not present\n");
        return INVALID_MFN;
    }
    print_flags(say, pte);
    if (level == 1)
        say(", mfn %" PRIx64 " (%s)", mfn, report_frame_use(dom, mfn));
    say("\n");
    return mfn;
}

void report_walk(report_fn say, const struct vcpu *vcpu, const char *name,
                 uint64_t va)
{
    const struct domain *dom = vcpu->domain;
    mfn_t mfn = vcpu_root(vcpu);

    if (dom->abi == ABI_PVH)
        return;
    say("  walk of %s %016" PRIx64 ":%s\n", name, va,
        va_is_canonical(va) ? "" : " no address");
    if (!va_is_canonical(va))
        return;
    if (!va_is_guest(va)) {
        say("    it is the hypervisor's\n");
        return;
    }
    for (unsigned level = LEVELS; level >= 1 && mfn != INVALID_MFN; level--)
        mfn = print_entry(say, dom, mfn, level, va);
}
