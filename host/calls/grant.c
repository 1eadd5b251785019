/* grant_table_op: version 1. (xen/grant_table.h) */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/pagetable.h"

/* Elements served before the others get their turn. */
#define PER_TURN 64

/* GNTST_okay if (domid) is the caller. */
static int16_t check_self(const struct domain *dom, domid_t domid)
{
    if (domid_is_self(dom, domid))
        return GNTST_okay;
    return domid == BACKEND_ID ? GNTST_permission_denied : GNTST_bad_domain;
}

/* The lists: each element has its own status. */

static void map_one(struct vcpu *vcpu, void *element)
{
    struct gnttab_map_grant_ref *op = element;

    op->status = grant_map(vcpu, op);
}

static void unmap_one(struct vcpu *vcpu, void *element)
{
    struct gnttab_unmap_grant_ref *op = element;

    op->status = grant_unmap(vcpu, op);
}

static void unmap_and_replace_one(struct vcpu *vcpu, void *element)
{
    struct gnttab_unmap_and_replace *op = element;

    op->status = grant_unmap_and_replace(vcpu, op);
}

static void copy_one(struct vcpu *vcpu, void *element)
{
    struct gnttab_copy *op = element;

    op->status = grant_copy(vcpu->domain, op);
}

/* Nobody is there to take a page for good. */
static void transfer_one(struct vcpu *vcpu, void *element)
{
    const struct memory *mem = &vcpu->domain->mem;
    struct gnttab_transfer *op = element;
    const struct frame *frame = memory_record(mem, op->mfn);

    if (!frame || frame->state != FRAME_RAM || frame->uses || frame->refs ||
        frame->pinned)
        op->status = GNTST_bad_page;
    else if (op->domid == BACKEND_ID)
        op->status = GNTST_permission_denied;
    else
        op->status = GNTST_bad_domain;
}

static void query_one(struct vcpu *vcpu, void *element)
{
    const struct domain *dom = vcpu->domain;
    struct gnttab_query_size *op = element;

    op->status = check_self(dom, op->dom);
    if (op->status == GNTST_okay) {
        op->nr_frames = dom->grants.nr_frames;
        op->max_nr_frames = GRANT_MAX_FRAMES;
    }
}

static grant_entry_v1_t *entry(const struct grant_table *table, grant_ref_t ref)
{
    if (ref / GRANT_ENTRIES_PER_PAGE >= table->nr_frames)
        return NULL;
    return &table->frames[ref / GRANT_ENTRIES_PER_PAGE]
                         [ref % GRANT_ENTRIES_PER_PAGE];
}

static bool is_in_use(const struct grant_table *table, grant_ref_t ref)
{
    return table
               ->pins[ref / GRANT_ENTRIES_PER_PAGE]
                     [ref % GRANT_ENTRIES_PER_PAGE]
               .readers > 0;
}

static void swap_one(struct vcpu *vcpu, void *element)
{
    struct grant_table *table = &vcpu->domain->grants;
    struct gnttab_swap_grant_ref *op = element;
    grant_entry_v1_t *a = entry(table, op->ref_a);
    grant_entry_v1_t *b = entry(table, op->ref_b), kept;

    op->status = GNTST_bad_gntref;
    if (!a || !b)
        return;
    op->status = GNTST_eagain;
    if (is_in_use(table, op->ref_a) || is_in_use(table, op->ref_b))
        return;
    kept = *a;
    *a = *b;
    *b = kept;
    op->status = GNTST_okay;
}

static const struct list_op {
    void (*serve)(struct vcpu *vcpu, void *element);
    size_t size;
} list_ops[] = {
    [GNTTABOP_map_grant_ref] = {map_one, sizeof(struct gnttab_map_grant_ref)},
    [GNTTABOP_unmap_grant_ref] = {unmap_one,
                                  sizeof(struct gnttab_unmap_grant_ref)},
    [GNTTABOP_transfer] = {transfer_one, sizeof(struct gnttab_transfer)},
    [GNTTABOP_copy] = {copy_one, sizeof(struct gnttab_copy)},
    [GNTTABOP_unmap_and_replace] = {unmap_and_replace_one,
                                    sizeof(struct gnttab_unmap_and_replace)},
    [GNTTABOP_swap_grant_ref] = {swap_one,
                                 sizeof(struct gnttab_swap_grant_ref)},
};

union element {
    struct gnttab_map_grant_ref map;
    struct gnttab_unmap_grant_ref unmap;
    struct gnttab_transfer transfer;
    struct gnttab_copy copy;
    struct gnttab_unmap_and_replace unmap_and_replace;
    struct gnttab_swap_grant_ref swap;
};

static long serve_list(struct vcpu *vcpu, const struct list_op *op,
                       uint64_t list, uint32_t count)
{
    union element element;

    for (uint32_t i = 0; i < count; i++, list += op->size) {
        if (guest_read(vcpu, guest_addr(list), &element, op->size))
            return -EFAULT;
        op->serve(vcpu, &element);
        if (guest_write(vcpu, guest_addr(list), &element, op->size))
            return -EFAULT;
        if ((i + 1) % PER_TURN == 0 && !call_breathe(vcpu))
            break;
    }
    return 0;
}

