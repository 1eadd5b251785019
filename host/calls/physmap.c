/*
 * memory_op on the physical map of a PVH domain: frames of the hypervisor are
 * placed where the guest wants to see them. (xen/memory.h)
 */
#include <errno.h>
#include <stdint.h>

#include <xen/memory.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/pvh/physmap.h"

#define V2_STATUS_FRAME 0x80000000u /* of idx in XENMAPSPACE_grant_table */

/* Elements of a batch served before the others get their turn. */
#define PER_TURN 64

static size_t shared_info_index(const struct domain *dom)
{
    return (size_t)((uint8_t *)dom->shared - dom->mem.base) >> PAGE_SHIFT;
}

static int grant_frame(struct domain *dom, uint64_t nr, size_t *index)
{
    if (nr & V2_STATUS_FRAME || nr >= GRANT_MAX_FRAMES)
        return -EINVAL; /* there is version 1 */
    while (dom->grants.nr_frames <= nr) {
        int rc = grants_grow(dom);

        if (rc)
            return rc;
    }
    *index = grants_frame_index(dom, (unsigned)nr);
    return 0;
}

/* Frame (idx) of (space) that the guest wants to see. */
static int find_source(struct domain *dom, unsigned space, uint64_t idx,
                       size_t *index)
{
    switch (space) {
    case XENMAPSPACE_shared_info:
        if (idx != 0)
            return -EINVAL;
        *index = shared_info_index(dom);
        return 0;
    case XENMAPSPACE_grant_table:
        return grant_frame(dom, idx, index);
    default:
        return -EINVAL; /* pages of its own are where they are */
    }
}

static int add(struct domain *dom, unsigned space, uint64_t idx, mfn_t gfn)
{
    struct memory *mem = &dom->mem;
    size_t index, hidden;
    int rc = find_source(dom, space, idx, &index);

    if (!rc)
        rc = physmap_place(mem->physmap, gfn, index);
    if (rc)
        return rc;
    /* RAM that is there comes first for whoever looks: it has to go. */
    if (physmap_ram(mem->physmap, gfn, &hidden) &&
        mem->frames[hidden].state == FRAME_RAM &&
        !mem->frames[hidden].given_back)
        memory_give_back(dom, gfn);
    return 0;
}

/* A PV domain has no such map; neither has the backend's. */
static int check_domid(const struct domain *dom, domid_t domid)
{
    if (!domid_is_self(dom, domid) && domid != BACKEND_ID)
        return -ESRCH;
    return domid == BACKEND_ID || !dom->mem.physmap ? -EACCES : 0;
}

/* May anything of (space) be placed in the map of (domid)? */
static int check(const struct domain *dom, domid_t domid, unsigned space)
{
    int rc = check_domid(dom, domid);

    if (!rc && space == XENMAPSPACE_dev_mmio)
        rc = -EACCES; /* for whom the hardware belongs to */
    return rc;
}

long physmap_add(struct vcpu *vcpu, const struct xen_add_to_physmap *op)
{
    int rc;

    if (op->space == XENMAPSPACE_gmfn_foreign)
        return -ENOSYS; /* for the batch alone, as on Xen */
    rc = check(vcpu->domain, op->domid, op->space);
    return rc ? rc : add(vcpu->domain, op->space, op->idx, op->gpfn);
}

static long add_one(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_add_to_physmap op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return physmap_add(vcpu, &op);
}

/* Frames of another domain: none lets us. */
static int foreign_status(const struct domain *dom, domid_t domid)
{
    return domid == dom->id || domid == BACKEND_ID ? -EPERM : -ESRCH;
}

/* Each element has its own status; the call itself fails by its lists alone. */
static long add_batch(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_add_to_physmap_batch op;
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    rc = check(vcpu->domain, op.domid, op.space);
    for (unsigned i = 0; rc == 0 && i < op.size; i++) {
        xen_ulong_t idx;
        xen_pfn_t gfn;
        int status;

        if (guest_read(vcpu, guest_addr((uint64_t)op.idxs.p + i * sizeof idx),
                       &idx, sizeof idx) ||
            guest_read(vcpu, guest_addr((uint64_t)op.gpfns.p + i * sizeof gfn),
                       &gfn, sizeof gfn))
            return -EFAULT;
        status = op.space == XENMAPSPACE_gmfn_foreign
                     ? foreign_status(vcpu->domain, op.u.foreign_domid)
                     : add(vcpu->domain, op.space, idx, gfn);
        if (guest_write(vcpu,
                        guest_addr((uint64_t)op.errs.p + i * sizeof status),
                        &status, sizeof status))
            return -EFAULT;
        if ((i + 1) % PER_TURN == 0 && !call_breathe(vcpu))
            break;
    }
    return rc;
}

long physmap_remove_ram(struct vcpu *vcpu,
                        const struct xen_remove_from_physmap *op)
{
    struct domain *dom = vcpu->domain;
    const struct frame *frame;
    int rc = check_domid(dom, op->domid);

    if (rc)
        return rc;
    frame = memory_record(&dom->mem, op->gpfn);
    if (!frame)
        return -ENOENT;
    if (frame->state != FRAME_RAM)
        return physmap_remove(dom->mem.physmap, op->gpfn);
    memory_give_back(dom, op->gpfn);
    return 0;
}

static long remove_one(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_remove_from_physmap op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return physmap_remove_ram(vcpu, &op);
}

long physmap_op(struct vcpu *vcpu, uint64_t cmd, uint64_t arg)
{
    switch (cmd) {
    case XENMEM_add_to_physmap:
        return add_one(vcpu, arg);
    case XENMEM_add_to_physmap_batch:
        return add_batch(vcpu, arg);
    default:
        return remove_one(vcpu, arg);
    }
}
