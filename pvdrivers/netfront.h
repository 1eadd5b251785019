/*
 * pvdrivers/netfront.h: what the files of the network frontend share.
 *
 * Words. A slot is one request of a ring, and what we remember of it. A
 * receive slot's place in the ring is its id, so that a response is known by
 * where it stands; a send slot's id is its place in (slots). A queue is a ring
 * for each direction and the event channel of both; what goes from one address
 * to another goes through one queue, in order.
 *
 * All of it is under the library's lock (pvguest/thread.h), which handlers have
 * on whichever vCPU they run: queues spread the events, not the lock.
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

#define NET_MAX_QUEUES  4
#define NET_SLOTS       256
#define NET_MAX_BUFFERS 1024 /* a queue: 256 in the ring, others outside */

struct send_slot {
    struct net_packet *packet;
    grant_ref_t ref;
    uint16_t next; /* free list: index + 1 */
};

struct net_queue {
    struct net *net;
    unsigned index;

    evtchn_port_t port;
    unsigned vcpu; /* that (port) interrupts */
    struct ring_front tx, rx;
    void *tx_page, *rx_page;
    grant_ref_t tx_ref, rx_ref;
    bool tx_granted, rx_granted;

    struct send_slot slots[NET_SLOTS];
    uint16_t free_slot; /* index + 1; 0: none */
    unsigned nr_free_slots;

    struct net_buffer *posted[NET_SLOTS];
};

struct net {
    struct handshake hs;
    struct net_info info;
    struct net *next;
    unsigned index;

    bool running;  /* frames may be sent */
    bool attached; /* responses may come */
    unsigned nr_queues;
    struct net_queue queues[NET_MAX_QUEUES];
    struct wait_queue room;

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
void net_slots_reset(struct net_queue *queue);

/* Take responses: true if there were some. */
bool net_send_drain(struct net_queue *queue);

/* The backend is gone: what it had is lost. */
void net_send_recall(struct net_queue *queue);

/* net_flow.c: the queue that (packet) goes through. */
struct net_queue *net_flow_queue(struct net *net,
                                 const struct net_packet *packet);

/* net_receive.c */

/* Lend buffers until the ring is full or memory short; publish. */
void net_receive_refill(struct net_queue *queue);
bool net_receive_drain(struct net_queue *queue);
void net_receive_recall(struct net_queue *queue);

/* Free what nobody holds. */
void net_buffers_destroy(struct net *net);

/* net.c: the queue's event; an event for the backend. */
void net_event(evtchn_port_t port, void *context);
void net_notify(struct net_queue *queue);

#endif
