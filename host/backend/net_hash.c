/*
 * host/backend/net_hash.c: which queue a frame for the guest goes to: all of a
 * conversation to one, in their order; to which, the guest may say.
 * (xen/io/netif.h, "Hash types", "Hash algorithms")
 */
#include <string.h>

#include "host/backend/net_private.h"

#define MAX_TUPLE 36 /* IPv6's addresses, two ports */

/* What a frame carries. */
struct packet {
    const uint8_t *bytes;
    size_t len;
    unsigned type; /* Ethernet's */
};

static unsigned read_16(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

static struct packet find_packet(const uint8_t *frame, size_t len)
{
    size_t start;
    const unsigned type = offload_find_network(frame, len, &start);

    return (struct packet){frame + start, len - start, type};
}

uint32_t net_hash_toeplitz(const uint8_t key[NET_HASH_KEY_SIZE],
                           const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0, window = 0;

    for (unsigned i = 0; i < 4; i++)
        window = window << 8 | key[i];
    for (size_t i = 0; i < len; i++) {
        const uint8_t next = i + 4 < NET_HASH_KEY_SIZE ? key[i + 4] : 0;

        for (int bit = 7; bit >= 0; bit--) {
            if (bytes[i] >> bit & 1)
                sum ^= window;
            window = window << 1 | (uint32_t)(next >> bit & 1);
        }
    }
    return sum;
}

static size_t tuple_ipv4(const struct net_hash *hash,
                         const struct packet *packet, uint8_t *tuple)
{
    const size_t header = packet->len > 0 ? 4u * (packet->bytes[0] & 15) : 0;

    if (header < 20 || packet->len < header)
        return 0;
    memcpy(tuple, packet->bytes + 12, 8);
    if ((hash->types & XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP) &&
        packet->bytes[9] == 6 && packet->len >= header + 4 &&
        !(read_16(packet->bytes + 6) & 0x3fff)) { /* whole */
        memcpy(tuple + 8, packet->bytes + header, 4);
        return 12;
    }
    return hash->types & XEN_NETIF_CTRL_HASH_TYPE_IPV4 ? 8 : 0;
}

static size_t tuple_ipv6(const struct net_hash *hash,
                         const struct packet *packet, uint8_t *tuple)
{
    if (packet->len < 40)
        return 0;
    memcpy(tuple, packet->bytes + 8, 32);
    if ((hash->types & XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP) &&
        packet->bytes[6] == 6 && packet->len >= 44) {
        memcpy(tuple + 32, packet->bytes + 40, 4);
        return 36;
    }
    return hash->types & XEN_NETIF_CTRL_HASH_TYPE_IPV6 ? 32 : 0;
}

/* By the guest's wish; false if it has none for such frames. */
static bool choose_as_told(const struct netdev *dev,
                           const struct packet *packet, unsigned *queue)
{
    const struct net_hash *hash = &dev->hash;
    uint8_t tuple[MAX_TUPLE];
    size_t len = 0;
    uint32_t sum;

    if (packet->type == 0x0800)
        len = tuple_ipv4(hash, packet, tuple);
    else if (packet->type == 0x86dd)
        len = tuple_ipv6(hash, packet, tuple);
    if (len == 0)
        return false;
    sum = net_hash_toeplitz(hash->key, tuple, len);
    *queue = hash->nr_mapping ? hash->mapping[sum % hash->nr_mapping]
                              : sum % dev->nr_queues;
    return true;
}

/*
 * Addresses, and the ports of most, lie behind the lengths and checksums of
 * IPv4's header; of IPv6's, the addresses do.
 */
static unsigned choose_freely(const struct netdev *dev,
                              const struct packet *packet)
{
    uint32_t sum = 0;

    for (size_t i = 12; i < 24 && i < packet->len; i++)
        sum = sum * 31 + packet->bytes[i];
    sum ^= sum >> 16;
    return sum % dev->nr_queues;
}

struct net_queue *net_hash_queue(struct netdev *dev, const uint8_t *frame,
                                 size_t len)
{
    struct packet packet;
    unsigned queue;

    if (dev->nr_queues == 1)
        return &dev->queues[0];
    packet = find_packet(frame, len);
    if (!dev->hash.toeplitz || !choose_as_told(dev, &packet, &queue))
        queue = choose_freely(dev, &packet);
    return &dev->queues[queue];
}
