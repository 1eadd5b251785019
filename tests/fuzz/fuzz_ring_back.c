/*
 * A backend on a page that its frontend writes anything to, at any time.
 */
#include <ring/back.h>

#include "input.h"

#define PAGE_BYTES 512
#define SLOT_BYTES 48

enum step { write_page, write_counter, take, put, publish, sleep, attach };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t *page = calloc(1, PAGE_BYTES);
    uint8_t slot[SLOT_BYTES];
    uint32_t in_flight = 0;
    struct ring_back back;
    int rc;

    PROMISE(page);
    PROMISE(!ring_back_attach(&back, page, PAGE_BYTES, SLOT_BYTES));
    PROMISE(back.nr_slots == 8);
    while (input_left(&input)) {
        switch ((enum step)(input_u8(&input) % (attach + 1))) {
        case write_page:
            page[input_u16(&input) % PAGE_BYTES] = input_u8(&input);
            break;
        case write_counter:
            ((uint32_t *)(void *)page)[input_u8(&input) % 4] =
                back.req_cons + (uint32_t)(int8_t)input_u8(&input);
            break;
        case take:
            rc = ring_back_take(&back, slot, sizeof slot);
            PROMISE(rc == 1 || rc == 0 || rc == -EPROTO);
            in_flight += rc == 1;
            PROMISE(in_flight <= back.nr_slots);
            PROMISE(back.req_cons - back.rsp_prod == in_flight);
            break;
        case put:
            if (in_flight) {
                ring_back_put(&back, slot, 16);
                in_flight--;
            }
            break;
        case publish:
            ring_back_publish(&back);
            PROMISE(back.published == back.rsp_prod);
            break;
        case sleep:
            ring_back_may_sleep(&back);
            break;
        case attach:
            if (!ring_back_attach(&back, page, PAGE_BYTES, SLOT_BYTES))
                in_flight = 0;
            break;
        }
    }
    free(page);
    return 0;
}
