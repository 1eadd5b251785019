/*
 * A backend attaches to a ring that its frontend made, and may have used.
 */
#include <ring/back.h>

int ring_back_attach(struct ring_back *back, void *shared, size_t bytes,
                     size_t slot_size)
{
    const struct ring_any_sring *header = shared;
    uint32_t nr_slots = ring_nr_slots(bytes, slot_size);
    uint32_t req_prod, rsp_prod;

    if (!nr_slots)
        return -EINVAL;

    rsp_prod = ring_counter_read(&header->rsp_prod);
    req_prod = ring_counter_read(&header->req_prod);
    if (req_prod - rsp_prod > nr_slots)
        return -EPROTO;

    *back = (struct ring_back){
        .shared = shared,
        .nr_slots = nr_slots,
        .slot_size = (uint32_t)slot_size,
        .req_cons = rsp_prod,
        .rsp_prod = rsp_prod,
        .published = rsp_prod,
    };
    return 0;
}

int ring_back_attach_pages(struct ring_back *back, void *const *pages,
                           size_t nr, size_t slot_size)
{
    int rc = ring_back_attach(back, pages[0], nr * RING_PAGE_SIZE, slot_size);

    if (rc == 0 && nr > 1)
        back->pages = pages;
    return rc;
}
