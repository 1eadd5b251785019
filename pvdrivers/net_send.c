/*
 * pvdrivers/net_send.c: frames out: lent page by page, read-only, each page a
 * slot of the ring.
 */
#include <errno.h>
#include <string.h>

#include "netfront.h"
#include <pvguest/grant.h>
#include <pvguest/page.h>

#define FRAME_MAX 65535u

void net_slots_reset(struct net_queue *queue)
{
    queue->free_slot = 0;
    queue->nr_free_slots = NET_SLOTS;
    for (unsigned i = NET_SLOTS; i-- > 0;) {
        queue->slots[i] = (struct send_slot){.next = queue->free_slot};
        queue->free_slot = (uint16_t)(i + 1);
    }
}

/* One slot less to wait for; the last tells the caller. */
static void slot_done(struct net_queue *queue, uint16_t index, int status)
{
    struct send_slot *slot = &queue->slots[index];
    struct net_packet *packet = slot->packet;

    /* What the backend still has mapped stays lent, and is not ours again. */
    guest_grant_end(slot->ref);
    *slot = (struct send_slot){.next = queue->free_slot};
    queue->free_slot = (uint16_t)(index + 1);
    queue->nr_free_slots++;
    if (status)
        packet->status = status;
    if (--packet->slots_left == 0 && packet->done)
        packet->done(packet, packet->status);
}

bool net_send_drain(struct net_queue *queue)
{
    struct net *net = queue->net;
    netif_tx_response_t response;
    bool some = false;
    int rc = 0;

    if (!net->attached)
        return false;
    do {
        while ((rc = ring_front_take(&queue->tx, &response, sizeof response)) >
               0) {
            some = true;
            if (response.status == NETIF_RSP_NULL)
                continue; /* of extra information */
            if (response.id >= NET_SLOTS || !queue->slots[response.id].packet) {
                rc = -EPROTO;
                break;
            }
            slot_done(queue, response.id,
                      response.status == NETIF_RSP_OKAY ? 0 : -EIO);
        }
    } while (rc == 0 && !ring_front_may_sleep(&queue->tx));
    if (rc < 0)
        handshake_fail(&net->hs, rc, "it answered what it was not sent");
    if (some)
        thread_wake_all(&net->room);
    return some;
}

void net_send_recall(struct net_queue *queue)
{
    for (uint16_t i = 0; i < NET_SLOTS; i++)
        if (queue->slots[i].packet)
            slot_done(queue, i, -EIO);
    thread_wake_all(&queue->net->room);
}

/* Bytes from (data) on that lie in one page. */
static uint32_t in_page(const void *data, uint32_t len)
{
    const uint32_t room =
        (uint32_t)(PAGE_SIZE - ((uintptr_t)data & (PAGE_SIZE - 1)));

    return len < room ? len : room;
}

/* How many slots it takes, and bytes it has. */
static unsigned count(const struct net_packet *packet, uint32_t *total)
{
    unsigned nr = 0;

    *total = 0;
    for (unsigned i = 0; i < packet->nr_pieces; i++) {
        const char *data = packet->pieces[i].data;
        uint32_t len = packet->pieces[i].len;

        if (len > FRAME_MAX - *total)
            return NET_MAX_PIECES + 1;
        *total += len;
        while (len > 0 && nr <= NET_MAX_PIECES) {
            const uint32_t some = in_page(data, len);

            data += some;
            len -= some;
            nr++;
        }
    }
    return nr;
}

static int check(const struct net *net, const struct net_packet *packet,
                 unsigned nr, uint32_t total)
{
    const struct net_info *info = &net->info;

    if (!net->running)
        return -ENETDOWN;
    if (nr == 0 || nr > NET_MAX_PIECES || total > FRAME_MAX)
        return -EMSGSIZE;
    if (packet->gso == NET_GSO_NONE)
        return 0; /* a checksum to do: all backends do */
    if (!packet->partial || !packet->gso_size ||
        !(packet->gso == NET_GSO_TCPV4 ? info->segment_ipv4
                                       : info->segment_ipv6))
        return -EINVAL;
    return 0;
}

