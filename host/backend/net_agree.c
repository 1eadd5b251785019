/*
 * host/backend/net_agree.c: what a frontend's keys say: what it can receive,
 * and where its rings and event channels are. (xen/io/netif.h)
 */
#include <errno.h>
#include <stdio.h>

#include "host/backend/net_private.h"
#include "host/domain.h"
#include "host/port.h"

union ctrl_slot {
    struct xen_netif_ctrl_request request;
    struct xen_netif_ctrl_response response;
};

/* A ring's slot is as large as the largest that may stand there. */
union tx_slot {
    netif_tx_request_t request;
    netif_tx_response_t response;
    struct netif_extra_info extra;
};

union rx_slot {
    netif_rx_request_t request;
    netif_rx_response_t response;
    struct netif_extra_info extra;
};

static void ctrl_closed(void *context)
{
    struct netdev *dev = context;

    dev->ctrl.bound = false;
}

static void tx_closed(void *context)
{
    struct net_queue *queue = context;

    queue->tx.bound = false; /* it may be another's by the time we let go */
    if (queue->rx.port == queue->tx.port)
        queue->rx.bound = false;
}

static void rx_closed(void *context)
{
    struct net_queue *queue = context;

    queue->rx.bound = false;
}

/* The frontend's key, absent meaning (otherwise). */
static int read_flag(struct netdev *dev, const char *key, bool otherwise,
                     bool *flag)
{
    uint32_t value = otherwise;
    int rc = xenbus_read_u32(&dev->bus, key, &value);

    *flag = value != 0;
    return rc == -ENOENT ? 0 : rc;
}

/* What the frontend can receive, and how; (*step) is what was looked at. */
static int read_choices(struct netdev *dev, const char **step)
{
    bool copies, not_v4 = false;
    uint32_t nr = 1;
    int rc;

    *step = "multi-queue-num-queues";
    rc = xenbus_read_u32(&dev->bus, *step, &nr);
    if ((rc && rc != -ENOENT) || nr == 0 || nr > NET_MAX_QUEUES)
        return -EINVAL;
    dev->nr_queues = nr;

    *step = "request-rx-copy";
    rc = read_flag(dev, *step, false, &copies);
    if (rc || !copies)
        return rc ?: -EOPNOTSUPP;
    rc = read_flag(dev, *step = "feature-sg", false, &dev->takes_many_slots);
    rc =
        rc ?: read_flag(dev, *step = "feature-no-csum-offload", false, &not_v4);
    rc = rc
             ?: read_flag(dev, *step = "feature-ipv6-csum-offload", false,
                          &dev->takes_partial_v6);
    rc = rc
             ?: read_flag(dev, *step = "feature-gso-tcpv4", false,
                          &dev->takes_gso_v4);
    rc = rc
             ?: read_flag(dev, *step = "feature-gso-tcpv6", false,
                          &dev->takes_gso_v6);
    rc = rc
             ?: read_flag(dev, *step = "request-multicast-control", false,
                          &dev->filters);
    dev->takes_partial_v4 = !not_v4;
    return rc;
}

/* A key of queue (index), which has a folder of its own if there are more. */
static int read_queue_key(struct netdev *dev, unsigned index, const char *key,
                          uint32_t *value)
{
    char path[64];

    if (dev->nr_queues == 1)
        snprintf(path, sizeof path, "%s", key);
    else
        snprintf(path, sizeof path, "queue-%u/%s", index, key);
    return xenbus_read_u32(&dev->bus, path, value);
}

static int attach_ring(struct netdev *dev, struct net_ring *ring,
                       unsigned index, const char *key, size_t slot_size)
{
    uint32_t ref;
    uint8_t *bytes;
    int rc;

    rc = read_queue_key(dev, index, key, &ref);
    if (rc)
        return rc;
    bytes = lent_page_borrow(dev->dom, ref, true, &ring->page);
    if (!bytes)
        return -EPERM;
    ring->attached = true;
    return ring_back_attach(&ring->ring, bytes, PAGE_SIZE, slot_size);
}

