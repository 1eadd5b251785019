/*
 * memory_op: what toolstacks, debuggers and device models ask for. None of it
 * is for the guest itself; what is wrong is told in the order in which Xen
 * looks. (xen/memory.h)
 */
#define __XEN_TOOLS__
#include <errno.h>
#include <stdint.h>

#include <xen/memory.h>

#include "host/calls/calls.h"
#include "host/domain.h"

/* -EPERM for another domain that exists; (itself) for the caller. */
static long check_other(const struct domain *dom, domid_t domid, long itself)
{
    if (domid_is_self(dom, domid))
        return itself;
    return domid == BACKEND_ID ? -EPERM : -ESRCH;
}

/* Memory populated on demand is for virtual machines, and tools set it up. */
static long pod_target(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_pod_target op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (check_other(vcpu->domain, op.domid, 0) == -ESRCH)
        return -ESRCH;
    return op.domid != BACKEND_ID && vcpu->domain->abi == ABI_PVH ? -EPERM
                                                                  : -EINVAL;
}

/* A domain cannot watch its own accesses, nor those of one without a p2m. */
static long access_op(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_mem_access_op op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.domid == vcpu->domain->id)
        return -EPERM;
    return op.domid == BACKEND_ID ? -EINVAL : -ESRCH;
}

static long claim_pages(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_memory_reservation op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.extent_start.p || op.extent_order || op.mem_flags)
        return -EINVAL;
    return check_other(vcpu->domain, op.domid, -EPERM) == -ESRCH ? -EINVAL
                                                                 : -EPERM;
}

static long vnuma_info(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_vnuma_topology_info op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.pad)
        return -EINVAL;
    return check_other(vcpu->domain, op.domid, -EOPNOTSUPP);
}

/* No device has memory of its own here. */
static long reserved_device_memory(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_reserved_device_memory_map op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.flags & ~XENMEM_RDM_ALL)
        return -EINVAL;
    op.nr_entries = 0;
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

/* Resources are those of other domains: DOMID_SELF is none. */
static long acquire_resource(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_mem_acquire_resource op;

    if (vcpu->domain->abi == ABI_PVH)
        return -EACCES;
    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.pad)
        return -EINVAL;
    return op.domid == vcpu->domain->id || op.domid == BACKEND_ID ? -EPERM
                                                                  : -ESRCH;
}

/* Of the M2P, which no guest can map by frame: the list is empty. */
static long machphys_mfn_list(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_machphys_mfn_list op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    op.nr_extents = 0;
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

long memory_op_tools(struct vcpu *vcpu, uint64_t cmd, uint64_t arg)
{
    switch (cmd) {
    case XENMEM_machphys_mfn_list:
        return machphys_mfn_list(vcpu, arg);
    case XENMEM_machine_memory_map:
        return vcpu->domain->abi == ABI_PVH ? -ENOSYS : -EPERM;
    case XENMEM_set_pod_target:
    case XENMEM_get_pod_target:
        return pod_target(vcpu, arg);
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return 0; /* nobody shares */
    case XENMEM_access_op:
        return access_op(vcpu, arg);
    case XENMEM_claim_pages:
        return claim_pages(vcpu, arg);
    case XENMEM_machphys_compat_mfn_list:
        return -EOPNOTSUPP; /* of 32-bit PV guests */
    case XENMEM_get_vnumainfo:
        return vnuma_info(vcpu, arg);
    case XENMEM_reserved_device_memory_map:
        return reserved_device_memory(vcpu, arg);
    case XENMEM_acquire_resource:
        return acquire_resource(vcpu, arg);
    default:
        return -ENOSYS;
    }
}
