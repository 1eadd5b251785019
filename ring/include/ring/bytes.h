/*
 * ring/bytes.h: one direction of a byte stream through shared memory, as the
 * console, xenstore and 9pfs use in pairs.
 *
 * Two free-running counters and a power of two of bytes. The producer owns
 * (prod), the consumer owns (cons); each keeps a private copy of its own and
 * reads the peer's once per call. A peer whose counter claims more than (size)
 * bytes in flight has broken the protocol: -EPROTO, nothing moved.
 */
#ifndef RING_BYTES_H
#define RING_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ring_bytes {
    uint8_t *data;
    uint32_t size;  /* a power of two */
    uint32_t *prod; /* shared counters */
    uint32_t *cons;
    uint32_t own; /* private copy of the counter this end advances */
};

/*
 * Attach as producer or consumer, from the counters found in memory. (data) is
 * (size) bytes, a power of two; it and the counters stay the caller's. Which
 * field is which: xen/io/console.h, xs_wire.h, 9pfs.h.
 */
void ring_bytes_attach_producer(struct ring_bytes *bytes, void *data,
                                uint32_t size, uint32_t *prod, uint32_t *cons);
void ring_bytes_attach_consumer(struct ring_bytes *bytes, void *data,
                                uint32_t size, uint32_t *prod, uint32_t *cons);

/*
 * Write at most (len) bytes; returns how many fitted (0: full) or -EPROTO.
 * After any advance, tell the peer by its event channel.
 */
ssize_t ring_bytes_write(struct ring_bytes *bytes, const void *buf, size_t len);

/*
 * Read at most (len) bytes; returns how many there were (0: empty) or -EPROTO.
 */
ssize_t ring_bytes_read(struct ring_bytes *bytes, void *buf, size_t len);

/* Producer: free bytes; consumer: bytes to read. Or -EPROTO. */
ssize_t ring_bytes_room(const struct ring_bytes *bytes);
ssize_t ring_bytes_pending(const struct ring_bytes *bytes);

#endif