static int bind_ring(struct net_queue *queue, struct net_ring *ring,
                     port_fn closed)
{
    int rc = port_bind_backend(queue->dev->dom, ring->port, BACKEND_ID,
                               net_notified, closed, queue);

    ring->bound = rc == 0;
    return rc;
}

static int bind_ports(struct netdev *dev, struct net_queue *queue,
                      unsigned index)
{
    int rc = read_queue_key(dev, index, "event-channel-tx", &queue->tx.port);

    if (rc == -ENOENT) { /* one for both */
        rc = read_queue_key(dev, index, "event-channel", &queue->tx.port);
        queue->rx.port = queue->tx.port;
        rc = rc ?: bind_ring(queue, &queue->tx, tx_closed);
        return rc;
    }
    rc = rc ?: read_queue_key(dev, index, "event-channel-rx", &queue->rx.port);
    rc = rc ?: bind_ring(queue, &queue->tx, tx_closed);
    return rc ?: bind_ring(queue, &queue->rx, rx_closed);
}

static void let_go_ring(struct netdev *dev, struct net_ring *ring)
{
    if (ring->bound)
        port_unbind_backend(dev->dom, ring->port);
    if (ring->attached)
        lent_page_return(dev->dom, &ring->page, true);
}

void net_let_go(struct netdev *dev)
{
    for (unsigned i = 0; i < dev->nr_queues; i++) {
        let_go_ring(dev, &dev->queues[i].tx);
        let_go_ring(dev, &dev->queues[i].rx);
        dev->queues[i] = (struct net_queue){0};
    }
    let_go_ring(dev, &dev->ctrl);
    dev->ctrl = (struct net_ring){0};
    dev->hash = (struct net_hash){0};
    dev->nr_queues = 0;
    dev->waiting_len = 0;
    dev->wants_turn = false;
}

static int connect_queue(struct netdev *dev, unsigned index, const char **step)
{
    struct net_queue *queue = &dev->queues[index];
    int rc;

    queue->dev = dev;
    *step = "tx-ring-ref";
    rc = attach_ring(dev, &queue->tx, index, *step, sizeof(union tx_slot));
    if (rc)
        return rc;
    *step = "rx-ring-ref";
    rc = attach_ring(dev, &queue->rx, index, *step, sizeof(union rx_slot));
    if (rc)
        return rc;
    *step = "event-channel";
    return bind_ports(dev, queue, index);
}

/* Guests have one if they like. */
static int connect_ctrl(struct netdev *dev, const char **step)
{
    struct net_ring *ctrl = &dev->ctrl;
    uint8_t *bytes;
    uint32_t ref;
    int rc;

    *step = "ctrl-ring-ref";
    rc = xenbus_read_u32(&dev->bus, *step, &ref);
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    bytes = lent_page_borrow(dev->dom, ref, true, &ctrl->page);
    if (!bytes)
        return -EPERM;
    ctrl->attached = true;
    rc = ring_back_attach(&ctrl->ring, bytes, PAGE_SIZE,
                          sizeof(union ctrl_slot));
    if (rc)
        return rc;
    *step = "event-channel-ctrl";
    rc = xenbus_read_u32(&dev->bus, *step, &ctrl->port);
    rc = rc
             ?: port_bind_backend(dev->dom, ctrl->port, BACKEND_ID,
                                  net_ctrl_notified, ctrl_closed, dev);
    ctrl->bound = rc == 0;
    return rc;
}

int net_agree(struct netdev *dev, const char **step)
{
    int rc = read_choices(dev, step);

    for (unsigned i = 0; i < dev->nr_queues && rc == 0; i++)
        rc = connect_queue(dev, i, step);
    return rc ?: connect_ctrl(dev, step);
}
