/*
 * host/backend/net_rx.c: what the guest receives.
 *
 * A response stands in the ring where the buffer's request stood, so buffers
 * are used in the order in which they were posted. (xen/io/netif.h)
 */
#include <errno.h>
#include <string.h>

#include "host/backend/net_private.h"
#include "host/domain.h"

/* Frames taken from the link before others get their turn. */
#define BUDGET 256

#define ETHERTYPE_IPV6  0x86dd
#define ETHERNET_HEADER 14

void net_rx_collect(struct net_queue *queue)
{
    struct netdev *dev = queue->dev;
    netif_rx_request_t request;
    int rc = 0;

    do {
        while (queue->nr_posted < NET_RING_SLOTS &&
               (rc = ring_back_take(&queue->rx.ring, &request,
                                    sizeof request)) > 0) {
            const unsigned at =
                (queue->posted_first + queue->nr_posted) % NET_RING_SLOTS;

            queue->posted[at] =
                (struct net_posted){.id = request.id, .ref = request.gref};
            queue->nr_posted++;
        }
        if (queue->nr_posted == NET_RING_SLOTS)
            return;
        if (rc < 0) {
            net_broke(dev, "its receive ring's counters make no sense");
            return;
        }
    } while (!ring_back_may_sleep(&queue->rx.ring));
}

static struct net_posted take_posted(struct net_queue *queue)
{
    const struct net_posted posted = queue->posted[queue->posted_first];

    queue->posted_first = (queue->posted_first + 1) % NET_RING_SLOTS;
    queue->nr_posted--;
    return posted;
}

/* Copy (len) bytes into the next buffer and answer it. */
static void fill_slot(struct net_queue *queue, const uint8_t *bytes, size_t len,
                      uint16_t flags)
{
    const struct net_posted posted = take_posted(queue);
    netif_rx_response_t response = {
        .id = posted.id,
        .flags = flags,
        .status = (int16_t)len,
    };
    struct lent_page page;
    uint8_t *to = lent_page_borrow(queue->dev->dom, posted.ref, true, &page);

    if (to) {
        memcpy(to, bytes, len);
        lent_page_return(queue->dev->dom, &page, true);
    } else {
        response.status = NETIF_RSP_ERROR;
        queue->dev->received.errors++;
    }
    ring_back_put(&queue->rx.ring, &response, sizeof response);
}

/* A buffer that is used up for what is said beside the data. */
static void fill_gso(struct net_queue *queue, const struct offload *work)
{
    const struct netif_extra_info extra = {
        .type = XEN_NETIF_EXTRA_TYPE_GSO,
        .u.gso.size = work->gso_size,
        .u.gso.type = work->gso == OFFLOAD_GSO_TCPV4 ? XEN_NETIF_GSO_TYPE_TCPV4
                                                     : XEN_NETIF_GSO_TYPE_TCPV6,
    };

    _Static_assert(sizeof extra <= sizeof(netif_rx_response_t),
                   "it fits the response's slot");
    take_posted(queue);
    ring_back_put(&queue->rx.ring, &extra, sizeof extra);
}

static size_t slots_for(size_t len, const struct offload *work)
{
    return (len + PAGE_SIZE - 1) / PAGE_SIZE +
           (work->gso != OFFLOAD_GSO_NONE ? 1 : 0);
}

static void deliver(struct net_queue *queue, const uint8_t *bytes, size_t len,
                    const struct offload *work)
{
    uint16_t flags = 0;

    if (work->partial)
        flags |= NETRXF_csum_blank;
    if (work->partial || work->verified)
        flags |= NETRXF_data_validated;
    if (work->gso != OFFLOAD_GSO_NONE)
        flags |= NETRXF_extra_info;
    for (size_t at = 0; at < len; at += PAGE_SIZE) {
        const size_t some = len - at < PAGE_SIZE ? len - at : PAGE_SIZE;

        if (at + some < len)
            flags |= NETRXF_more_data;
        fill_slot(queue, bytes + at, some, flags);
        if (flags & NETRXF_extra_info)
            fill_gso(queue, work);
        flags = 0;
    }
}

