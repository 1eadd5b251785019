/*
 * pvdrivers/net_connect.c: agreeing with the backend: the rings, what both
 * sides can do, and the end of it.
 */
#include <errno.h>
#include <stdlib.h>

#include "netfront.h"
#include <pvguest/event.h>
#include <pvguest/grant.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/vcpu.h>

#define DEFAULT_MTU 1500
#define MTU_MIN     68
#define MTU_MAX     65521 /* with the header, a frame's 16 bits of length */

/* What may stand in a slot: its size is that of the largest. */
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

static struct net *net_of(struct handshake *hs)
{
    return (struct net *)((char *)hs - offsetof(struct net, hs));
}

static int ring_create(struct net *net, struct ring_front *ring, void **page,
                       size_t slot_size, grant_ref_t *ref, bool *granted)
{
    int64_t rc;

    *page = page_alloc_zeroed(1);
    if (!*page)
        return -ENOMEM;
    ring_front_init(ring, *page, PAGE_SIZE, slot_size);
    rc = guest_grant(net->hs.backend_id, *page, false);
    if (rc < 0)
        return (int)rc;
    *ref = (grant_ref_t)rc;
    *granted = true;
    return 0;
}

static void ring_destroy(void **page, grant_ref_t ref, bool *granted)
{
    if (*page && (!*granted || guest_grant_end(ref) == 0))
        page_free(*page, 1); /* else the backend keeps it */
    *page = NULL;
    *granted = false;
}

/* "00:16:3e:..." */
static int read_mac(struct net *net)
{
    char key[96], text[32], *at = text;
    long len;

    guest_format(key, sizeof key, "%s/mac", net->hs.node);
    len = store_read(STORE_NO_TX, key, text, sizeof text);
    if (len < 0)
        return (int)len;
    for (unsigned i = 0; i < 6; i++) {
        char *end;

        net->info.mac[i] = (uint8_t)strtoul(at, &end, 16);
        if (end == at || end > at + 2 || *end != (i < 5 ? ':' : '\0'))
            return -EINVAL;
        at = end + 1;
    }
    return 0;
}

static void read_mtu(struct net *net)
{
    uint64_t mtu = DEFAULT_MTU;
    char key[96];

    guest_format(key, sizeof key, "%s/mtu", net->hs.node);
    if (store_read_u64(STORE_NO_TX, key, &mtu) || mtu < MTU_MIN ||
        mtu > MTU_MAX)
        mtu = DEFAULT_MTU;
    net->info.mtu = (unsigned)mtu;
}

static int queue_create(struct net_queue *queue)
{
    struct net *net = queue->net;
    int rc =
        ring_create(net, &queue->tx, &queue->tx_page, sizeof(union tx_slot),
                    &queue->tx_ref, &queue->tx_granted);

    if (!rc)
        rc =
            ring_create(net, &queue->rx, &queue->rx_page, sizeof(union rx_slot),
                        &queue->rx_ref, &queue->rx_granted);
    if (!rc)
        rc = event_alloc_unbound(net->hs.backend_id, net_event, queue,
                                 &queue->port);
    queue->vcpu = 0;
    return rc;
}

static void queue_destroy(struct net_queue *queue)
{
    net_send_recall(queue);
    net_receive_recall(queue);
    if (queue->port)
        event_close(queue->port);
    queue->port = 0;
    ring_destroy(&queue->tx_page, queue->tx_ref, &queue->tx_granted);
    ring_destroy(&queue->rx_page, queue->rx_ref, &queue->rx_granted);
}

/* As many as there are vCPUs, if the backend has as many. */
static unsigned choose_nr_queues(struct handshake *hs)
{
    const uint64_t theirs =
        vcpu_count() > 1 ? handshake_number(hs, "multi-queue-max-queues", 1)
                         : 1;
    unsigned nr = vcpu_count();

    if (nr > NET_MAX_QUEUES)
        nr = NET_MAX_QUEUES;
    if (nr > theirs)
        nr = (unsigned)theirs;
    return nr ? nr : 1;
}

