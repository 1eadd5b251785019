/* host/backend/lent_page.c: a page of the guest, by grant. */
#include "host/backend/lent_page.h"

#include <grant/borrow.h>

#include "host/domain.h"
#include "host/memory.h"

/*
 * The frame's bytes, counted as in use. Not a page table's or a descriptor
 * table's: these the guest itself may not write either.
 */
static uint8_t *frame_hold(struct memory *mem, mfn_t mfn, bool write,
                           uint32_t *index)
{
    struct frame *frame = memory_record(mem, mfn);

    if (!frame || frame->state != FRAME_RAM ||
        (write && frame->uses > 0 && frame->type != TYPE_NONE &&
         frame->type != TYPE_WRITABLE))
        return NULL;
    frame->refs++;
    *index = (uint32_t)memory_index(mem, mfn);
    return mem->base + (size_t)*index * PAGE_SIZE;
}

uint8_t *lent_page_borrow(struct domain *dom, grant_ref_t ref, bool write,
                          struct lent_page *page)
{
    uint8_t *bytes;
    uint64_t mfn;

    if (grant_pin(&dom->grants, ref, BACKEND_ID, write, &mfn) != GNTST_okay)
        return NULL;
    *page = (struct lent_page){.ref = ref};
    bytes = frame_hold(&dom->mem, mfn, write, &page->frame);
    if (!bytes)
        grant_unpin(&dom->grants, ref, write);
    return bytes;
}

void lent_page_return(struct domain *dom, const struct lent_page *page,
                      bool write)
{
    dom->mem.frames[page->frame].refs--;
    grant_unpin(&dom->grants, page->ref, write);
}
