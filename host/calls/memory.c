/* memory_op: reservations and maps. (xen/memory.h) */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/memory.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/pvh/physmap.h"

/* The low bits of the command; the rest says how far an earlier try came. */
#define CMD_BITS 6
#define CMD_MASK ((UINT64_C(1) << CMD_BITS) - 1)

/* XENMEM_acquire_resource, a name for tools. */
#define LAST_CMD 28

#define MAX_ORDER 9 /* for a domain without devices */

/* Extents served before the others get their turn. */
#define PER_TURN 256

/* A frame the guest has now and may give away. */
static struct frame *own_ram(struct domain *dom, mfn_t mfn)
{
    struct frame *frame = memory_record(&dom->mem, mfn);

    if (!frame || frame->state != FRAME_RAM || frame->given_back)
        return NULL;
    return frame;
}

/*
 * Frames given back while mapped, pinned or borrowed leave when the last
 * reference has gone; looked for when somebody asks for memory or counts it.
 */
static void release_given_back(struct domain *dom)
{
    struct memory *mem = &dom->mem;

    for (size_t i = 0; mem->nr_given_back && i < mem->nr_frames; i++) {
        if (!mem->frames[i].given_back)
            continue;
        mem->frames[i].given_back = false;
        if (memory_release_frame(mem, i))
            mem->frames[i].given_back = true;
        else
            mem->nr_given_back--;
    }
}

void memory_give_back(struct domain *dom, mfn_t mfn)
{
    if (memory_release(&dom->mem, mfn) == 0)
        return;
    memory_set_pfn(&dom->mem, mfn, INVALID_PFN);
    memory_record(&dom->mem, mfn)->given_back = true;
    dom->mem.nr_given_back++;
}

/* One entry of the guest's list of extents. */
static struct guest_addr extent(const struct xen_memory_reservation *res,
                                uint64_t index)
{
    uint64_t list = (uint64_t)res->extent_start.p;

    return guest_addr(list + index * sizeof(xen_pfn_t));
}

/* Extents of a PVH domain may be large: its frames lie where gfns say. */
static int populate_gfns(struct memory *mem, mfn_t gfn, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++) {
        mfn_t mfn;

        if (memory_populate(mem, gfn + i, &mfn) == 0)
            continue;
        while (i-- > 0)
            memory_release(mem, gfn + i);
        return -ENOMEM;
    }
    return 0;
}

/*
 * An extent. For a PV domain, of one page: larger ones would have to be
 * contiguous, and none is.
 */
static int populate_one(struct vcpu *vcpu,
                        const struct xen_memory_reservation *res,
                        uint64_t index)
{
    struct memory *mem = &vcpu->domain->mem;
    pfn_t pfn;
    mfn_t mfn;

    if (res->extent_order > 0 && !mem->physmap)
        return -ENOMEM;
    if (guest_read(vcpu, extent(res, index), &pfn, sizeof pfn))
        return -EFAULT;
    if (mem->physmap)
        return populate_gfns(mem, pfn, UINT64_C(1) << res->extent_order);
    if (memory_populate(mem, pfn, &mfn))
        return -ENOMEM;
    if (guest_write(vcpu, extent(res, index), &mfn, sizeof mfn)) {
        memory_release(mem, mfn);
        return -EFAULT;
    }
    return 0;
}

/* The old form: the guest gives the page a pfn later, by mmu_update. */
static int increase_one(struct vcpu *vcpu,
                        const struct xen_memory_reservation *res,
                        uint64_t index)
{
    struct memory *mem = &vcpu->domain->mem;
    mfn_t mfn;

    if (res->extent_order > 0 || mem->physmap)
        return -ENOMEM;
    if (memory_populate(mem, INVALID_PFN, &mfn))
        return -ENOMEM;
    if (res->extent_start.p &&
        guest_write(vcpu, extent(res, index), &mfn, sizeof mfn)) {
        memory_release(mem, mfn);
        return -EFAULT;
    }
    return 0;
}

