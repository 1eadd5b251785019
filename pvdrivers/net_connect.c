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

static int net_offer(struct handshake *hs)
{
    struct net *net = net_of(hs);
    int rc;

    if (!handshake_number(hs, "feature-rx-copy", 0))
        return -EOPNOTSUPP; /* one of before 2006 */
    rc = read_mac(net);
    read_mtu(net);
    if (!rc)
        rc = ring_create(net, &net->tx, &net->tx_page, sizeof(union tx_slot),
                         &net->tx_ref, &net->tx_granted);
    if (!rc)
        rc = ring_create(net, &net->rx, &net->rx_page, sizeof(union rx_slot),
                         &net->rx_ref, &net->rx_granted);
    if (!rc)
        rc = event_alloc_unbound(hs->backend_id, net_event, net, &net->port);
    if (!rc)
        net->attached = true;
    return rc;
}

static int net_publish(struct handshake *hs, uint32_t tx)
{
    static const char *const wishes[] = {
        "request-rx-copy",   "feature-rx-notify", "feature-sg",
        "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload",
    };
    const struct net *net = net_of(hs);
    int rc;

    rc = handshake_write(hs, tx, "tx-ring-ref", "%u", net->tx_ref);
    if (!rc)
        rc = handshake_write(hs, tx, "rx-ring-ref", "%u", net->rx_ref);
    if (!rc)
        rc = handshake_write(hs, tx, "event-channel", "%u", net->port);
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
    net_receive_refill(net);
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
    net_send_recall(net);
    net_receive_recall(net);
    if (net->port)
        event_close(net->port);
    net->port = 0;
    ring_destroy(&net->tx_page, net->tx_ref, &net->tx_granted);
    ring_destroy(&net->rx_page, net->rx_ref, &net->rx_granted);
}

static void net_gone(struct handshake *hs, int error)
{
    struct net *net = net_of(hs);

    (void)error;
    net->running = net->attached = false;
    net->info.up = false;
    net_send_recall(net);
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
