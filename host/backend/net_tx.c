/*
 * host/backend/net_tx.c: what the guest sends.
 *
 * A packet is a chain of slots: the first names the length of all, extra
 * information may follow, then more data. (xen/io/netif.h)
 */
#include <errno.h>
#include <string.h>

#include "host/backend/net_private.h"
#include "host/domain.h"
#include "host/log.h"

/* A frontend that chains more slots than this is not mistaken but hostile. */
#define MAX_CHAIN  (NET_MAX_SLOTS + 2)
#define MAX_EXTRAS 5 /* one of each kind */

/* Packets taken in one go, before others get their turn. */
#define BUDGET 512

struct packet {
    netif_tx_request_t slots[MAX_CHAIN];
    unsigned nr_slots;
    unsigned nr_extras;
    bool has_gso, has_filter, filter_done, bad_extra;
    struct netif_extra_info gso;
};

/* The next slot of a chain: 0, or -EPROTO with the device given up. */
static int take_next(struct net_queue *queue, void *slot, size_t size)
{
    int rc = ring_back_take(&queue->tx.ring, slot, size);

    if (rc == 1)
        return 0;
    net_broke(queue->dev, rc == 0 ? "a packet ends in the middle"
                                  : "its transmit ring's counters make no "
                                    "sense");
    return -EPROTO;
}

static void take_extra(struct netdev *dev, struct packet *packet,
                       const struct netif_extra_info *extra)
{
    switch (extra->type) {
    case XEN_NETIF_EXTRA_TYPE_GSO:
        packet->has_gso = true;
        packet->gso = *extra;
        break;
    case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
    case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
        packet->has_filter = true;
        packet->filter_done = net_filter_change(dev, extra);
        break;
    case XEN_NETIF_EXTRA_TYPE_HASH: /* there is one way out */
        break;
    default:
        packet->bad_extra = true;
        break;
    }
}

static int take_extras(struct net_queue *queue, struct packet *packet)
{
    struct netif_extra_info extra;

    do {
        if (packet->nr_extras == MAX_EXTRAS) {
            net_broke(queue->dev,
                      "a packet has more than %d pieces of extra "
                      "information",
                      MAX_EXTRAS);
            return -EPROTO;
        }
        if (take_next(queue, &extra, sizeof extra))
            return -EPROTO;
        packet->nr_extras++;
        take_extra(queue->dev, packet, &extra);
    } while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
    return 0;
}

/* Of its first slot; to clear all the others would take as long as the rest. */
static void begin_packet(struct packet *packet)
{
    packet->nr_slots = 1;
    packet->nr_extras = 0;
    packet->has_gso = packet->has_filter = false;
    packet->filter_done = packet->bad_extra = false;
}

/* Take one whole chain: 1, 0 if there is none, -EPROTO. */
static int take_packet(struct net_queue *queue, struct packet *packet)
{
    netif_tx_request_t *slot = &packet->slots[0];
    int rc = ring_back_take(&queue->tx.ring, slot, sizeof *slot);

    if (rc == 0)
        return 0;
    if (rc < 0) {
        net_broke(queue->dev, "its transmit ring's counters make no sense");
        return rc;
    }
    begin_packet(packet);
    if ((slot->flags & NETTXF_extra_info) && take_extras(queue, packet))
        return -EPROTO;
    while (slot->flags & NETTXF_more_data) {
        if (packet->nr_slots == MAX_CHAIN) {
            net_broke(queue->dev, "a packet has more than %d slots", MAX_CHAIN);
            return -EPROTO;
        }
        slot = &packet->slots[packet->nr_slots];
        if (take_next(queue, slot, sizeof *slot))
            return -EPROTO;
        packet->nr_slots++;
    }
    return 1;
}

static void answer(struct net_queue *queue, const struct packet *packet,
                   int16_t status)
{
    netif_tx_response_t response = {.status = status};

    for (unsigned i = 0; i < packet->nr_slots; i++) {
        response.id = packet->slots[i].id;
        ring_back_put(&queue->tx.ring, &response, sizeof response);
    }
    response = (netif_tx_response_t){.status = NETIF_RSP_NULL};
    for (unsigned i = 0; i < packet->nr_extras; i++)
        ring_back_put(&queue->tx.ring, &response, sizeof response);
}

/* The first slot names the size of all: let it name its own. */
static bool split_sizes(struct packet *packet, size_t *len)
{
    size_t others = 0;

    *len = packet->slots[0].size;
    if (packet->nr_slots > NET_MAX_SLOTS || *len < FRAME_MIN)
        return false;
    for (unsigned i = 1; i < packet->nr_slots; i++)
        others += packet->slots[i].size;
    if (others >= *len)
        return false;
    packet->slots[0].size = (uint16_t)(*len - others);
    for (unsigned i = 0; i < packet->nr_slots; i++)
        if (packet->slots[i].size == 0 ||
            packet->slots[i].offset + packet->slots[i].size > (int)PAGE_SIZE)
            return false;
    return true;
}

/* The packet's bytes while they are sent. */
struct lent {
    struct lent_page pages[NET_MAX_SLOTS];
    unsigned nr; /* pages */
    uint8_t head[OFFLOAD_HEAD];
    /* Page i is part 1 + i, but those that the head has all of. */
    struct iovec parts[1 + NET_MAX_SLOTS];
    unsigned first; /* of the parts: the head */
};

static struct iovec *parts_of(struct lent *lent)
{
    return &lent->parts[lent->first];
}

static unsigned nr_parts_of(const struct lent *lent)
{
    return 1 + lent->nr - lent->first;
}

