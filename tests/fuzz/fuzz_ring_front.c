/*
 * A frontend on a page that its backend writes anything to, at any time.
 */
#include <ring/front.h>

#include "input.h"

#define PAGE_BYTES 512
#define SLOT_BYTES 48

enum step { write_page, write_counter, put, publish, take, sleep };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t *page = malloc(PAGE_BYTES);
    uint8_t slot[SLOT_BYTES] = {0};
    struct ring_front front;
    int rc;

    PROMISE(page);
    ring_front_init(&front, page, PAGE_BYTES, SLOT_BYTES);
    while (input_left(&input)) {
        uint32_t room = ring_front_room(&front);

        PROMISE(room <= front.nr_slots);
        switch ((enum step)(input_u8(&input) % (sleep + 1))) {
        case write_page:
            page[input_u16(&input) % PAGE_BYTES] = input_u8(&input);
            break;
        case write_counter:
            ((uint32_t *)(void *)page)[input_u8(&input) % 4] =
                front.rsp_cons + (uint32_t)(int8_t)input_u8(&input);
            break;
        case put:
            PROMISE(ring_front_put(&front, slot, sizeof slot) == (room > 0));
            break;
        case publish:
            ring_front_publish(&front);
            PROMISE(front.published == front.req_prod);
            break;
        case take:
            rc = ring_front_take(&front, slot, 16);
            PROMISE(rc == 1 || rc == 0 || rc == -EPROTO);
            PROMISE(ring_front_room(&front) == room + (rc == 1));
            break;
        case sleep:
            ring_front_may_sleep(&front);
            break;
        }
        /* Never answered more than was published. */
        PROMISE(front.published - front.rsp_cons <= front.nr_slots);
    }
    free(page);
    return 0;
}
