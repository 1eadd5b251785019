/* mmuext_op: whole tables, flushes, pages. (xen/xen.h) */
#include <errno.h>
#include <string.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/pagetable.h"

#define MMU_UPDATE_PREEMPTED (1u << 31)

/* Operations served before the others get their turn. */
#define PER_TURN 64

/* No translation of (va), or of any address, is used by (vcpus) any more. */
static long flush_page(struct vcpu *vcpu, uint64_t vcpus, uint64_t va)
{
    if (va_is_guest(va))
        mmu_flush(vcpu, vcpus, va & ~(uint64_t)(PAGE_SIZE - 1), 1);
    return 0;
}

static long flush_all(struct vcpu *vcpu, uint64_t vcpus)
{
    mmu_flush(vcpu, vcpus, 0, 0);
    return 0;
}

static uint64_t only(const struct vcpu *vcpu)
{
    return UINT64_C(1) << vcpu->id;
}

static long flush_multi(struct vcpu *vcpu, const struct mmuext_op *op)
{
    uint64_t vcpus;

    if (mmu_read_vcpus(vcpu, (uint64_t)op->arg2.vcpumask.p, &vcpus))
        return -EINVAL;
    return op->cmd == MMUEXT_TLB_FLUSH_MULTI
               ? flush_all(vcpu, vcpus)
               : flush_page(vcpu, vcpus, op->arg1.linear_addr);
}

static long clear_page(struct domain *dom, mfn_t mfn)
{
    if (!frame_is_writable(dom, mfn) || !memory_frame(&dom->mem, mfn))
        return -EINVAL;
    memset(memory_frame(&dom->mem, mfn), 0, PAGE_SIZE);
    return 0;
}

static long copy_page(struct domain *dom, mfn_t to, mfn_t from)
{
    const void *source = memory_frame(&dom->mem, from);

    if (!source || !frame_is_writable(dom, to) || !memory_frame(&dom->mem, to))
        return -EINVAL;
    memmove(memory_frame(&dom->mem, to), source, PAGE_SIZE);
    return 0;
}

static long serve_one(struct vcpu *vcpu, const struct mmuext_op *op)
{
    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
        return pagetable_pin(vcpu, op->arg1.mfn,
                             op->cmd - MMUEXT_PIN_L1_TABLE + 1);
    case MMUEXT_UNPIN_TABLE:
        return pagetable_unpin(vcpu, op->arg1.mfn);
    case MMUEXT_NEW_BASEPTR:
        segment_forget_ldt(vcpu); /* it may be mapped elsewhere */
        return pagetable_set_base(vcpu, op->arg1.mfn);
    case MMUEXT_NEW_USER_BASEPTR:
        return pagetable_set_user_base(vcpu, op->arg1.mfn);
    case MMUEXT_TLB_FLUSH_LOCAL:
        return flush_all(vcpu, only(vcpu));
    case MMUEXT_TLB_FLUSH_ALL:
        return flush_all(vcpu, UINT64_MAX);
    case MMUEXT_INVLPG_LOCAL:
        return flush_page(vcpu, only(vcpu), op->arg1.linear_addr);
    case MMUEXT_INVLPG_ALL:
        return flush_page(vcpu, UINT64_MAX, op->arg1.linear_addr);
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        return flush_multi(vcpu, op);
    case MMUEXT_FLUSH_CACHE: /* without a device there is nothing to flush for
                              */
        return -EACCES;
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        return -EINVAL;
    case MMUEXT_SET_LDT:
        return segment_set_ldt(vcpu, op->arg1.linear_addr, op->arg2.nr_ents);
    case MMUEXT_CLEAR_PAGE:
        return clear_page(vcpu->domain, op->arg1.mfn);
    case MMUEXT_COPY_PAGE:
        return copy_page(vcpu->domain, op->arg1.mfn, op->arg2.src_mfn);
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}

long call_mmuext_op(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    uint32_t count = (uint32_t)args[1] & ~MMU_UPDATE_PREEMPTED, done = 0;
    long rc = mmu_check_owner(vcpu->domain, (domid_t)args[3]);

    if (rc)
        return rc;
    while (done < count) {
        struct guest_addr from =
            guest_addr(args[0] + done * sizeof(struct mmuext_op));
        struct mmuext_op op;

        rc = guest_read(vcpu, from, &op, sizeof op);
        if (!rc)
            rc = serve_one(vcpu, &op);
        if (rc)
            break;
        done++;
        if (done % PER_TURN == 0 && !call_breathe(vcpu))
            break;
    }
    if (args[2]) /* where it cannot be told it is not */
        guest_write(vcpu, guest_addr(args[2]), &done, sizeof done);
    return rc;
}
