/* host/link/offload.c: headers, as far as checksums need them. (RFC 791, 8200)
 */
#include "host/link/offload.h"

#include <string.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define MAX_VLANS      2

#define PROTOCOL_HOP_BY_HOP  0
#define PROTOCOL_TCP         6
#define PROTOCOL_UDP         17
#define PROTOCOL_ROUTING     43
#define PROTOCOL_DESTINATION 60
#define MAX_EXTENSIONS       8

#define IPV4_MIN       20
#define IPV4_FRAGMENTS 0x3fff /* more of them, or not the first */
#define IPV6_HEADER    40
#define TCP_MIN        20
#define TCP_CHECKSUM   16
#define UDP_HEADER     8
#define UDP_CHECKSUM   6

/* A walk along the headers. */
struct cursor {
    const uint8_t *head;
    size_t len; /* of (head) */
    size_t at;
    bool bad; /* it ran over the end */
};

/* (size) bytes from the cursor on, or zeroes; it moves on. */
static const uint8_t *take(struct cursor *c, size_t size)
{
    static const uint8_t nothing[IPV6_HEADER];
    const uint8_t *bytes = c->head + c->at;

    if (c->bad || size > c->len - c->at) {
        c->bad = true;
        return nothing;
    }
    c->at += size;
    return bytes;
}

static unsigned big_endian(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

static unsigned take_ethertype(struct cursor *c)
{
    unsigned type = big_endian(take(c, FRAME_MIN) + 12);

    for (unsigned i = 0; i < MAX_VLANS; i++) {
        if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ)
            break;
        type = big_endian(take(c, 4) + 2);
    }
    return type;
}

unsigned offload_find_network(const uint8_t *frame, size_t len, size_t *start)
{
    struct cursor c = {.head = frame, .len = len};
    const unsigned type = take_ethertype(&c);

    *start = c.at;
    return c.bad ? 0 : type;
}

/* The protocol inside, or -1: no checksum of ours is there. */
static int take_ipv4(struct cursor *c)
{
    const uint8_t *header = take(c, IPV4_MIN);
    const size_t len = (size_t)(header[0] & 0xf) * 4;

    if (c->bad || header[0] >> 4 != 4 || len < IPV4_MIN ||
        (big_endian(header + 6) & IPV4_FRAGMENTS))
        return -1;
    take(c, len - IPV4_MIN);
    return header[9];
}

static int take_ipv6(struct cursor *c)
{
    const uint8_t *header = take(c, IPV6_HEADER);
    int protocol = header[6];

    if (c->bad || header[0] >> 4 != 6)
        return -1;
    for (unsigned i = 0; i < MAX_EXTENSIONS; i++) {
        const uint8_t *extension;

        if (protocol != PROTOCOL_HOP_BY_HOP && protocol != PROTOCOL_ROUTING &&
            protocol != PROTOCOL_DESTINATION)
            return protocol;
        extension = take(c, 8);
        take(c, extension[1] * (size_t)8);
        protocol = extension[0];
    }
    return -1;
}

bool offload_find_checksum(const uint8_t *head, size_t head_len, size_t len,
                           struct offload *work)
{
    struct cursor c = {.head = head, .len = head_len < len ? head_len : len};
    const uint8_t *header;
    int protocol = -1;
    size_t start;

    switch (take_ethertype(&c)) {
    case ETHERTYPE_IPV4:
        protocol = take_ipv4(&c);
        break;
    case ETHERTYPE_IPV6:
        protocol = take_ipv6(&c);
        break;
    default:
        break;
    }
    start = c.at;
    switch (protocol) {
    case PROTOCOL_TCP:
        header = take(&c, TCP_MIN);
        work->csum_offset = TCP_CHECKSUM;
        work->header_len = (uint16_t)(start + (size_t)(header[12] >> 4) * 4);
        if (header[12] >> 4 < TCP_MIN / 4 || work->header_len > len)
            return false;
        break;
    case PROTOCOL_UDP:
        take(&c, UDP_HEADER);
        work->csum_offset = UDP_CHECKSUM;
        work->header_len = 0;
        break;
    default:
        return false;
    }
    work->csum_start = (uint16_t)start;
    return !c.bad;
}

/*
 * The ones' complement sum of (len) bytes that begin at an even place (or at
 * an (odd) one, when their sum counts with its bytes swapped). (RFC 1071)
 */
static uint32_t sum(const uint8_t *bytes, size_t len, bool odd)
{
    uint64_t total = 0;
    uint32_t folded;

    for (; len >= 4; len -= 4, bytes += 4) {
        uint32_t word;

        memcpy(&word, bytes, sizeof word);
        total += word;
    }
    if (len >= 2) {
        uint16_t word;

        memcpy(&word, bytes, sizeof word);
        total += word;
        len -= 2;
        bytes += 2;
    }
    if (len)
        total += *bytes;
    total = (total & 0xffffffff) + (total >> 32);
    total = (total & 0xffffffff) + (total >> 32);
    folded = (uint32_t)(total & 0xffff) + (uint32_t)(total >> 16);
    folded = (folded & 0xffff) + (folded >> 16);
    return odd ? (folded >> 8 | (folded & 0xff) << 8) : folded;
}

void offload_complete(struct offload *work, const struct iovec *parts,
                      unsigned nr_parts)
{
    uint8_t *const first = parts[0].iov_base;
    size_t skip = work->csum_start;
    uint32_t total = 0;
    bool odd = false;
    uint16_t value;

    for (unsigned i = 0; i < nr_parts; i++) {
        const size_t len = parts[i].iov_len;

        if (skip >= len) {
            skip -= len;
            continue;
        }
        total += sum((uint8_t *)parts[i].iov_base + skip, len - skip, odd);
        odd ^= (len - skip) & 1;
        skip = 0;
    }
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    value = (uint16_t)~total;
    if (value == 0) /* which for UDP means that there is none */
        value = 0xffff;
    memcpy(first + work->csum_start + work->csum_offset, &value, sizeof value);
    *work = (struct offload){.verified = true};
}
