/* Who uses whole trees of tables: pins, and the bases of vCPUs. */
#include <errno.h>

#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pagetable_private.h"

int pagetable_pin(struct vcpu *vcpu, mfn_t mfn, unsigned level)
{
    struct frame *frame = memory_record(&vcpu->domain->mem, mfn);
    uint64_t va = level == 4 ? 0 : FRAME_LINKED_NEVER;
    int rc;

    if (!frame || frame->pinned)
        return -EINVAL;
    rc = pagetable_take(vcpu, mfn, level, va);
    if (rc)
        return rc;
    if (frame->pinned) { /* by another, meanwhile */
        pagetable_put(vcpu, mfn, level);
        return -EINVAL;
    }
    frame->pinned = true;
    return 0;
}

int pagetable_unpin(struct vcpu *vcpu, mfn_t mfn)
{
    struct frame *frame = memory_record(&vcpu->domain->mem, mfn);

    if (!frame || !frame->pinned)
        return -EINVAL;
    frame->pinned = false;
    pagetable_put(vcpu, mfn, frame->type);
    return 0;
}

int pagetable_adopt(struct vcpu *vcpu)
{
    int rc;

    vcpu->tables_at_once = true;
    rc = pagetable_pin(vcpu, vcpu->cr3, 4);
    if (!rc)
        rc = pagetable_use(vcpu, vcpu->cr3);
    vcpu->tables_at_once = false;
    return rc;
}

int pagetable_use(struct vcpu *vcpu, mfn_t l4)
{
    return pagetable_take(vcpu, l4, 4, 0);
}

void pagetable_leave(struct vcpu *vcpu, mfn_t l4)
{
    pagetable_put(vcpu, l4, 4);
}

/* What a vCPU uses is whole, in another's turn too: the old one goes last. */
int pagetable_set_base(struct vcpu *vcpu, mfn_t l4)
{
    const mfn_t old = vcpu->cr3;
    int rc;

    if (l4 != old) {
        rc = pagetable_use(vcpu, l4);
        if (rc)
            return rc;
        vcpu->cr3 = l4;
    }
    tell_invalidate_all(vcpu);
    if (l4 != old)
        pagetable_leave(vcpu, old);
    return 0;
}

int pagetable_set_user_base(struct vcpu *vcpu, mfn_t l4)
{
    const mfn_t old = vcpu->cr3_user;
    int rc;

    if (l4) {
        rc = pagetable_use(vcpu, l4);
        if (rc)
            return rc;
    }
    vcpu->cr3_user = l4;
    if (old)
        pagetable_leave(vcpu, old);
    return 0;
}
