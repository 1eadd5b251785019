/*
 * hvm_op: what a PVH guest may ask of its platform. A PV domain may call it,
 * and learns that it is none. (xen/hvm/hvm_op.h)
 */
#include <errno.h>
#include <stdint.h>

#include <xen/hvm/hvm_op.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"

#define LOWEST_VECTOR 0x10 /* below are exceptions */

static int check_domid(const struct domain *dom, domid_t domid)
{
    if (!domid_is_self(dom, domid) && domid != BACKEND_ID)
        return -ESRCH;
    return domid == BACKEND_ID || dom->abi != ABI_PVH ? -EINVAL : 0;
}

static long get_param(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_hvm_param op;
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.index >= HVM_NR_PARAMS)
        return -EINVAL;
    rc = check_domid(vcpu->domain, op.domid);
    if (!rc)
        rc = hvm_get_param(vcpu->domain, op.index, &op.value);
    return rc ? rc : guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

static long set_param(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_hvm_param op;
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.index >= HVM_NR_PARAMS)
        return -EINVAL;
    rc = check_domid(vcpu->domain, op.domid);
    if (!rc)
        rc = hvm_set_param(vcpu->domain, op.index, op.value);
    if (!rc)
        tell_kick(vcpu); /* there may be a vector for what is pending */
    return rc;
}

static long set_upcall_vector(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_hvm_evtchn_upcall_vector op;
    struct vcpu *target;

    if (vcpu->domain->abi != ABI_PVH)
        return -EINVAL;
    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.vector < LOWEST_VECTOR)
        return -EINVAL;
    if (op.vcpu >= vcpu->domain->nr_vcpus)
        return -ENOENT;
    target = &vcpu->domain->vcpus[op.vcpu];
    target->upcall_vector = op.vector;
    target->upcall_raised = target->info->evtchn_upcall_pending != 0;
    tell_kick(target);
    return 0;
}

/* The caller's own are its affair, as on Xen. */
static long flush_tlbs(struct vcpu *vcpu, uint64_t arg)
{
    if (arg || vcpu->domain->abi != ABI_PVH)
        return -EINVAL;
    tell_flush_vcpus(vcpu->domain, ~(UINT64_C(1) << vcpu->id), 0, 0);
    return 0;
}

/* For shadow page tables, which nobody here has. */
static long pagetable_dying(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_hvm_pagetable_dying op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return check_domid(vcpu->domain, op.domid) == -ESRCH ? -ESRCH : -EOPNOTSUPP;
}

static long get_time(struct vcpu *vcpu, uint64_t arg)
{
    const struct xen_hvm_get_time op = {
        .now = clock_now(&vcpu->domain->clock),
    };

    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

/* A line for a trace that is not being taken. */
static long trace(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_hvm_xentrace op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return op.extra_bytes > sizeof op.extra ? -EINVAL : 0;
}

static long get_mem_type(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_hvm_get_mem_type op;
    const struct frame *frame;
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.domid == BACKEND_ID)
        return -EPERM;
    rc = check_domid(vcpu->domain, op.domid);
    if (rc)
        return rc;
    frame = memory_record(&vcpu->domain->mem, op.pfn);
    op.mem_type =
        frame && frame->state != FRAME_FREE ? HVMMEM_ram_rw : HVMMEM_mmio_dm;
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

long call_hvm_op(void *opaque, const uint64_t *args)
{
    switch (args[0]) {
    case HVMOP_get_param:
        return get_param(opaque, args[1]);
    case HVMOP_set_param:
        return set_param(opaque, args[1]);
    case HVMOP_set_evtchn_upcall_vector:
        return set_upcall_vector(opaque, args[1]);
    case HVMOP_flush_tlbs:
        return flush_tlbs(opaque, args[1]);
    case HVMOP_pagetable_dying:
        return pagetable_dying(opaque, args[1]);
    case HVMOP_get_time:
        return get_time(opaque, args[1]);
    case HVMOP_xentrace:
        return trace(opaque, args[1]);
    case HVMOP_get_mem_type:
        return get_mem_type(opaque, args[1]);
    case HVMOP_guest_request_vm_event:
        return args[1] ? -EINVAL : 0; /* nobody listens */
    case HVMOP_altp2m:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}
