/*
 * pvdrivers/ip/send.c: frames out. They are lent from where lwIP has them, and
 * kept until the backend answered.
 *
 * The backend is told of them by a thread that is woken by the first frame of a
 * batch, and so runs when whoever sends has to wait and all others had their
 * turn: what they send meanwhile goes along. Events come no earlier either.
 */
#include "device.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096u

/* More, and the backend might have waited too long. */
#define BATCH_MAX 48

static struct sending *sending_take(struct device *device)
{
    struct sending *sending = device->spare;

    if (sending)
        device->spare = sending->next;
    else
        sending = malloc(sizeof *sending);
    if (!sending)
        return NULL;
    sending->packet =
        (struct net_packet){.pieces = sending->pieces, .context = sending};
    sending->device = device;
    sending->nr_pbufs = sending->nr_slots = 0;
    sending->total = 0;
    sending->grows = false;
    return sending;
}

static void sending_done(struct net_packet *packet, int status)
{
    struct sending *sending = packet->context;
    struct device *device = sending->device;

    (void)status;
    for (unsigned i = 0; i < sending->nr_pbufs; i++)
        pbuf_free(sending->pbufs[i]);
    sending->next = device->spare;
    device->spare = sending;
}

static unsigned slots_of(const void *bytes, size_t len)
{
    return (unsigned)((((uintptr_t)bytes & (PAGE_BYTES - 1)) + len +
                       PAGE_BYTES - 1) /
                      PAGE_BYTES);
}

bool sending_add(struct sending *sending, struct pbuf *pbuf, size_t skip)
{
    const unsigned nr_pieces = sending->packet.nr_pieces;
    unsigned nr = nr_pieces, nr_slots = sending->nr_slots;
    uint32_t size = 0;
    size_t left = skip;

    for (const struct pbuf *part = pbuf; part; part = part->next) {
        const uint8_t *bytes = (const uint8_t *)part->payload + left;

        if (part->len <= left) {
            left -= part->len;
            continue;
        }
        nr_slots += slots_of(bytes, part->len - left);
        if (nr == NET_MAX_PIECES || nr_slots > NET_MAX_PIECES)
            return false;
        sending->pieces[nr++] =
            (struct net_piece){bytes, (uint32_t)(part->len - left)};
        size += (uint32_t)(part->len - left);
        left = 0;
    }
    pbuf_ref(pbuf);
    sending->pbufs[sending->nr_pbufs++] = pbuf;
    sending->packet.nr_pieces = nr;
    sending->nr_slots = nr_slots;
    sending->total += size;
    return true;
}

void sending_go(struct sending *sending)
{
    struct device *device = sending->device;

    gather_end(sending);
    sending->packet.done = sending_done;
    if (net_send(device->net, &sending->packet))
        sending_done(&sending->packet, 0); /* lost, as on any wire */
}

static void flush(struct device *device)
{
    struct sending *sending = device->growing;

    device->growing = NULL;
    if (sending)
        sending_go(sending);
}

static void kick(struct device *device)
{
    flush(device);
    device->nr_queued = 0;
    net_kick(device->net);
}

void device_kick(void *context)
{
    struct device *device = context;

    for (;;) {
        while (device->nr_queued == 0)
            thread_wait(&device->kicker, UINT64_MAX);
        kick(device);
    }
}

/* Some of it is the sender's memory, and good only until we return. */
static bool is_passing(const struct pbuf *pbuf)
{
    for (; pbuf; pbuf = pbuf->next)
        if (PBUF_NEEDS_COPY(pbuf) && !(pbuf->flags & PBUF_FLAG_IS_CUSTOM))
            return true;
    return false;
}

/* The frame; a copy of it, if it is in too many pieces or will not last. */
static bool add_all(struct sending *sending, struct pbuf *pbuf)
{
    struct pbuf *whole;
    bool added;

    if (!is_passing(pbuf) && sending_add(sending, pbuf, 0))
        return true;
    whole = pbuf_clone(PBUF_RAW, PBUF_RAM, pbuf);
    if (!whole)
        return false;
    added = sending_add(sending, whole, 0);
    pbuf_free(whole);
    return added;
}

err_t device_send(struct netif *netif, struct pbuf *pbuf)
{
    struct device *device = netif->state;
    struct segment segment;
    struct sending *sending;
    const bool is_tcp =
        !(netif->chksum_flags & DEVICE_MAKES) && segment_find(pbuf, &segment);

    if (is_tcp && device->growing && !is_passing(pbuf) &&
        gather_more(device->growing, pbuf, &segment)) {
        device->nr_queued++;
        return ERR_OK;
    }
    flush(device);
    if (device->nr_queued >= BATCH_MAX) /* before a frame that may yet grow */
        kick(device);
    if (device->nr_queued++ == 0)
        thread_wake_one(&device->kicker);
    sending = sending_take(device);
    if (!sending || !add_all(sending, pbuf)) {
        if (sending)
            sending_done(&sending->packet, 0);
        return ERR_MEM;
    }
    if (is_tcp) {
        segment_prepare_checksum(&segment, pbuf->tot_len);
        sending->packet.partial = true;
        if (sending->pbufs[0] == pbuf)
            gather_begin(sending, &segment);
        device->growing = sending;
    } else {
        sending_go(sending);
    }
    return ERR_OK;
}
