/*
 * pvdrivers/netfront.h: what the files of the network frontend share.
 *
 * Words. A slot is one request of a ring, and what we remember of it. A
 * receive slot's place in the ring is its id, so that a response is known by
 * where it stands; a send slot's id is its place in (slots).
 */
#ifndef PVDRIVERS_NETFRONT_H
#define PVDRIVERS_NETFRONT_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/io/netif.h>

#include "handshake.h"
#include <pvdrivers/net.h>
#include <ring/front.h>

#define NET_SLOTS       256
#define NET_MAX_BUFFERS 1024 /* 256 in the ring, the rest with the receiver */

struct send_slot {
    struct net_packet *packet;
    grant_ref_t ref;
    uint16_t next; /* free list: index + 1 */
};

struct net {
    struct handshake hs;
    struct net_info info;
    struct net *next;
    unsigned index;

    bool running;  /* frames may be sent */
    bool attached; /* responses may come */
    evtchn_port_t port;
    struct ring_front tx, rx;
    void *tx_page, *rx_page;
    grant_ref_t tx_ref, rx_ref;
    bool tx_granted, rx_granted;

    struct send_slot slots[NET_SLOTS];
    uint16_t free_slot; /* index + 1; 0: none */
    unsigned nr_free_slots;
    struct wait_queue room;

    struct net_buffer *posted[NET_SLOTS];
    struct net_buffer *spare; /* made, not posted */
    unsigned nr_buffers;      /* made */
    void (*receive)(struct net_buffer *frame, void *context);
    void *receive_context;
    void (*batch)(void *context); /* NULL: nobody wants to know */
    void *batch_context;

    struct net_counters counters; /* but what holds now */
};

/* net_connect.c */
extern const struct handshake_ops net_handshake;

/* net_send.c */

/* Make all slots free. */
void net_slots_reset(struct net *net);

/* Take responses: true if there were some. */
bool net_send_drain(struct net *net);

/* The backend is gone: what it had is lost. */
void net_send_recall(struct net *net);

/* net_receive.c */

/* Lend buffers until the ring is full or memory short; publish. */
void net_receive_refill(struct net *net);
bool net_receive_drain(struct net *net);
void net_receive_recall(struct net *net);

/* Free what nobody holds. */
void net_buffers_destroy(struct net *net);

/* net.c: the device's event; an event for the backend. */
void net_event(evtchn_port_t port, void *context);
void net_notify(struct net *net);

#endif
