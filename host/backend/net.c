/*
 * host/backend/net.c: a network device's life, from the command line to the
 * rings.
 */
#include "host/backend/net.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/backend/net_private.h"
#include "host/domain.h"
#include "host/log.h"
#include "host/port.h"

#define DEFAULT_MTU 1500

/* As many as a tap device queues. */
#define OLD_FRAMES 1024

#define MAC_FORMAT    "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_ARGS(mac) (mac)[0], (mac)[1], (mac)[2], (mac)[3], (mac)[4], (mac)[5]

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

void net_broke(struct netdev *dev, const char *format, ...)
{
    char sentence[160];
    va_list args;

    dev->broken = true;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (dev->connected) /* else connect() sees that it is broken */
        xenbus_fail(&dev->bus, "vif %u: %s", dev->index, sentence);
}

void net_trace(const struct netdev *dev, const char *what, size_t len,
               const struct offload *work)
{
    if (!(dev->dom->config->trace & TRACE_NET))
        return;
    log_trace("net: vif %u: %s, %zu bytes%s%s", dev->index, what, len,
              work->partial ? ", checksum to do" : "",
              work->gso != OFFLOAD_GSO_NONE ? ", to be cut" : "");
}

void net_ring_publish(struct netdev *dev, struct net_ring *ring)
{
    if (ring_back_publish(&ring->ring))
        port_raise(dev->dom, ring->port);
}

void net_watch_link(struct netdev *dev)
{
    const struct link *link = dev->link;

    if (!dev->source)
        return;
    dev->source->events = 0;
    if (!dev->connected || dev->broken || link->fd < 0)
        return;
    dev->source->fd = link->fd;
    if (dev->waiting_len == 0)
        dev->source->events |= POLLIN;
    if (link->wants_out || dev->wants_turn)
        dev->source->events |= POLLOUT;
}

static void send_all(struct netdev *dev)
{
    for (unsigned i = 0; i < dev->nr_queues && !dev->broken; i++)
        net_tx_serve(&dev->queues[i]);
}

/*
 * Links go down by themselves; the guest sees it as its carrier. What waits in
 * its rings goes where the rest goes now.
 */
static void publish_carrier(struct netdev *dev)
{
    if (dev->carrier == dev->link->up)
        return;
    dev->carrier = dev->link->up;
    xenbus_publish(&dev->bus, "carrier", "%d", dev->carrier);
    send_all(dev);
}

/* The link has frames, or takes some again. */
static void link_ready(void *context, short revents)
{
    struct netdev *dev = context;

    const bool other_turn = (revents & POLLOUT) && dev->wants_turn;

    if (revents & POLLOUT) {
        dev->wants_turn = false;
        dev->link->ops->flush(dev->link);
        if (other_turn)
            net_ctrl_serve(dev);
        send_all(dev);
    }
    if (!dev->broken && (other_turn || (revents & ~POLLOUT)))
        net_rx_serve(dev);
    publish_carrier(dev);
    net_watch_link(dev);
}

static void notified(void *context)
{
    struct net_queue *queue = context;
    struct netdev *dev = queue->dev;

    net_tx_serve(queue);
    if (!dev->broken)
        net_rx_collect(queue);
    if (!dev->broken)
        net_rx_serve(dev);
    publish_carrier(dev);
    net_watch_link(dev);
}

static void ctrl_notified(void *context)
{
    struct netdev *dev = context;

    net_ctrl_serve(dev);
    net_watch_link(dev);
}

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

/* What the toolstack would have written. */
static int publish_config(struct netdev *dev)
{
    const struct net_config *config = dev->config;
    struct xenbus_device *bus = &dev->bus;
    const uint8_t *mac = dev->mac;
    int rc;

    rc = xenbus_preset(bus, "handle", "%u", dev->index);
    rc = rc ?: xenbus_preset(bus, "mac", MAC_FORMAT, MAC_ARGS(mac));
    rc = rc ?: xenbus_preset(bus, "mtu", "%u", config->mtu ?: DEFAULT_MTU);
    rc = rc ?: xenbus_preset(bus, "trusted", "1");
    rc = rc ?: xenbus_publish(bus, "handle", "%u", dev->index);
    rc = rc ?: xenbus_publish(bus, "mac", MAC_FORMAT, MAC_ARGS(mac));
    rc = rc ?: xenbus_publish(bus, "type", "vif");
    if (config->mtu)
        rc = rc ?: xenbus_publish(bus, "mtu", "%u", config->mtu);
    if (*config->bridge)
        rc = rc ?: xenbus_publish(bus, "bridge", "%s", config->bridge);
    if (*config->ip)
        rc = rc ?: xenbus_publish(bus, "ip", "%s", config->ip);
    if (config->rate_bytes)
        rc = rc
                 ?: xenbus_publish(bus, "rate", "%llu,%u",
                                   (unsigned long long)config->rate_bytes,
                                   config->rate_us);
    rc = rc ?: xenbus_publish(bus, "hotplug-status", "connected");
    return rc;
}

static int publish_features(struct netdev *dev)
{
    struct xenbus_device *bus = &dev->bus;
    const int gso = dev->link->takes_gso;
    int rc;

    rc = xenbus_publish(bus, "feature-rx-copy", "1");
    rc = rc ?: xenbus_publish(bus, "feature-rx-flip", "0");
    rc = rc ?: xenbus_publish(bus, "feature-sg", "1");
    rc = rc ?: xenbus_publish(bus, "feature-gso-tcpv4", "%d", gso);
    rc = rc ?: xenbus_publish(bus, "feature-gso-tcpv6", "%d", gso);
    rc = rc ?: xenbus_publish(bus, "feature-ipv6-csum-offload", "1");
    rc = rc ?: xenbus_publish(bus, "feature-split-event-channels", "1");
    rc = rc ?: xenbus_publish(bus, "feature-multicast-control", "1");
    rc = rc ?: xenbus_publish(bus, "feature-ctrl-ring", "1");
    rc = rc
             ?: xenbus_publish(bus, "multi-queue-max-queues", "%d",
                               NET_MAX_QUEUES);
    dev->carrier = true;
    rc = rc ?: xenbus_publish(bus, "carrier", "1");
    return rc;
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
                               notified, closed, queue);

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