static int decrease_one(struct vcpu *vcpu,
                        const struct xen_memory_reservation *res,
                        uint64_t index)
{
    struct domain *dom = vcpu->domain;
    mfn_t mfn, nr = UINT64_C(1) << res->extent_order;

    if (guest_read(vcpu, extent(res, index), &mfn, sizeof mfn))
        return -EFAULT;
    for (mfn_t i = 0; i < nr; i++)
        if (!own_ram(dom, mfn + i))
            return -EINVAL;
    for (mfn_t i = 0; i < nr; i++)
        memory_give_back(dom, mfn + i);
    return 0;
}

/* The answer is how many extents were done, whatever stopped it. */
static long change_reservation(struct vcpu *vcpu, uint64_t cmd, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct xen_memory_reservation res;
    uint64_t done = cmd >> CMD_BITS;

    if (guest_read(vcpu, guest_addr(arg), &res, sizeof res) ||
        res.extent_order > MAX_ORDER || !domid_is_self(dom, res.domid) ||
        res.nr_extents > INT64_MAX >> CMD_BITS)
        return (long)done;
    release_given_back(dom);
    while (done < res.nr_extents) {
        int rc;

        if ((cmd & CMD_MASK) == XENMEM_populate_physmap)
            rc = populate_one(vcpu, &res, done);
        else if ((cmd & CMD_MASK) == XENMEM_increase_reservation)
            rc = increase_one(vcpu, &res, done);
        else
            rc = decrease_one(vcpu, &res, done);
        if (rc)
            break;
        done++;
        if (done % PER_TURN == 0 && !call_breathe(vcpu))
            break;
    }
    return (long)done;
}

/* May the page leave at once: nobody maps or uses it? */
static bool is_free_to_go(struct domain *dom, mfn_t mfn)
{
    const struct frame *frame = own_ram(dom, mfn);

    return frame && !frame->uses && !frame->refs && !frame->pinned;
}

/* One page for another, which becomes the out list's entry (index). */
static int exchange_page(struct vcpu *vcpu, mfn_t old,
                         const struct xen_memory_reservation *out,
                         uint64_t index)
{
    struct memory *mem = &vcpu->domain->mem;
    pfn_t pfn;
    mfn_t mfn;

    if (guest_read(vcpu, extent(out, index), &pfn, sizeof pfn))
        return -EFAULT;
    if (memory_release(mem, old))
        return -EINVAL;
    if (memory_populate(mem, pfn, &mfn))
        return -ENOMEM;
    return guest_write(vcpu, extent(out, index), &mfn, sizeof mfn);
}

static int exchange_extent(struct vcpu *vcpu,
                           const struct xen_memory_exchange *op, uint64_t index)
{
    uint64_t nr = UINT64_C(1) << op->in.extent_order;
    mfn_t mfn;

    if (guest_read(vcpu, extent(&op->in, index), &mfn, sizeof mfn))
        return -EFAULT;
    for (uint64_t i = 0; i < nr; i++)
        if (!is_free_to_go(vcpu->domain, mfn + i))
            return -EINVAL;
    if (vcpu->domain->mem.physmap)
        return -EOPNOTSUPP; /* one gfn is as good as another */
    for (uint64_t i = 0; i < nr; i++) {
        int rc = exchange_page(vcpu, mfn + i, &op->out, index * nr + i);

        if (rc)
            return rc;
    }
    return 0;
}

/* Lists longer than memory is are no lists. */
#define MAX_LIST (UINT64_MAX / sizeof(xen_pfn_t) / 2)

static bool is_list(struct vcpu *vcpu, const struct xen_memory_reservation *res)
{
    return res->nr_extents <= MAX_LIST &&
           guest_may_hold(vcpu, guest_addr((uint64_t)res->extent_start.p));
}

static int check_exchange(struct vcpu *vcpu,
                          const struct xen_memory_exchange *op)
{
    const struct domain *dom = vcpu->domain;
    const uint64_t nr_in = op->in.nr_extents, nr_out = op->out.nr_extents;

    if (op->in.extent_order > MAX_ORDER || op->out.extent_order > MAX_ORDER)
        return op->nr_exchanged > nr_in ? -EINVAL : -EPERM;
    if (op->nr_exchanged > nr_in || op->in.domid != op->out.domid ||
        nr_in << op->in.extent_order != nr_out << op->out.extent_order ||
        nr_in > UINT64_MAX >> op->in.extent_order ||
        nr_out > UINT64_MAX >> op->out.extent_order)
        return -EINVAL;
    if (nr_in == 0)
        return 0;
    if (!is_list(vcpu, &op->in) || !is_list(vcpu, &op->out))
        return -EFAULT;
    if (!domid_is_self(dom, op->in.domid))
        return op->in.domid == BACKEND_ID ? -EPERM : -ESRCH;
    return op->out.extent_order > 0 ? -ENOMEM : 0; /* none is contiguous */
}

