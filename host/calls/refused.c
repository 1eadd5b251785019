/*
 * Hypercalls that are not for this domain: those of control domains, those of
 * device models, those of parts that a Xen need not have. Each refuses what
 * Xen refuses first, so that whoever probes for one learns the same.
 */
#define __XEN_TOOLS__
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/domctl.h>
#include <xen/hvm/dm_op.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

#include "host/calls/calls.h"
#include "host/domain.h"

#define DM_OP_MAX_BUFS 2

long call_privileged(void *opaque, const uint64_t *args)
{
    (void)opaque;
    (void)args;
    return -EPERM;
}

/*
 * A command of (size) bytes whose second word is the version of the interface
 * it was written for; a tool finds out by -EACCES that it is another.
 */
static long refuse_command(struct vcpu *vcpu, uint64_t arg, size_t size,
                           uint32_t version)
{
    uint32_t header[2];

    if (!guest_readable(vcpu, guest_addr(arg), size) ||
        guest_read(vcpu, guest_addr(arg), header, sizeof header))
        return -EFAULT;
    return header[1] == version ? -EPERM : -EACCES;
}

long call_platform_op(void *opaque, const uint64_t *args)
{
    return refuse_command(opaque, args[0], sizeof(struct xen_platform_op),
                          XENPF_INTERFACE_VERSION);
}

long call_sysctl(void *opaque, const uint64_t *args)
{
    return refuse_command(opaque, args[0], sizeof(struct xen_sysctl),
                          XEN_SYSCTL_INTERFACE_VERSION);
}

long call_domctl(void *opaque, const uint64_t *args)
{
    return refuse_command(opaque, args[0], sizeof(struct xen_domctl),
                          XEN_DOMCTL_INTERFACE_VERSION);
}

/* Xen's own way to go on with a domctl. */
long call_paging_domctl_cont(void *opaque, const uint64_t *args)
{
    return guest_readable(opaque, guest_addr(args[0]),
                          sizeof(struct xen_domctl))
               ? -EPERM
               : -EFAULT;
}

/* The command is in the first of the buffers that the list names. */
long call_dm_op(void *opaque, const uint64_t *args)
{
    const struct domain *dom = ((struct vcpu *)opaque)->domain;
    const uint32_t nr = (uint32_t)args[1];

    if (nr > DM_OP_MAX_BUFS)
        return -E2BIG;
    if (!guest_readable(opaque, guest_addr(args[2]),
                        nr * sizeof(struct xen_dm_op_buf)))
        return -EFAULT;
    if (nr == 0)
        return -ENODATA;
    return domid_is_self(dom, (domid_t)args[0]) ||
                   (domid_t)args[0] == BACKEND_ID
               ? -EPERM
               : -ESRCH;
}

/* Virtual performance counters are off unless asked for, on Xen as well. */
long call_xenpmu_op(void *opaque, const uint64_t *args)
{
    (void)opaque;
    (void)args;
    return -EOPNOTSUPP;
}
