/* hvm_op: what a PVH guest may ask of its platform. (xen/hvm/hvm_op.h) */
#include <errno.h>
#include <stdint.h>

#include <xen/hvm/hvm_op.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"

#define LOWEST_VECTOR 0x10 /* below are exceptions */

static int check_domid(const struct domain *dom, domid_t domid)
{
    if (domid_is_self(dom, domid))
        return 0;
    return domid == BACKEND_ID ? -EPERM : -ESRCH;
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
    if (arg)
        return -EINVAL;
    tell_flush_vcpus(vcpu->domain, ~(UINT64_C(1) << vcpu->id), 0, 0);
    return 0;
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
    default:
        return -ENOSYS;
    }
}
