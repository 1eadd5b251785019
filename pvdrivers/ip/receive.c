/*
 * pvdrivers/ip/receive.c: frames in. A received frame's pages become packet
 * buffers, and are the driver's again when lwIP frees these.
 */
#include "device.h"

#include <string.h>

#define CHECKS_TRANSPORT (NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)

/* Lies in the buffer's own room. */
struct received {
    struct pbuf_custom custom;
    struct net *net;
    struct net_buffer *buffer; /* alone: its (next) is cut */
};

_Static_assert(sizeof(struct received) <= NET_BUFFER_ROOM,
               "a buffer has room for what is to be known of it");

static void received_free(struct pbuf *pbuf)
{
    struct received *received = (struct received *)pbuf;

    net_release(received->net, received->buffer);
}

static struct pbuf *wrap(struct net *net, struct net_buffer *buffer)
{
    struct received *received = (struct received *)buffer->room;

    buffer->next = NULL;
    memset(received, 0, sizeof *received);
    received->net = net;
    received->buffer = buffer;
    received->custom.custom_free_function = received_free;
    return pbuf_alloced_custom(PBUF_RAW, (u16_t)buffer->len, PBUF_REF,
                               &received->custom, buffer->data,
                               (u16_t)buffer->len);
}

/* pbuf_cat() for each would walk along all before it. */
static struct pbuf *wrap_all(struct net *net, struct net_buffer *frame)
{
    const uint32_t total = frame->total;
    struct pbuf *first = NULL, *last = NULL;
    uint32_t before = 0;

    while (frame) {
        struct net_buffer *next = frame->next;
        struct pbuf *pbuf = wrap(net, frame);

        pbuf->tot_len = (u16_t)(total - before);
        before += pbuf->len;
        if (last)
            last->next = pbuf;
        else
            first = pbuf;
        last = pbuf;
        frame = next;
    }
    return first;
}

void device_receive(struct net_buffer *frame, void *context)
{
    struct device *device = context;
    struct netif *netif = &device->netif;
    struct pbuf *pbuf;

    if (frame->total > UINT16_MAX) {
        net_release(device->net, frame);
        return;
    }
    if (frame->partial || frame->verified)
        netif->chksum_flags &= (u16_t)~CHECKS_TRANSPORT;
    else
        netif->chksum_flags |= CHECKS_TRANSPORT;
    pbuf = wrap_all(device->net, frame);
    if (netif->input(pbuf, netif) != ERR_OK)
        pbuf_free(pbuf);
}