static int net_offer(struct handshake *hs)
{
    struct net *net = net_of(hs);
    int rc;

    if (!handshake_number(hs, "feature-rx-copy", 0))
        return -EOPNOTSUPP; /* one of before 2006 */
    rc = read_mac(net);
    read_mtu(net);
    net->nr_queues = choose_nr_queues(hs);
    for (unsigned i = 0; !rc && i < net->nr_queues; i++)
        rc = queue_create(&net->queues[i]);
    if (!rc)
        net->attached = true;
    return rc;
}

/* A key of (queue), which has a folder if there are several. */
static int write_queue_key(const struct net_queue *queue, uint32_t tx,
                           const char *key, unsigned value)
{
    struct handshake *hs = &queue->net->hs;
    char path[40];

    if (queue->net->nr_queues == 1)
        return handshake_write(hs, tx, key, "%u", value);
    guest_format(path, sizeof path, "queue-%u/%s", queue->index, key);
    return handshake_write(hs, tx, path, "%u", value);
}

/* Their number, which without a word is one; there may be an old word. */
static int write_nr_queues(struct net *net, uint32_t tx)
{
    static const char key[] = "multi-queue-num-queues";

    if (vcpu_count() == 1)
        return 0;
    if (net->nr_queues == 1)
        return handshake_remove(&net->hs, tx, key);
    return handshake_write(&net->hs, tx, key, "%u", net->nr_queues);
}

static int publish_queue(const struct net_queue *queue, uint32_t tx)
{
    int rc = write_queue_key(queue, tx, "tx-ring-ref", queue->tx_ref);

    if (!rc)
        rc = write_queue_key(queue, tx, "rx-ring-ref", queue->rx_ref);
    if (!rc)
        rc = write_queue_key(queue, tx, "event-channel", queue->port);
    return rc;
}

static int net_publish(struct handshake *hs, uint32_t tx)
{
    static const char *const wishes[] = {
        "request-rx-copy",   "feature-rx-notify", "feature-sg",
        "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload",
    };
    struct net *net = net_of(hs);
    int rc = write_nr_queues(net, tx);

    for (unsigned i = 0; !rc && i < net->nr_queues; i++)
        rc = publish_queue(&net->queues[i], tx);
    for (unsigned i = 0; !rc && i < sizeof wishes / sizeof *wishes; i++)
        rc = handshake_write(hs, tx, wishes[i], "1");
    return rc;
}

static int net_connect(struct handshake *hs)
{
    struct net *net = net_of(hs);
    struct net_info *info = &net->info;

    info->checksum_ipv4 = !handshake_number(hs, "feature-no-csum-offload", 0);
    info->checksum_ipv6 = handshake_number(hs, "feature-ipv6-csum-offload", 0);
    info->segment_ipv4 = handshake_number(hs, "feature-gso-tcpv4", 0);
    info->segment_ipv6 = handshake_number(hs, "feature-gso-tcpv6", 0);
    info->up = handshake_number(hs, "carrier", 1);
    net->running = true;
    for (unsigned i = 0; i < net->nr_queues; i++)
        net_receive_refill(&net->queues[i]);
    net_poll(net);
    return 0;
}

static void net_stop(struct handshake *hs)
{
    net_of(hs)->running = false;
}

static void net_withdraw(struct handshake *hs)
{
    struct net *net = net_of(hs);

    net_poll(net); /* what it did answer is done */
    net->running = net->attached = false;
    for (unsigned i = 0; i < net->nr_queues; i++)
        queue_destroy(&net->queues[i]);
}

static void net_gone(struct handshake *hs, int error)
{
    struct net *net = net_of(hs);

    (void)error;
    net->running = net->attached = false;
    net->info.up = false;
    for (unsigned i = 0; i < net->nr_queues; i++)
        net_send_recall(&net->queues[i]);
}

const struct handshake_ops net_handshake = {
    .at_once = true,
    .offer = net_offer,
    .publish = net_publish,
    .connect = net_connect,
    .stop = net_stop,
    .withdraw = net_withdraw,
    .gone = net_gone,
};
