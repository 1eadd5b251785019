/*
 * host/backend/net_private.h: what the files of the network backend share.
 *
 *   net.c          a device's life: directories, connect, disconnect
 *   net_tx.c       what the guest sends: ring to link
 *   net_rx.c       what it receives: link to ring
 *   net_rate.c     how much it may send
 *   net_filter.c   which multicast frames it wants
 *   net_hash.c     which of its queues a frame goes to
 *   net_ctrl.c     what it says about that
 *
 * The guest's frames go out of its own pages, all but their headers, which are
 * copied before they are looked at. What comes in is copied into the pages it
 * has posted. When it has posted too few, a frame waits, and behind it the
 * link; the link drops, as network cards do.
 */
#ifndef HOST_BACKEND_NET_PRIVATE_H
#define HOST_BACKEND_NET_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include <ring/back.h>
#include <xen/io/netif.h>

#include "host/backend/lent_page.h"
#include "host/backend/net.h"
#include "host/backend/xenbus.h"
#include "host/config.h"
#include "host/link/link.h"

#define NET_MAX_QUEUES    8
#define NET_RING_SLOTS    256
#define NET_MAX_MULTICAST 64

/* Slots of data that a frame may take: 64 KiB and its headers. */
#define NET_MAX_SLOTS 18

struct netdev;

/* A receive buffer that the guest has posted. */
struct net_posted {
    uint16_t id;
    grant_ref_t ref;
};

struct net_ring {
    struct ring_back ring;
    struct lent_page page;
    uint32_t port;
    bool attached, bound;
};

struct net_queue {
    struct netdev *dev;
    struct net_ring tx, rx; /* the same port, unless they are split */
    bool held_back;         /* tx: the link, or the rate, takes no more now */
    struct net_posted posted[NET_RING_SLOTS]; /* a ring itself */
    unsigned posted_first, nr_posted;
};

#define NET_HASH_KEY_SIZE 40
#define NET_HASH_MAPPING  128

/* How the guest wants its frames spread. */
struct net_hash {
    bool toeplitz;  /* else it does not say */
    uint32_t types; /* XEN_NETIF_CTRL_HASH_TYPE_* */
    uint8_t key[NET_HASH_KEY_SIZE];
    uint32_t nr_mapping; /* 0: modulo the number of queues */
    uint8_t mapping[NET_HASH_MAPPING];
};

struct net_counters {
    uint64_t frames, bytes, errors, dropped;
};

struct netdev {
    struct domain *dom;
    const struct net_config *config;
    unsigned index; /* the vif's handle */
    uint8_t mac[6];
    struct link *link;
    struct xenbus_device bus;
    struct wait_source *source; /* of the link */
    bool wants_turn; /* there is more to do, as soon as the link takes frames */

    bool connected;
    bool carrier; /* as published */
    bool broken;  /* a ring's counters lied, or its requests made no sense */
    struct net_queue queues[NET_MAX_QUEUES];
    unsigned nr_queues;
    struct net_ring ctrl; /* if the guest has one */
    struct net_hash hash;

    /* what the guest can receive */
    bool takes_partial_v4, takes_partial_v6, takes_many_slots;
    bool takes_gso_v4, takes_gso_v6;

    /* the frame that waits for buffers */
    uint8_t waiting[FRAME_MAX];
    size_t waiting_len; /* 0: none */
    struct offload waiting_work;

    int rate_timer; /* -1: no limit */
    struct wait_source *rate_source;
    uint64_t spent; /* bytes sent in this interval */

    bool filters; /* only the multicast frames it asked for */
    uint8_t multicast[NET_MAX_MULTICAST][6];
    unsigned nr_multicast;

    struct net_counters sent, received; /* by the guest */
};

/* net.c */

/* The guest broke the protocol: no more of it. */
void net_broke(struct netdev *dev, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Publish what was answered, and tell the guest if it wants to know. */
void net_ring_publish(struct netdev *dev, struct net_ring *ring);

/* Wait for what there is something to do about. */
void net_watch_link(struct netdev *dev);

/* A signal on a queue's channel, on the control ring's. */
void net_notified(void *queue);
void net_ctrl_notified(void *dev);

/* net_agree.c */

/*
 * Read the frontend's choices, take its rings and bind its channels: 0, or
 * -errno with (*step) the key it was about; net_let_go() undoes any part of it.
 */
int net_agree(struct netdev *dev, const char **step);
void net_let_go(struct netdev *dev);

/* net_tx.c: send what the queue holds, as far as link and rate allow. */
void net_tx_serve(struct net_queue *queue);

/* net_rx.c */

/* Take the buffers that the guest has posted. */
void net_rx_collect(struct net_queue *queue);

/* Receive from the link what the guest has buffers for. */
void net_rx_serve(struct netdev *dev);

/* Which unfinished frames the guest takes, told to the link. */
void net_rx_negotiate(struct netdev *dev);

/* --trace net: what became of a frame of (len) bytes. */
void net_trace(const struct netdev *dev, const char *what, size_t len,
               const struct offload *work);

/* net_hash.c */

struct net_queue *net_hash_queue(struct netdev *dev, const uint8_t *frame,
                                 size_t len);

/* Of (len) bytes, at most 36: the hash's window stays within the key. */
uint32_t net_hash_toeplitz(const uint8_t key[NET_HASH_KEY_SIZE],
                           const uint8_t *bytes, size_t len);

/* net_ctrl.c: what the guest asks on its control ring, if it has one. */
void net_ctrl_serve(struct netdev *dev);

/* net_rate.c */

/* 0, or -errno with nothing said. */
int net_rate_create(struct netdev *dev);
void net_rate_destroy(struct netdev *dev);

/* May it send now? And it has. */
bool net_rate_allows(const struct netdev *dev);
void net_rate_spend(struct netdev *dev, size_t bytes);

/* net_filter.c */

/* The guest's wish by (extra): true if it could be fulfilled. */
bool net_filter_change(struct netdev *dev,
                       const struct netif_extra_info *extra);

/* Does the guest want the frame sent to (mac)? */
bool net_filter_passes(const struct netdev *dev, const uint8_t *mac);

#endif
