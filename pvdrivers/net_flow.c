/*
 * pvdrivers/net_flow.c: through which queue a frame goes. All frames of a flow
 * go through one, or they would overtake each other.
 */
#include <string.h>

#include "netfront.h"

#define ETHERNET_HEADER 14
#define ETHERTYPE       12
#define IPV4_ADDRESSES  26 /* from the frame's beginning */
#define IPV6_ADDRESSES  22
#define IPV6_END        54

/* The first bytes of the frame, which may be in several pieces. */
static uint32_t copy_headers(uint8_t *to, uint32_t room,
                             const struct net_packet *packet)
{
    uint32_t len = 0;

    for (unsigned i = 0; i < packet->nr_pieces && len < room; i++) {
        const struct net_piece *piece = &packet->pieces[i];
        const uint32_t left = room - len;
        const uint32_t some = piece->len < left ? piece->len : left;

        memcpy(to + len, piece->data, some);
        len += some;
    }
    return len;
}

static uint32_t hash(const uint8_t *bytes, uint32_t len)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < len; i++)
        sum = sum * 31 + bytes[i];
    sum ^= sum >> 16;
    return sum ^ sum >> 8;
}

/*
 * By both addresses: IP's, else Ethernet's. Not by ports, which only the first
 * fragment of a datagram has.
 */
struct net_queue *net_flow_queue(struct net *net,
                                 const struct net_packet *packet)
{
    uint8_t bytes[IPV6_END];
    uint32_t len, sum;
    unsigned type;

    if (net->nr_queues == 1)
        return &net->queues[0];
    len = copy_headers(bytes, sizeof bytes, packet);
    type = len > ETHERNET_HEADER
               ? (unsigned)bytes[ETHERTYPE] << 8 | bytes[ETHERTYPE + 1]
               : 0;
    if (type == 0x0800 && len >= IPV4_ADDRESSES + 8)
        sum = hash(bytes + IPV4_ADDRESSES, 8);
    else if (type == 0x86dd && len >= IPV6_END)
        sum = hash(bytes + IPV6_ADDRESSES, 32);
    else
        sum = hash(bytes, len < ETHERTYPE ? len : ETHERTYPE);
    return &net->queues[sum % net->nr_queues];
}
