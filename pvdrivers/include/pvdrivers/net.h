/*
 * pvdrivers/net.h: network devices: netfront (xen/io/netif.h) on pvguest.
 *
 * Whole Ethernet frames, nothing copied either way: what is sent is lent to
 * the backend where it lies, what is received lies in pages that were lent to
 * it and change hands. A backend that goes away takes the frames under way
 * with it, as networks do, and finds the device again when it comes back.
 */
#ifndef PVDRIVERS_NET_H
#define PVDRIVERS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_MAX_PIECES  18 /* slots of 4 KiB that a frame may take */
#define NET_BUFFER_ROOM 64 /* bytes */

struct net;

struct net_info {
    uint8_t mac[6];
    unsigned mtu; /* bytes behind the Ethernet header */
    bool up;      /* the link carries frames, as far as the backend says */
    /* What the backend finishes for us: checksums, and TCP segments. */
    bool checksum_ipv4, checksum_ipv6, segment_ipv4, segment_ipv6;
};

/*
 * A received frame: a chain of buffers, the caller's until net_release. What
 * is said of the whole stands in the first.
 */
struct net_buffer {
    struct net_buffer *next;
    uint8_t *data; /* may be written to */
    uint32_t len;
    uint32_t total; /* of all in the chain */
    bool verified;  /* TCP's or UDP's checksum needs no look */
    bool partial;   /* nor is it complete: the frame never left this machine */
    uint16_t gso_size; /* not 0: made of TCP segments of that many bytes */
    uint64_t room[NET_BUFFER_ROOM / 8]; /* the receiver's to use */
    /* private */
    void *page;
    uint32_t ref;
};

struct net_piece {
    const void *data; /* in RAM; the backend can see the whole pages */
    uint32_t len;
};

enum net_gso { NET_GSO_NONE, NET_GSO_TCPV4, NET_GSO_TCPV6 };

/* A frame to be sent: the caller's memory until (done). */
struct net_packet {
    const struct net_piece *pieces; /* needed only during net_send */
    unsigned nr_pieces;
    bool partial;      /* the checksum field has the pseudo-header's sum only */
    enum net_gso gso;  /* to be cut into TCP segments; then (partial) too */
    uint16_t gso_size; /* of that many bytes each */
    /*
     * Called as an event handler is, when the backend has let go: 0, or -EIO
     * for a frame that it found wrong or lost.
     */
    void (*done)(struct net_packet *packet, int status);
    void *context;
    /* private */
    unsigned slots_left;
    int status;
};

/* The (index)th device, waiting for it to connect; NULL when there is none. */
struct net *net_open(unsigned index);

/* Disconnect and release. Buffers must have been released. */
void net_close(struct net *net);

/* In event handlers, (up) is what it was when last asked elsewhere. */
void net_get_info(struct net *net, struct net_info *info);

struct net_counters {
    uint64_t sent_frames, sent_bytes;
    uint64_t received_frames, received_bytes;
    uint64_t notified; /* how often the backend was: net_kick and buffers */
    uint64_t events;   /* how often it told us something */
    /* now: */
    unsigned queues;  /* pairs of rings, one for each vCPU if both ends can */
    unsigned slots;   /* of all transmit rings, and of all receive rings */
    unsigned sending; /* slots of the ring that hold what is to be sent */
    unsigned posted;  /* that hold buffers for what may come */
};
void net_get_counters(const struct net *net, struct net_counters *counters);

/*
 * Who gets frames, as an event handler does; until then they are dropped. The
 * buffer is (receive)'s to release, now or later.
 */
void net_set_receiver(struct net *net,
                      void (*receive)(struct net_buffer *frame, void *context),
                      void *context);
void net_release(struct net *net, struct net_buffer *frame);

/*
 * Who is told, in the same way, when all frames that had come were given to the
 * receiver: to send what it queued, say.
 */
void net_set_batch(struct net *net, void (*done)(void *context), void *context);

/*
 * Queue (packet): 0; -EAGAIN when there is no room now; -EMSGSIZE when it has
 * too many pieces or bytes; -EINVAL for offloads that the backend does not do;
 * -ENETDOWN when there is no backend. Sent at the next net_kick. (done) of
 * earlier packets may be called.
 */
int net_send(struct net *net, struct net_packet *packet);

/* Tell the backend what was queued. */
void net_kick(struct net *net);

/* Wait until net_send may have room: 0, or -ENETDOWN. Kicks. */
int net_wait_room(struct net *net);

/* Take what is there, as the device's events do: true if there was something.*/
bool net_poll(struct net *net);

#endif
