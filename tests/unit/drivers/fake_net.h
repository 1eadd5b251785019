/*
 * fake_net.h: a network backend made up for tests, as honest as they want it.
 */
#ifndef FAKE_NET_H
#define FAKE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include <ring/back.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/io/netif.h>

#define FAKE_VIF      "device/vif/0"
#define FAKE_VIF_BACK "/local/domain/0/backend/vif/1/0"

#define FAKE_NET_QUEUES 8

struct fake_net_queue {
    struct ring_back tx, rx;
    grant_ref_t tx_ref, rx_ref;
    evtchn_port_t port;
};

struct fake_net {
    /* Before it starts. */
    bool no_copy, no_offloads, refuse;
    unsigned max_queues; /* 0: does not say */

    /* Meanwhile. */
    bool late;  /* serves only when the guest waits */
    bool deaf;  /* takes requests and does not answer */
    bool keep;  /* keeps the pages it was lent to read */
    int status; /* of every response */
    bool connected, vanish;

    /* Accounts. */
    unsigned nr_frames, nr_notified, nr_connects;
    uint16_t last_id; /* of a request to send */

    /* The last frame that the guest sent. */
    uint8_t frame[65536];
    uint32_t frame_len;
    unsigned nr_slots;
    uint16_t frame_flags; /* of its first slot */
    uint16_t gso_size;    /* 0: no extra information */
    uint8_t gso_type;

    unsigned nr_queues; /* that the guest chose */
    unsigned queue;     /* that gets frames, and that sent the last one */
    struct fake_net_queue queues[FAKE_NET_QUEUES];
};
extern struct fake_net fake_net;

void fake_net_init(void);  /* after fake_store_init; then set it up */
void fake_net_start(void); /* InitWait */

/* Take and answer what is there; true if there was anything. */
bool fake_net_run(void);

/* Answer a request to send, true or false, and publish. */
void fake_net_respond(uint16_t id, int status);

/*
 * A frame for the guest, in as many buffers as it takes, (piece) bytes in each;
 * false if it posted too few. (gso_size) not 0 makes extra information of it.
 */
bool fake_net_deliver(const void *data, uint32_t len, uint32_t piece,
                      uint16_t flags, uint16_t gso_size);

/* The same by hand: a buffer the guest posted, an answer, and all of them. */
bool fake_net_take(netif_rx_request_t *request);
void fake_net_answer(uint16_t id, uint16_t offset, uint16_t flags, int status);
void fake_net_extra(uint8_t type, uint8_t flags, uint16_t gso_size);
void fake_net_push(void);

/* Give back all pages kept. */
void fake_net_let_go(void);

/* Leave in an orderly way (Closing). */
void fake_net_leave(void);

#endif