int16_t grant_table_frames(struct domain *dom, domid_t domid, uint32_t nr,
                           xen_pfn_t frames[GRANT_MAX_FRAMES])
{
    const int16_t status = check_self(dom, domid);

    if (status != GNTST_okay)
        return status;
    if (nr > GRANT_MAX_FRAMES)
        return GNTST_general_error;
    while (dom->grants.nr_frames < nr)
        if (grants_grow(dom))
            return GNTST_no_space;
    for (unsigned i = 0; i < nr; i++)
        frames[i] = grants_frame_mfn(dom, i);
    return GNTST_okay;
}

static long setup_table(struct vcpu *vcpu, uint64_t arg)
{
    xen_pfn_t frames[GRANT_MAX_FRAMES];
    struct gnttab_setup_table op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op) ||
        !guest_may_hold(vcpu, guest_addr((uint64_t)op.frame_list.p)))
        return -EFAULT;
    op.status = grant_table_frames(vcpu->domain, op.dom, op.nr_frames, frames);
    if (op.status == GNTST_okay &&
        guest_write(vcpu, guest_addr((uint64_t)op.frame_list.p), frames,
                    op.nr_frames * sizeof *frames))
        op.status = GNTST_bad_virt_addr;
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

static long query_size(struct vcpu *vcpu, uint64_t arg)
{
    struct gnttab_query_size op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    query_one(vcpu, &op);
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

/* There is version 1. What the guest has, it is told in any case. */
static long set_version(struct vcpu *vcpu, uint64_t arg)
{
    struct gnttab_set_version op;
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    rc = op.version == 1 ? 0 : op.version == 2 ? -ENOSYS : -EINVAL;
    op.version = 1;
    if (guest_write(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return rc;
}

static long get_version(struct vcpu *vcpu, uint64_t arg)
{
    struct gnttab_get_version op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (!domid_is_self(vcpu->domain, op.dom))
        return op.dom == BACKEND_ID ? -EPERM : -ESRCH;
    op.version = 1;
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

/* Those of version 2: a table of version 1 has none. */
static long get_status_frames(struct vcpu *vcpu, uint64_t arg)
{
    struct gnttab_get_status_frames op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    op.status = check_self(vcpu->domain, op.dom);
    if (op.status == GNTST_okay)
        op.status = GNTST_general_error;
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

/* There is no cache that memory of ours could be stale in. */
static long flush_one(struct vcpu *vcpu, const struct gnttab_cache_flush *op)
{
    const struct memory *mem = &vcpu->domain->mem;
    const mfn_t mfn = op->a.dev_bus_addr >> PAGE_SHIFT;

    if (op->offset >= PAGE_SIZE || op->offset + op->length > PAGE_SIZE ||
        (op->op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN)))
        return -EINVAL;
    if (op->length == 0 || op->op == 0)
        return 0;
    if (memory_frame(mem, mfn))
        return 0;
    return mfn < mem->first_mfn + mem->nr_frames ? -EPERM : -EINVAL;
}

static long cache_flush(struct vcpu *vcpu, uint64_t list, uint32_t count)
{
    struct gnttab_cache_flush op;
    long rc = 0;

    for (uint32_t i = 0; rc == 0 && i < count; i++, list += sizeof op) {
        if (guest_read(vcpu, guest_addr(list), &op, sizeof op))
            return -EFAULT;
        rc = flush_one(vcpu, &op);
        if ((i + 1) % PER_TURN == 0 && !call_breathe(vcpu))
            break;
    }
    return rc;
}

/* Operations that have no meaning without page tables that Xen knows. */
static bool is_for_pv(uint32_t cmd)
{
    return cmd == GNTTABOP_transfer || cmd == GNTTABOP_unmap_and_replace ||
           cmd == GNTTABOP_get_status_frames || cmd == GNTTABOP_cache_flush;
}

/* The upper bits of (cmd) are Xen's, to go on with a list. */
#define LAST_CMD 0xfffu

long call_grant_table_op(void *opaque, const uint64_t *args)
{
    const struct domain *dom = ((struct vcpu *)opaque)->domain;
    uint32_t cmd = (uint32_t)args[0], count = (uint32_t)args[2];

    if (dom->abi == ABI_PVH && (cmd > GNTTABOP_swap_grant_ref ||
                                cmd == GNTTABOP_dump_table || is_for_pv(cmd)))
        return -ENOSYS;
    if (count > INT32_MAX || cmd > LAST_CMD)
        return -EINVAL;
    if (cmd < sizeof list_ops / sizeof *list_ops && list_ops[cmd].serve)
        return serve_list(opaque, &list_ops[cmd], args[1], count);
    switch (cmd) {
    case GNTTABOP_setup_table:
        return count == 1 ? setup_table(opaque, args[1]) : -EINVAL;
    case GNTTABOP_query_size:
        return count == 1 ? query_size(opaque, args[1]) : -EINVAL;
    case GNTTABOP_set_version:
        return set_version(opaque, args[1]);
    case GNTTABOP_get_version:
        return get_version(opaque, args[1]);
    case GNTTABOP_get_status_frames:
        return count == 1 ? get_status_frames(opaque, args[1]) : -EINVAL;
    case GNTTABOP_cache_flush:
        return cache_flush(opaque, args[1], count);
    default:
        return -ENOSYS;
    }
}