static void give_back(struct domain *dom, struct lent *lent)
{
    while (lent->nr > 0)
        lent_page_return(dom, &lent->pages[--lent->nr], false);
}

static bool borrow(struct domain *dom, const struct packet *packet,
                   struct lent *lent)
{
    lent->nr = 0;
    for (unsigned i = 0; i < packet->nr_slots; i++) {
        const netif_tx_request_t *slot = &packet->slots[i];
        uint8_t *bytes =
            lent_page_borrow(dom, slot->gref, false, &lent->pages[i]);

        if (!bytes) {
            give_back(dom, lent);
            return false;
        }
        lent->nr++;
        lent->parts[1 + i] = (struct iovec){.iov_base = bytes + slot->offset,
                                            .iov_len = slot->size};
    }
    return true;
}

/* Copy the headers, once, and let the parts go on behind them. */
static void copy_head(struct lent *lent)
{
    size_t len = 0;

    lent->first = 0;
    while (lent->first < lent->nr && len < sizeof lent->head) {
        struct iovec *part = &lent->parts[1 + lent->first];
        size_t some = sizeof lent->head - len;

        if (some > part->iov_len)
            some = part->iov_len;
        memcpy(lent->head + len, part->iov_base, some);
        part->iov_base = (uint8_t *)part->iov_base + some;
        part->iov_len -= some;
        len += some;
        if (part->iov_len > 0)
            break;
        lent->first++;
    }
    *parts_of(lent) = (struct iovec){.iov_base = lent->head, .iov_len = len};
}

/* What the guest left undone; false if that makes no sense. */
static bool understand(const struct packet *packet, const struct lent *lent,
                       size_t len, struct offload *work)
{
    const uint16_t flags = packet->slots[0].flags;

    *work = (struct offload){.verified = flags & NETTXF_data_validated};
    if (packet->bad_extra)
        return false;
    if (!(flags & NETTXF_csum_blank))
        return !packet->has_gso;
    if (!offload_find_checksum(lent->head, lent->parts[lent->first].iov_len,
                               len, work))
        return false;
    work->partial = true;
    if (!packet->has_gso)
        return true;
    work->gso = packet->gso.u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4
                    ? OFFLOAD_GSO_TCPV4
                    : OFFLOAD_GSO_TCPV6;
    work->gso_size = packet->gso.u.gso.size;
    return work->header_len > 0 && work->gso_size > 0 &&
           (packet->gso.u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4 ||
            packet->gso.u.gso.type == XEN_NETIF_GSO_TYPE_TCPV6);
}

/* 0, -EAGAIN for later, or -EIO: lost. */
static int send_frame(struct netdev *dev, struct lent *lent,
                      struct offload *work)
{
    struct link *link = dev->link;

    if (work->gso != OFFLOAD_GSO_NONE && !link->takes_gso)
        return -EIO; /* it was not told that it may */
    if (work->partial && !link->takes_partial)
        offload_complete(work, parts_of(lent), nr_parts_of(lent));
    return link->ops->send(link, parts_of(lent), nr_parts_of(lent), work);
}

/* Send (packet): a status for its slots, or -EAGAIN. */
static int send_packet(struct netdev *dev, struct packet *packet)
{
    struct offload work;
    struct lent lent;
    size_t len;
    int rc;

    if (!split_sizes(packet, &len) || !borrow(dev->dom, packet, &lent)) {
        dev->sent.errors++;
        return NETIF_RSP_ERROR;
    }
    copy_head(&lent);
    if (understand(packet, &lent, len, &work))
        rc = send_frame(dev, &lent, &work);
    else
        rc = -EINVAL;
    give_back(dev->dom, &lent);
    switch (rc) {
    case 0:
        net_trace(dev, "sent", len, &work);
        dev->sent.frames++;
        dev->sent.bytes += len;
        net_rate_spend(dev, len);
        return NETIF_RSP_OKAY;
    case -EAGAIN:
        return rc;
    case -EINVAL:
        net_trace(dev, "wrong", len, &work);
        dev->sent.errors++;
        return NETIF_RSP_ERROR;
    default:
        net_trace(dev, "lost", len, &work);
        dev->sent.dropped++;
        return NETIF_RSP_DROPPED;
    }
}

/* Take and send one packet: false if that is all for now. */
static bool serve_one(struct net_queue *queue)
{
    struct netdev *dev = queue->dev;
    const struct ring_back before = queue->tx.ring;
    struct packet packet;
    int status;

    if (!net_rate_allows(dev)) {
        queue->held_back = true;
        return false;
    }
    if (take_packet(queue, &packet) <= 0)
        return false;
    if (packet.has_filter) /* there is no frame to it */
        status = packet.filter_done ? NETIF_RSP_OKAY : NETIF_RSP_ERROR;
    else
        status = send_packet(dev, &packet);
    if (status == -EAGAIN) {
        queue->tx.ring = before; /* it stays in the ring */
        queue->held_back = dev->wants_turn = true;
        return false;
    }
    answer(queue, &packet, (int16_t)status);
    return true;
}

void net_tx_serve(struct net_queue *queue)
{
    struct netdev *dev = queue->dev;
    unsigned served = 0;

    queue->held_back = false;
    do {
        while (served < BUDGET && serve_one(queue))
            served++;
    } while (served < BUDGET && !dev->broken && !queue->held_back &&
             !ring_back_may_sleep(&queue->tx.ring));
    if (served == BUDGET) { /* the rest when it was the others' turn */
        queue->held_back = true;
        dev->wants_turn = true;
    }
    dev->link->ops->flush(dev->link);
    if (!dev->broken)
        net_ring_publish(dev, &queue->tx);
}