static void put_gso(struct net_queue *queue, const struct net_packet *packet)
{
    const struct netif_extra_info extra = {
        .type = XEN_NETIF_EXTRA_TYPE_GSO,
        .u.gso.size = packet->gso_size,
        .u.gso.type = packet->gso == NET_GSO_TCPV4 ? XEN_NETIF_GSO_TYPE_TCPV4
                                                   : XEN_NETIF_GSO_TYPE_TCPV6,
    };

    ring_front_put(&queue->tx, &extra, sizeof extra);
}

/* The references for (nr) pages, all or none. */
static int lend(struct net *net, const struct net_packet *packet,
                grant_ref_t refs[NET_MAX_PIECES])
{
    unsigned nr = 0;

    for (unsigned i = 0; i < packet->nr_pieces; i++) {
        const char *data = packet->pieces[i].data;

        for (uint32_t left = packet->pieces[i].len; left > 0;) {
            const uint32_t some = in_page(data, left);
            const int64_t ref = guest_grant(net->hs.backend_id, data, true);

            if (ref < 0) {
                while (nr > 0)
                    guest_grant_end(refs[--nr]);
                return (int)ref;
            }
            refs[nr++] = (grant_ref_t)ref;
            data += some;
            left -= some;
        }
    }
    return 0;
}

static uint16_t take_slot(struct net_queue *queue, struct net_packet *packet,
                          grant_ref_t ref)
{
    const uint16_t index = (uint16_t)(queue->free_slot - 1);
    struct send_slot *slot = &queue->slots[index];

    queue->free_slot = slot->next;
    queue->nr_free_slots--;
    *slot = (struct send_slot){.packet = packet, .ref = ref};
    return index;
}

static void put_slots(struct net_queue *queue, struct net_packet *packet,
                      const grant_ref_t *refs, unsigned nr, uint32_t total)
{
    unsigned at = 0;

    for (unsigned i = 0; i < packet->nr_pieces; i++) {
        const char *data = packet->pieces[i].data;

        for (uint32_t left = packet->pieces[i].len; left > 0; at++) {
            const uint32_t some = in_page(data, left);
            netif_tx_request_t request = {
                .gref = refs[at],
                .offset = (uint16_t)((uintptr_t)data & (PAGE_SIZE - 1)),
                .id = take_slot(queue, packet, refs[at]),
                .size = (uint16_t)(at ? some : total),
            };

            if (at + 1 < nr)
                request.flags |= NETTXF_more_data;
            if (at == 0 && packet->partial)
                request.flags |= NETTXF_csum_blank | NETTXF_data_validated;
            if (at == 0 && packet->gso != NET_GSO_NONE)
                request.flags |= NETTXF_extra_info;
            ring_front_put(&queue->tx, &request, sizeof request);
            if (at == 0 && packet->gso != NET_GSO_NONE)
                put_gso(queue, packet);
            data += some;
            left -= some;
        }
    }
}

/* For (nr) slots, and one of extra information. */
static bool has_room(const struct net_queue *queue, unsigned nr)
{
    return queue->nr_free_slots >= nr && ring_front_room(&queue->tx) > nr;
}

int net_send(struct net *net, struct net_packet *packet)
{
    GUEST_LOCKED;
    grant_ref_t refs[NET_MAX_PIECES] = {0};
    struct net_queue *queue;
    uint32_t total;
    const unsigned nr = count(packet, &total);
    int rc = check(net, packet, nr, total);

    if (rc)
        return rc;
    queue = net_flow_queue(net, packet);
    if (!has_room(queue, nr)) {
        net_kick(net);
        net_send_drain(queue);
        if (!net->running || !has_room(queue, nr))
            return -EAGAIN;
    }
    if (lend(net, packet, refs))
        return -EAGAIN; /* grants come back with responses */
    packet->slots_left = nr;
    packet->status = 0;
    put_slots(queue, packet, refs, nr, total);
    net->counters.sent_frames++;
    net->counters.sent_bytes += total;
    return 0;
}
