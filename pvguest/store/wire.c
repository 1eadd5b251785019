#include <errno.h> /* first: xs_wire.h names the errors it finds */
#include <string.h>

#include "wire.h"

int wire_begin(struct wire_out *out, uint32_t type, uint32_t req_id,
               uint32_t tx, const struct wire_part *parts, unsigned nr_parts)
{
    uint32_t len = 0;

    for (unsigned i = 0; i < nr_parts; i++) {
        if (parts[i].len > XENSTORE_PAYLOAD_MAX - len)
            return -E2BIG;
        len += parts[i].len;
    }
    out->header = (struct xsd_sockmsg){type, req_id, tx, len};
    out->parts = parts;
    out->nr_parts = nr_parts;
    out->sent = 0;
    return 0;
}

/* The piece that holds byte (at) of the message, and what is left of it. */
static struct wire_part wire_rest(const struct wire_out *out, uint32_t at)
{
    const char *data = (const char *)&out->header;
    uint32_t len = sizeof out->header;

    for (unsigned i = 0; at >= len && i < out->nr_parts; i++) {
        at -= len;
        data = out->parts[i].data;
        len = out->parts[i].len;
    }
    return (struct wire_part){data + at, len - at};
}

int wire_send(struct wire_out *out, struct ring_bytes *ring)
{
    while (out->sent < sizeof out->header + out->header.len) {
        struct wire_part rest = wire_rest(out, out->sent);
        ssize_t n = ring_bytes_write(ring, rest.data, rest.len);

        if (n <= 0)
            return (int)n;
        out->sent += (uint32_t)n;
    }
    return 1;
}

/* Read until (want) bytes of the message are here: 1, 0 or -EPROTO. */
static int wire_fill(struct wire_in *in, struct ring_bytes *ring, char *to,
                     uint32_t want)
{
    while (in->got < want) {
        uint32_t left = want - in->got;
        ssize_t n = ring_bytes_read(ring, to, left);

        if (n <= 0)
            return (int)n;
        to += n;
        in->got += (uint32_t)n;
    }
    return 1;
}

int wire_receive(struct wire_in *in, struct ring_bytes *ring)
{
    const uint32_t head = sizeof in->header;
    int rc;

    if (in->got >= head && in->got == head + in->header.len)
        in->got = 0; /* the one before was whole */

    rc = wire_fill(in, ring, (char *)&in->header + in->got, head);
    if (rc <= 0)
        return rc;
    if (in->header.len > XENSTORE_PAYLOAD_MAX)
        return -EPROTO;

    rc = wire_fill(in, ring, in->payload + (in->got - head),
                   head + in->header.len);
    if (rc <= 0)
        return rc;
    in->payload[in->header.len] = '\0';
    return 1;
}

int wire_error(const struct wire_in *in)
{
    for (size_t i = 0; i < sizeof xsd_errors / sizeof *xsd_errors; i++)
        if (!strcmp(in->payload, xsd_errors[i].errstring))
            return -xsd_errors[i].errnum;
    return -EIO;
}

int wire_number(const char *text, uint64_t *number)
{
    uint64_t value = 0;

    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        unsigned digit = (unsigned)*text - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return -EINVAL;
        value = value * 10 + digit;
    }
    *number = value;
    return 0;
}

const char *wire_watch_token(const struct wire_in *in)
{
    size_t path = strlen(in->payload) + 1;
    const char *token = in->payload + path;

    /* The NUL behind the payload is ours: both strings need their own. */
    if (path == 1 || path >= in->header.len ||
        path + strlen(token) + 1 != in->header.len)
        return NULL;
    return token;
}
