/*
 * pvdrivers/ip/device.c: a network device as lwIP sees it.
 *
 * Nothing is copied: a received frame's pages become packet buffers, and are
 * the driver's again when lwIP frees these; what lwIP sends is lent from where
 * it is, and kept until the backend answered.
 */
#include "device.h"

#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/prot/tcp.h>
#include <lwip/tcpip.h>
#include <netif/ethernet.h>

#include <stdlib.h>
#include <string.h>

#include <pvdrivers/net.h>

#define CHECKS_TRANSPORT (NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)

/* UDP's stays lwIP's: a datagram may be cut into fragments, its sum not. */
#define MAKES_TRANSPORT NETIF_CHECKSUM_GEN_TCP

struct device {
    struct netif netif;
    struct net *net;
    struct net_info info;
};

/* in */

struct received {
    struct pbuf_custom custom;
    struct net *net;
    struct net_buffer *buffer; /* alone: its (next) is cut */
};

static void received_free(struct pbuf *pbuf)
{
    struct received *received = (struct received *)pbuf;

    net_release(received->net, received->buffer);
    free(received);
}

/* A packet buffer around a frame's first buffer, which it then owns. */
static struct pbuf *wrap(struct net *net, struct net_buffer *buffer)
{
    struct received *received = calloc(1, sizeof *received);

    buffer->next = NULL;
    if (!received) {
        net_release(net, buffer);
        return NULL;
    }
    received->net = net;
    received->buffer = buffer;
    received->custom.custom_free_function = received_free;
    return pbuf_alloced_custom(PBUF_RAW, (u16_t)buffer->len, PBUF_REF,
                               &received->custom, buffer->data,
                               (u16_t)buffer->len);
}

static struct pbuf *wrap_all(struct net *net, struct net_buffer *frame)
{
    struct pbuf *all = NULL;

    while (frame) {
        struct net_buffer *next = frame->next;
        struct pbuf *one = wrap(net, frame);

        if (!one) {
            if (next)
                net_release(net, next);
            if (all)
                pbuf_free(all);
            return NULL;
        }
        if (all)
            pbuf_cat(all, one);
        else
            all = one;
        frame = next;
    }
    return all;
}

static void device_receive(struct net_buffer *frame, void *context)
{
    struct device *device = context;
    const bool trusted = frame->partial || frame->verified;
    struct pbuf *pbuf;

    if (frame->total > UINT16_MAX) {
        net_release(device->net, frame);
        return;
    }
    pbuf = wrap_all(device->net, frame);
    if (!pbuf)
        return;
    if (trusted)
        device->netif.chksum_flags &= (u16_t)~CHECKS_TRANSPORT;
    else
        device->netif.chksum_flags |= CHECKS_TRANSPORT;
    if (device->netif.input(pbuf, &device->netif) != ERR_OK)
        pbuf_free(pbuf);
}

/* out */

struct sending {
    struct net_packet packet;
    struct net_piece pieces[NET_MAX_PIECES];
    struct pbuf *pbuf;
};

static void sending_done(struct net_packet *packet, int status)
{
    struct sending *sending = packet->context;

    (void)status;
    pbuf_free(sending->pbuf);
    free(sending);
}

/*
 * Where lwIP left the checksum out it has to have the pseudo-header's sum,
 * which the backend's work begins with. True if there was such a place.
 */
