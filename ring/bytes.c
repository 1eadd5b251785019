/*
 * Byte streams. There are no marks here: whoever advances a counter always
 * tells the peer, so handing over is all the ordering there is. Writes are
 * acquired by the reader's look at (prod), and the reader's copying is over
 * before the writer's look at (cons) shows the room.
 */
#include <ring/bytes.h>

#include <errno.h>
#include <string.h>

#include <ring/shared.h>

void ring_bytes_attach_producer(struct ring_bytes *bytes, void *data,
                                uint32_t size, uint32_t *prod, uint32_t *cons)
{
    *bytes = (struct ring_bytes){
        .data = data,
        .size = size,
        .prod = prod,
        .cons = cons,
        .own = ring_counter_read(prod),
    };
}

void ring_bytes_attach_consumer(struct ring_bytes *bytes, void *data,
                                uint32_t size, uint32_t *prod, uint32_t *cons)
{
    *bytes = (struct ring_bytes){
        .data = data,
        .size = size,
        .prod = prod,
        .cons = cons,
        .own = ring_counter_read(cons),
    };
}

ssize_t ring_bytes_room(const struct ring_bytes *bytes)
{
    uint32_t used = bytes->own - ring_counter_read(bytes->cons);

    if (used > bytes->size)
        return -EPROTO;
    return bytes->size - used;
}

ssize_t ring_bytes_pending(const struct ring_bytes *bytes)
{
    uint32_t used = ring_counter_read(bytes->prod) - bytes->own;

    if (used > bytes->size)
        return -EPROTO;
    return used;
}

/* How many of (len) bytes from (at) lie before the end of the array. */
static size_t before_end(const struct ring_bytes *bytes, size_t at, size_t len)
{
    return len < bytes->size - at ? len : bytes->size - at;
}

ssize_t ring_bytes_write(struct ring_bytes *bytes, const void *buf, size_t len)
{
    ssize_t room = ring_bytes_room(bytes);
    size_t at = bytes->own & (bytes->size - 1);
    size_t first;

    if (room <= 0)
        return room;
    if (len > (size_t)room)
        len = (size_t)room;

    first = before_end(bytes, at, len);
    memcpy(bytes->data + at, buf, first);
    memcpy(bytes->data, (const uint8_t *)buf + first, len - first);

    bytes->own += (uint32_t)len;
    ring_counter_release(bytes->prod, bytes->own);
    return (ssize_t)len;
}

ssize_t ring_bytes_read(struct ring_bytes *bytes, void *buf, size_t len)
{
    ssize_t pending = ring_bytes_pending(bytes);
    size_t at = bytes->own & (bytes->size - 1);
    size_t first;

    if (pending <= 0)
        return pending;
    if (len > (size_t)pending)
        len = (size_t)pending;

    first = before_end(bytes, at, len);
    memcpy(buf, bytes->data + at, first);
    memcpy((uint8_t *)buf + first, bytes->data, len - first);

    bytes->own += (uint32_t)len;
    ring_counter_release(bytes->cons, bytes->own);
    return (ssize_t)len;
}
