/* grant_copy(): bytes between pages of the caller, by frame or by grant. */
#include <string.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/grant_map.h"
#include "host/pagetable.h"

/* One end of a copy, in use until closed. */
struct end {
    uint8_t *page;
    grant_ref_t ref;
    bool is_ref, write;
};

/* The frame behind (op): GNTST_okay and *mfn; a grant is pinned by it. */
static int16_t resolve(struct domain *dom, const struct gnttab_copy_ptr *op,
                       const struct end *end, uint64_t *mfn)
{
    if (!end->is_ref) {
        *mfn = op->u.gmfn;
        if (op->domid == DOMID_SELF)
            return GNTST_okay;
        return op->domid == dom->id || op->domid == BACKEND_ID
                   ? GNTST_permission_denied
                   : GNTST_bad_domain;
    }
    if (op->domid == BACKEND_ID)
        return GNTST_bad_gntref; /* it grants nothing */
    if (!domid_is_self(dom, op->domid))
        return GNTST_bad_domain;
    return grant_pin(&dom->grants, op->u.ref, dom->id, end->write, mfn);
}

static void close_end(struct domain *dom, const struct end *end)
{
    if (end->is_ref)
        grant_unpin(&dom->grants, end->ref, end->write);
}

static int16_t open_end(struct domain *dom, const struct gnttab_copy_ptr *op,
                        struct end *end)
{
    uint64_t mfn;
    int16_t status = resolve(dom, op, end, &mfn);

    if (status != GNTST_okay)
        return status;
    end->ref = op->u.ref;
    end->page = memory_frame(&dom->mem, mfn);
    if (!end->page)
        status = GNTST_bad_page;
    else if (end->write && !frame_is_writable(dom, mfn))
        status = GNTST_general_error; /* a page table, say */
    if (status != GNTST_okay)
        close_end(dom, end);
    return status;
}

int16_t grant_copy(struct domain *dom, const struct gnttab_copy *op)
{
    struct end from = {.is_ref = op->flags & GNTCOPY_source_gref};
    struct end to = {.is_ref = op->flags & GNTCOPY_dest_gref, .write = true};
    int16_t status;

    if ((uint32_t)op->source.offset + op->len > PAGE_SIZE ||
        (uint32_t)op->dest.offset + op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    status = open_end(dom, &op->source, &from);
    if (status != GNTST_okay)
        return status;
    status = open_end(dom, &op->dest, &to);
    if (status == GNTST_okay) {
        memmove(to.page + op->dest.offset, from.page + op->source.offset,
                op->len);
        close_end(dom, &to);
    }
    close_end(dom, &from);
    return status;
}