static bool prepare_checksum(const struct device *device, struct pbuf *pbuf)
{
    const struct eth_hdr *eth = pbuf->payload;
    uint8_t *const bytes = pbuf->payload;
    size_t header, field;
    uint32_t sum = 0;
    unsigned protocol;
    uint16_t place;

    if (eth->type == PP_HTONS(ETHTYPE_IP) &&
        pbuf->len >= SIZEOF_ETH_HDR + IP_HLEN) {
        const struct ip_hdr *ip = (void *)(bytes + SIZEOF_ETH_HDR);

        protocol = IPH_PROTO(ip);
        header = SIZEOF_ETH_HDR + IPH_HL_BYTES(ip);
        for (unsigned i = 12; i < 20; i += 2)
            sum += (uint32_t)bytes[SIZEOF_ETH_HDR + i] << 8 |
                   bytes[SIZEOF_ETH_HDR + i + 1];
    } else if (eth->type == PP_HTONS(ETHTYPE_IPV6) &&
               pbuf->len >= SIZEOF_ETH_HDR + IP6_HLEN) {
        const struct ip6_hdr *ip6 = (void *)(bytes + SIZEOF_ETH_HDR);

        protocol = IP6H_NEXTH(ip6);
        header = SIZEOF_ETH_HDR + IP6_HLEN;
        for (unsigned i = 8; i < 40; i += 2)
            sum += (uint32_t)bytes[SIZEOF_ETH_HDR + i] << 8 |
                   bytes[SIZEOF_ETH_HDR + i + 1];
    } else {
        return false;
    }
    if (protocol != IP_PROTO_TCP)
        return false;
    field = header + offsetof(struct tcp_hdr, chksum);
    if (pbuf->len < field + 2 || (device->netif.chksum_flags & MAKES_TRANSPORT))
        return false;
    sum += protocol + (uint32_t)(pbuf->tot_len - header);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    place = lwip_htons((uint16_t)sum);
    memcpy(bytes + field, &place, sizeof place);
    return true;
}

/* A page more than a piece's own begins where it crosses into the next. */
static unsigned slots_of(const struct pbuf *pbuf)
{
    unsigned nr = 0;

    for (; pbuf; pbuf = pbuf->next)
        if (pbuf->len)
            nr += (unsigned)((((uintptr_t)pbuf->payload & 4095) + pbuf->len +
                              4095) /
                             4096);
    return nr;
}

static err_t device_send(struct netif *netif, struct pbuf *pbuf)
{
    struct device *device = netif->state;
    struct sending *sending = calloc(1, sizeof *sending);
    struct net_packet *packet = &sending->packet;

    if (!sending)
        return ERR_MEM;
    sending->packet.partial = prepare_checksum(device, pbuf);
    if (slots_of(pbuf) > NET_MAX_PIECES) /* many small ones: one large */
        pbuf = pbuf_clone(PBUF_RAW, PBUF_RAM, pbuf);
    else
        pbuf_ref(pbuf);
    if (!pbuf) {
        free(sending);
        return ERR_MEM;
    }
    sending->pbuf = pbuf;
    packet->pieces = sending->pieces;
    packet->done = sending_done;
    packet->context = sending;
    for (struct pbuf *part = pbuf; part; part = part->next)
        if (part->len)
            sending->pieces[packet->nr_pieces++] =
                (struct net_piece){part->payload, part->len};
    if (net_send(device->net, packet)) {
        sending_done(packet, 0); /* lost, as on any wire */
        return ERR_OK;
    }
    net_kick(device->net);
    return ERR_OK;
}

/* its life */

static err_t device_init(struct netif *netif)
{
    struct device *device = netif->state;
    const struct net_info *info = &device->info;
    u16_t flags = NETIF_CHECKSUM_ENABLE_ALL;

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, info->mac, ETH_HWADDR_LEN);
    netif->mtu = (u16_t)info->mtu;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
                   NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = device_send;
    if (info->checksum_ipv4 && info->checksum_ipv6)
        flags &= (u16_t)~MAKES_TRANSPORT;
    NETIF_SET_CHECKSUM_CTRL(netif, flags);
    return ERR_OK;
}

struct netif *device_create(unsigned index)
{
    struct device *device = calloc(1, sizeof *device);

    if (!device)
        return NULL;
    device->net = net_open(index);
    if (!device->net) {
        free(device);
        return NULL;
    }
    net_get_info(device->net, &device->info);
    netif_add(&device->netif, NULL, NULL, NULL, device, device_init,
              tcpip_input);
    net_set_receiver(device->net, device_receive, device);
    if (device->info.up)
        netif_set_link_up(&device->netif);
    return &device->netif;
}