static void let_go(struct netdev *dev)
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

static void netdev_disconnect(struct xenbus_device *bus)
{
    struct netdev *dev = bus->context;

    dev->connected = false;
    net_watch_link(dev);
    let_go(dev);
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
                                  ctrl_notified, ctrl_closed, dev);
    ctrl->bound = rc == 0;
    return rc;
}

/* Frames that came while nobody was there are nobody's. */
static void forget_old_frames(struct netdev *dev)
{
    struct offload work;
    uint8_t *bytes;

    for (unsigned i = 0; i < OLD_FRAMES; i++)
        if (dev->link->ops->receive(dev->link, &bytes, &work) <= 0)
            return;
}

static int netdev_connect(struct xenbus_device *bus)
{
    struct netdev *dev = bus->context;
    const char *step;
    int rc;

    dev->broken = false;
    dev->nr_multicast = 0;
    rc = read_choices(dev, &step);
    for (unsigned i = 0; i < dev->nr_queues && rc == 0; i++)
        rc = connect_queue(dev, i, &step);
    rc = rc ?: connect_ctrl(dev, &step);
    if (rc) {
        xenbus_fail(bus, "vif %u: the guest's %s cannot be used: %s",
                    dev->index, step, strerror(-rc));
        let_go(dev);
        return rc;
    }
    net_rx_negotiate(dev);
    forget_old_frames(dev);
    dev->connected = true;
    net_ctrl_serve(dev);
    /* what it wrote before we looked */
    for (unsigned i = 0; i < dev->nr_queues && !dev->broken; i++)
        notified(&dev->queues[i]);
    if (!dev->broken)
        return 0;
    netdev_disconnect(bus);
    return -EPROTO;
}

static void netdev_destroy(struct netdev *dev)
{
    xenbus_destroy(&dev->bus);
    if (dev->source)
        wait_remove(&dev->dom->wait, dev->source);
    net_rate_destroy(dev);
    link_close(dev->link);
    free(dev);
}

static int open_device(struct netdev *dev)
{
    static const struct xenbus_ops ops = {
        .connect = netdev_connect,
        .disconnect = netdev_disconnect,
    };
    int rc;

    rc = link_open(dev->config, &dev->link);
    if (rc)
        return rc;
    rc = net_rate_create(dev);
    if (rc == 0) {
        dev->source =
            wait_add(&dev->dom->wait, dev->link->fd, 0, link_ready, dev);
        rc = dev->source ? 0 : -ENOSPC;
    }
    rc = rc ?: xenbus_create(&dev->bus, dev->dom, "vif", dev->index, &ops, dev);
    rc = rc ?: publish_config(dev);
    rc = rc ?: publish_features(dev);
    if (rc)
        log_error("cannot set up network device %u: %s: see 'paravane doctor'",
                  dev->index, strerror(-rc));
    else
        dev->link->ops->allow(dev->link, &dev->dom->sandbox);
    return rc;
}

static int netdev_create(struct domain *dom, unsigned index)
{
    const struct net_config *config = &dom->config->nets[index];
    struct netdev *dev = calloc(1, sizeof *dev);
    int rc;

    if (!dev) {
        log_error("out of memory for network device %u: free some memory",
                  index);
        return -ENOMEM;
    }
    dev->dom = dom;
    dev->config = config;
    dev->index = index;
    dev->rate_timer = -1;
    if (config->has_mac)
        memcpy(dev->mac, config->mac, sizeof dev->mac);
    else
        net_stable_mac(dom->config->name, index, dev->mac);
    rc = open_device(dev);
    if (rc)
        netdev_destroy(dev);
    else
        dom->nets[dom->nr_nets++] = dev;
    return rc;
}

int net_create_all(struct domain *dom)
{
    int rc = 0;

    for (unsigned i = 0; i < dom->config->nr_nets && rc == 0; i++)
        rc = netdev_create(dom, i);
    for (unsigned i = 0; i < dom->nr_nets && rc == 0; i++)
        rc = xenbus_open(&dom->nets[i]->bus);
    if (rc)
        net_destroy_all(dom);
    return rc;
}

static void say_counts(const struct netdev *dev, const char *what,
                       const struct net_counters *c)
{
    log_info("vif %u %s %llu frames, %llu bytes; %llu dropped, %llu wrong",
             dev->index, what, (unsigned long long)c->frames,
             (unsigned long long)c->bytes, (unsigned long long)c->dropped,
             (unsigned long long)c->errors);
}

int net_unplug(struct domain *dom, const char *number)
{
    char name[12];

    for (unsigned i = 0; i < dom->nr_nets; i++) {
        snprintf(name, sizeof name, "%u", i);
        if (strcmp(name, number) != 0)
            continue;
        xenbus_unplug(&dom->nets[i]->bus);
        return 0;
    }
    return -ENOENT;
}

void net_destroy_all(struct domain *dom)
{
    for (unsigned i = 0; i < dom->nr_nets; i++) {
        say_counts(dom->nets[i], "sent", &dom->nets[i]->sent);
        say_counts(dom->nets[i], "received", &dom->nets[i]->received);
        netdev_destroy(dom->nets[i]);
    }
    dom->nr_nets = 0;
}