/*
 * Does the guest take the frame unfinished? Frontends look for headers where
 * they are without a VLAN's tag: Linux's drops what has one and is unfinished.
 * Nobody here cuts segments, though.
 */
static bool takes_partial(const struct netdev *dev, const uint8_t *bytes,
                          size_t len, const struct offload *work)
{
    size_t start;
    const unsigned type = offload_find_network(bytes, len, &start);

    if (start != ETHERNET_HEADER && work->gso == OFFLOAD_GSO_NONE)
        return false;
    return type == ETHERTYPE_IPV6 ? dev->takes_partial_v6
                                  : dev->takes_partial_v4;
}

/* Finish what the guest does not take unfinished: false if it cannot be. */
static bool make_acceptable(const struct netdev *dev, uint8_t *bytes,
                            size_t len, struct offload *work)
{
    const struct iovec part = {.iov_base = bytes, .iov_len = len};
    if (slots_for(len, work) > NET_MAX_SLOTS ||
        (len > PAGE_SIZE && !dev->takes_many_slots))
        return false;
    if (!work->partial || takes_partial(dev, bytes, len, work))
        return true;
    if (work->gso != OFFLOAD_GSO_NONE ||
        (size_t)work->csum_start + work->csum_offset + 2 > len)
        return false;
    offload_complete(work, &part, 1);
    return true;
}

/*
 * Give the guest a frame: true, also if it is none for it; false if there are
 * not enough buffers.
 */
static bool give(struct netdev *dev, uint8_t *bytes, size_t len,
                 struct offload *work)
{
    struct net_queue *queue = net_hash_queue(dev, bytes, len);

    if (!net_filter_passes(dev, bytes))
        return true;
    if (!make_acceptable(dev, bytes, len, work)) {
        net_trace(dev, "not for this guest", len, work);
        dev->received.dropped++;
        return true;
    }
    if (queue->nr_posted < slots_for(len, work)) {
        net_rx_collect(queue);
        if (dev->broken || queue->nr_posted < slots_for(len, work))
            return false;
    }
    deliver(queue, bytes, len, work);
    net_trace(dev, "received", len, work);
    dev->received.frames++;
    dev->received.bytes += len;
    return true;
}

/* The link's buffer is its own: keep a copy, so that it may go on. */
static void keep(struct netdev *dev, const uint8_t *bytes, size_t len,
                 const struct offload *work)
{
    memcpy(dev->waiting, bytes, len);
    dev->waiting_len = len;
    dev->waiting_work = *work;
}

static bool give_waiting(struct netdev *dev)
{
    if (dev->waiting_len == 0)
        return true;
    if (!give(dev, dev->waiting, dev->waiting_len, &dev->waiting_work))
        return false;
    dev->waiting_len = 0;
    return true;
}

static void receive(struct netdev *dev)
{
    struct link *link = dev->link;

    if (!give_waiting(dev))
        return;
    for (unsigned i = 0; i < BUDGET && !dev->broken; i++) {
        struct offload work;
        uint8_t *bytes;
        const ssize_t len = link->ops->receive(link, &bytes, &work);

        if (len <= 0)
            return;
        if (give(dev, bytes, (size_t)len, &work))
            continue;
        keep(dev, bytes, (size_t)len, &work);
        return;
    }
    dev->wants_turn = true; /* the descriptor is silent about what was read */
}

void net_rx_serve(struct netdev *dev)
{
    receive(dev);
    for (unsigned i = 0; i < dev->nr_queues && !dev->broken; i++)
        net_ring_publish(dev, &dev->queues[i].rx);
}

void net_rx_negotiate(struct netdev *dev)
{
    const bool v4 = dev->takes_partial_v4, v6 = dev->takes_partial_v6;
    const bool many = dev->takes_many_slots;

    dev->link->ops->accept(dev->link, v4 || v6, v4 && many && dev->takes_gso_v4,
                           v6 && many && dev->takes_gso_v6);
}
