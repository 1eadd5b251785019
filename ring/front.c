/*
 * A frontend makes its ring before anyone else sees it.
 */
#include <ring/front.h>

#include <string.h>

void ring_front_init(struct ring_front *front, void *shared, size_t bytes,
                     size_t slot_size)
{
    struct ring_any_sring *header = shared;

    memset(shared, 0, bytes); /* the peer will read all of it */
    header->req_event = 1;
    header->rsp_event = 1;

    *front = (struct ring_front){
        .shared = shared,
        .nr_slots = ring_nr_slots(bytes, slot_size),
        .slot_size = (uint32_t)slot_size,
    };
}