static long exchange(struct vcpu *vcpu, uint64_t arg)
{
    struct xen_memory_exchange op;
    uint64_t at = arg + offsetof(struct xen_memory_exchange, nr_exchanged);
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    rc = check_exchange(vcpu, &op);
    if (rc || op.in.nr_extents == 0)
        return rc;
    while (op.nr_exchanged < op.in.nr_extents) {
        rc = exchange_extent(vcpu, &op, op.nr_exchanged);
        if (rc)
            break;
        op.nr_exchanged++;
        if (op.nr_exchanged % PER_TURN == 0 && !call_breathe(vcpu))
            break;
    }
    if (guest_write(vcpu, guest_addr(at), &op.nr_exchanged,
                    sizeof op.nr_exchanged))
        return -EFAULT;
    return rc;
}

static long highest_gfn(const struct memory *mem)
{
    struct physmap_range ranges[PHYSMAP_MAX_RANGES];
    const unsigned nr = physmap_ranges(mem->physmap, ranges);

    return (long)(ranges[nr - 1].gfn + ranges[nr - 1].nr - 1);
}

static long ask_reservation(struct vcpu *vcpu, uint64_t cmd, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct xen_memory_domain op;
    uint64_t max_pfn = dom->shared->arch.max_pfn; /* the guest's own word */

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (!domid_is_self(dom, op.domid))
        return op.domid == BACKEND_ID ? -EPERM : -ESRCH;
    switch (cmd) {
    case XENMEM_current_reservation:
        release_given_back(dom);
        return (long)dom->mem.nr_ram;
    case XENMEM_maximum_reservation:
        return (long)dom->mem.max_ram;
    default:
        if (dom->mem.physmap)
            return highest_gfn(&dom->mem);
        return max_pfn ? (long)(max_pfn - 1) : 0;
    }
}

static mfn_t max_mfn(const struct memory *mem)
{
    return mem->first_mfn + mem->nr_frames - 1;
}

static long machphys_mapping(struct vcpu *vcpu, uint64_t arg)
{
    const struct domain *dom = vcpu->domain;
    const struct xen_machphys_mapping mapping = {
        .v_start = dom->m2p_va,
        .v_end = dom->m2p_va + dom->mem.m2p_size,
        .max_mfn = max_mfn(&dom->mem),
    };

    if (!dom->m2p_va)
        return -ENOSYS; /* this engine shows the guest none */
    return guest_write(vcpu, guest_addr(arg), &mapping, sizeof mapping);
}

/* Operations that can be gone on with say so in bits above the command. */
static bool may_resume(uint64_t cmd)
{
    return cmd == XENMEM_increase_reservation ||
           cmd == XENMEM_decrease_reservation || cmd == XENMEM_populate_physmap;
}

long call_memory_op(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    const uint64_t cmd = args[0] & CMD_MASK, arg = args[1];

    if (may_resume(cmd))
        return change_reservation(vcpu, (uint32_t)args[0], arg);
    if (cmd <= LAST_CMD && (args[0] & ~CMD_MASK))
        return -EINVAL;
    switch (cmd) {
    case XENMEM_exchange:
        return exchange(vcpu, arg);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return ask_reservation(vcpu, cmd, arg);
    case XENMEM_maximum_ram_page:
        return (long)max_mfn(&vcpu->domain->mem);
    case XENMEM_memory_map:
        return memory_map_get(vcpu, arg);
    case XENMEM_set_memory_map:
        return memory_map_set(vcpu, arg);
    case XENMEM_machphys_mapping:
        return machphys_mapping(vcpu, arg);
    case XENMEM_add_to_physmap:
    case XENMEM_add_to_physmap_batch:
    case XENMEM_remove_from_physmap:
        return physmap_op(vcpu, cmd, arg);
    default:
        return memory_op_tools(vcpu, cmd, arg);
    }
}
