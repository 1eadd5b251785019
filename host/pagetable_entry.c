#include <errno.h>

#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/log.h"
#include "host/pagetable_private.h"

#define HOLE_START UINT64_C(0xffff800000000000)
#define HOLE_END   UINT64_C(0xffff880000000000)

/* Bits a guest may set in a present entry; the domain has no devices. */
#define UPPER_ALLOWED                                                         \
    (PTE_PRESENT | PTE_RW | PTE_USER | PTE_ACCESSED | PTE_DIRTY | PTE_AVAIL | \
     PTE_AVAIL_HI | PTE_NX | PTE_MFN_MASK)
#define L1_ALLOWED (UPPER_ALLOWED | PTE_GLOBAL)

bool va_is_guest(uint64_t va)
{
    return va_is_canonical(va) && !(va >= HOLE_START && va < HOLE_END);
}

struct frame *pagetable_frame(const struct domain *dom, mfn_t mfn)
{
    struct frame *frame = memory_record(&dom->mem, mfn);

    if (!frame || frame->state == FRAME_FREE || frame->given_back)
        return NULL;
    return frame;
}

bool pagetable_reachable(const struct domain *dom, uint64_t va, uint64_t pages)
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

/*
 * No translation of (nr_pages) from (va) on, or of any for 0, is left over from
 * an entry of (level). A table that is gone may be somebody's page soon, so no
 * vCPU may use it; pages are the guest's own to flush on the others.
 */
static void flush(struct vcpu *vcpu, unsigned level, uint64_t va,
                  uint64_t nr_pages)
{
    if (level > 1 && vcpu->domain->nr_vcpus > 1)
        tell_flush_vcpus(vcpu->domain, UINT64_MAX, va, nr_pages);
    else if (nr_pages)
        tell_invalidate(vcpu, va, nr_pages);
    else
        tell_invalidate_all(vcpu);
}

void pagetable_forget(struct vcpu *vcpu, unsigned level, uint64_t va)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);
    uint64_t end;

    if (!ops || va == FRAME_LINKED_NEVER)
        return;
    /* tables that show tables are other addresses of the same */
    if (va == FRAME_LINKED_MANY || (level > 1 && vcpu->domain->mem.nr_linear)) {
        flush(vcpu, level, 0, 0);
        return;
    }
    end = va + (entry_pages(level) << PAGE_SHIFT);
    if (end > ops->va_end || end < va)
        end = ops->va_end;
    if (va < ops->va_start)
        va = ops->va_start & ~(uint64_t)(PAGE_SIZE - 1);
    if (va < end)
        flush(vcpu, level, va, (end - va) >> PAGE_SHIFT);
}

uint64_t pagetable_adjust(unsigned level, uint64_t pte)
{
    if (level == 4)
        return pte | PTE_USER | PTE_ACCESSED;
    if (level > 1)
        return pte | PTE_USER;
    if (!(pte & PTE_USER))
        return pte | PTE_USER | PTE_GUEST;
    return pte & PTE_GUEST ? pte : pte | PTE_GLOBAL;
}

int pagetable_check_bits(unsigned level, uint64_t pte)
{
    return pte & ~(level == 1 ? L1_ALLOWED : UPPER_ALLOWED) ? -EINVAL : 0;
}

int pagetable_refuse_frame(const struct domain *dom, mfn_t mfn)
{
    if (mfn == PTE_MFN_MASK >> PAGE_SHIFT)
        return -EINVAL;
    if (mfn >= dom->mem.first_mfn + dom->mem.nr_frames)
        return -EPERM; /* no RAM at all, and no device of the domain's */
    return -EBUSY;
}
