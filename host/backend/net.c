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

void net_notified(void *context)
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

void net_ctrl_notified(void *context)
{
    struct netdev *dev = context;

    net_ctrl_serve(dev);
    net_watch_link(dev);
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

static void netdev_disconnect(struct xenbus_device *bus)
{
    struct netdev *dev = bus->context;

    dev->connected = false;
    net_watch_link(dev);
    net_let_go(dev);
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
    rc = net_agree(dev, &step);
    if (rc) {
        xenbus_fail(bus, "vif %u: the guest's %s cannot be used: %s",
                    dev->index, step, strerror(-rc));
        net_let_go(dev);
        return rc;
    }
    net_rx_negotiate(dev);
    forget_old_frames(dev);
    dev->connected = true;
    net_ctrl_serve(dev);
    /* what it wrote before we looked */
    for (unsigned i = 0; i < dev->nr_queues && !dev->broken; i++)
        net_notified(&dev->queues[i]);
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
