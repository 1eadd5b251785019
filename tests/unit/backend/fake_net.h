/*
 * tests/unit/backend/fake_net.h: a network device with a link that is an
 * array, and a frontend that puts packets of any kind into its rings.
 */
#ifndef FAKE_NET_H
#define FAKE_NET_H

#include <ring/front.h>

#include "fake_domain.h"
#include "host/backend/net_private.h"

#define NET_NOT_GRANTED 9999  /* in place of a page */
#define NET_NO_ANSWER   12345 /* in place of a status */
#define NET_NR_LIES     6

struct net_piece {
    unsigned page;
    uint16_t offset, size;
};

struct net_sent {
    uint8_t bytes[FRAME_MAX];
    size_t len;
    unsigned nr_parts;
    struct offload work;
};

struct net_fake_link {
    struct link link;
    bool busy, lost; /* what send() will say */
    bool accepts_partial, accepts_gso;
    struct net_sent sent[16];
    unsigned nr_sent;
    struct net_sent coming[16];
    unsigned nr_coming, next_coming;
};

extern struct net_fake_link net_link;
extern unsigned net_nr_answered; /* slots, by the last net_send or net_answer */
extern uint16_t net_gso;         /* not 0: the next packet's segment size */
extern uint8_t net_extra_type;   /* not 0: the type of its extra slot */

/* What net_take_received took apart. */
extern struct net_received {
    uint8_t bytes[FRAME_MAX];
    unsigned slots;
    uint16_t flags; /* of the first */
    uint16_t gso;
} net_received;

/* A domain with one device: net_make. Connected: net_attach. */
void net_make(void);
void net_make_device(void);
void net_attach(void);
void net_detach(void);

/* The keys of a frontend that wants all, fresh rings behind them. */
void net_write_keys(void);
int net_connect(void); /* with the keys as they are, made if there are none */

/* Fill the pieces with a pattern, and recognise it. */
void net_fill(const struct net_piece *pieces, unsigned nr);
bool net_is_filled(const uint8_t *bytes, size_t len);

/* The headers of a TCP segment at (offset) of (page). */
void net_tcp_header(unsigned page, unsigned offset);

/* Put a packet; also notify and return its status, or NET_NO_ANSWER. */
void net_put(const struct net_piece *pieces, unsigned nr, uint16_t flags);
int net_send(const struct net_piece *pieces, unsigned nr, uint16_t flags);

/* The next packet's status: the same in all its slots. */
int net_answer(void);

/* Join or leave a multicast group: the status. */
int net_join(const uint8_t *group, bool join);

/* Post (nr) buffers, or one of a reference that is none. */
void net_post(unsigned nr);
void net_post_ref(grant_ref_t ref);

/* The link will have a frame of (len) bytes (value). */
void net_link_gives(size_t len, uint8_t value, struct offload work);
void net_link_gives_to(const uint8_t *mac, size_t len);

/* The next frame received: its length, 0 if none, or a negative status. */
int net_take_received(void);

/* Break the protocol in one of NET_NR_LIES ways. */
void net_tell_lie(unsigned lie);

#endif
