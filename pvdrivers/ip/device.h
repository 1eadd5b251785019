/*
 * pvdrivers/ip/device.h: a network device as lwIP sees it. (private)
 *
 *   device.c    its life
 *   receive.c   frames in: the driver's pages become packet buffers
 *   send.c      frames out: lent from where they are, told of in batches
 *   gather.c    consecutive TCP segments put together for the backend to cut
 */
#ifndef PVDRIVERS_IP_DEVICE_H
#define PVDRIVERS_IP_DEVICE_H

#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include <pvdrivers/net.h>
#include <pvguest/thread.h>

/* UDP's stays lwIP's: a datagram may be cut into fragments, its sum not. */
#define DEVICE_MAKES NETIF_CHECKSUM_GEN_TCP

/* Where the parts of a TCP segment are, in a frame's first packet buffer. */
struct segment {
    bool ipv6;
    uint8_t *ip, *tcp;
    size_t tcp_at;     /* from the frame's begin on */
    size_t header_len; /* up to TCP's payload */
    size_t len;        /* of the payload */
};

/* A frame on its way, and what keeps its bytes there. */
struct sending {
    struct net_packet packet;
    struct net_piece pieces[NET_MAX_PIECES];
    struct pbuf *pbufs[NET_MAX_PIECES];
    unsigned nr_pbufs;
    unsigned nr_slots; /* pages that the pieces touch */
    uint32_t total;
    struct device *device;
    struct sending *next; /* spare */
    /* TCP that may grow: */
    bool grows;
    struct segment segment; /* the first */
    uint32_t next_sequence;
    uint16_t segment_size;
};

struct device {
    struct netif netif;
    struct net *net;
    struct net_info info;
    struct sending *growing; /* NULL: none */
    struct sending *spare;
    unsigned nr_queued;       /* frames since the last kick */
    struct wait_queue kicker; /* a thread that waits for there to be some */
};

/* The (index)th device, without an address yet; NULL if there is none. */
struct netif *device_create(unsigned index);

/* receive.c: as net_set_receiver's function; the context is the device. */
void device_receive(struct net_buffer *frame, void *context);

/* send.c */

/* netif->linkoutput. */
err_t device_send(struct netif *netif, struct pbuf *pbuf);

/* The thread that tells the backend, once a batch is complete. */
void device_kick(void *device);

/* Hand a frame to the driver, which forgets it if it cannot be sent. */
void sending_go(struct sending *sending);

/*
 * Append (pbuf)'s bytes from (skip) on as pieces, and keep it: false, with
 * nothing done, if there would be too many.
 */
bool sending_add(struct sending *sending, struct pbuf *pbuf, size_t skip);

/* gather.c */

/*
 * Find the TCP segment that the frame (pbuf) is: false if it is none, a
 * fragment, or its headers are not in its first buffer.
 */
bool segment_find(const struct pbuf *pbuf, struct segment *segment);

/* Let (sending), of this (segment), grow if it can. */
void gather_begin(struct sending *sending, const struct segment *segment);

/* Put (pbuf) at the end of (sending): false if it does not follow it. */
bool gather_more(struct sending *sending, struct pbuf *pbuf,
                 const struct segment *segment);

/* No more will follow: its headers tell of all of it. */
void gather_end(struct sending *sending);

/*
 * The pseudo-header's sum, of a frame of (frame_len) bytes, where TCP's
 * checksum stands: for the backend.
 */
void segment_prepare_checksum(const struct segment *segment, size_t frame_len);

#endif
