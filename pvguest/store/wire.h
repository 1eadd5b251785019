/*
 * pvguest/store/wire.h: xenstore messages (xen/io/xs_wire.h) on their way
 * through the store's ring: cut into what fits, put together again.
 *
 * The server may rewrite the ring at any time and may send anything: each
 * message is copied out once, and its length is checked before it is believed.
 */
#ifndef PVGUEST_STORE_WIRE_H
#define PVGUEST_STORE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/io/xs_wire.h>

#include <ring/bytes.h>

#define WIRE_MAX_PARTS 3

struct wire_part {
    const void *data;
    uint32_t len;
};

/* A message being sent: header, then the parts of its payload. */
struct wire_out {
    struct xsd_sockmsg header;
    const struct wire_part *parts;
    unsigned nr_parts;
    uint32_t sent; /* bytes that are in the ring already */
};

/* A message being received. */
struct wire_in {
    struct xsd_sockmsg header;
    uint32_t got;                           /* bytes of header and payload */
    char payload[XENSTORE_PAYLOAD_MAX + 1]; /* NUL behind a whole message */
};

/*
 * Begin (type) in transaction (tx) with (parts), which must stay until all is
 * sent. -E2BIG when they exceed what xenstore takes.
 */
int wire_begin(struct wire_out *out, uint32_t type, uint32_t req_id,
               uint32_t tx, const struct wire_part *parts, unsigned nr_parts);

/*
 * Send as much as there is room for. Returns 1 when the message is complete, 0
 * when the ring is full, -EPROTO when the ring's indices are broken.
 */
int wire_send(struct wire_out *out, struct ring_bytes *ring);

/*
 * Take what has arrived. Returns 1 for a whole message, in (in) until the next
 * call, 0 when there is no more, -EPROTO when the server broke the protocol.
 */
int wire_receive(struct wire_in *in, struct ring_bytes *ring);

/* The negative errno for the error named in a reply of type XS_ERROR. */
int wire_error(const struct wire_in *in);

/* (text) as a decimal number and nothing else: 0 or -EINVAL. */
int wire_number(const char *text, uint64_t *number);

/*
 * The token of a watch event; NULL when it is not "path NUL token NUL" with a
 * path.
 */
const char *wire_watch_token(const struct wire_in *in);

#endif
