/*
 * Both ends of a byte stream, each against counters that anyone may write.
 */
#include <errno.h>
#include <stdbool.h>

#include <ring/bytes.h>

#include "input.h"

#define SIZE 64

enum step { set_prod, set_cons, write_some, read_some, look };

/* What a call may answer: an error, or at most (limit). */
static bool fits(ssize_t rc, size_t limit)
{
    return rc == -EPROTO || (rc >= 0 && (size_t)rc <= limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t *stream = calloc(1, SIZE);
    uint8_t buf[2 * SIZE] = {0};
    uint32_t prod = input_u32(&input), cons = prod;
    struct ring_bytes producer, consumer;
    size_t len;

    PROMISE(stream);
    ring_bytes_attach_producer(&producer, stream, SIZE, &prod, &cons);
    ring_bytes_attach_consumer(&consumer, stream, SIZE, &prod, &cons);
    while (input_left(&input)) {
        switch ((enum step)(input_u8(&input) % (look + 1))) {
        case set_prod:
            prod += (uint32_t)(int8_t)input_u8(&input);
            break;
        case set_cons:
            cons += (uint32_t)(int8_t)input_u8(&input);
            break;
        case write_some:
            len = input_u8(&input) % sizeof buf;
            PROMISE(fits(ring_bytes_write(&producer, buf, len),
                         len < SIZE ? len : SIZE));
            break;
        case read_some:
            len = input_u8(&input) % sizeof buf;
            PROMISE(fits(ring_bytes_read(&consumer, buf, len),
                         len < SIZE ? len : SIZE));
            break;
        case look:
            PROMISE(fits(ring_bytes_room(&producer), SIZE));
            PROMISE(fits(ring_bytes_pending(&consumer), SIZE));
            break;
        }
    }
    free(stream);
    return 0;
}
