/*
 * host/store/connection.h: one guest at its ring page: bytes become messages
 * (here), messages become requests (wire.h).
 *
 * Memory is bounded whatever the guest does: one request is taken in, one
 * message is on its way out; until that has left, and the watch events that
 * wait as well, no further request is looked at. The ring then fills up and
 * the guest sees it full.
 */
#ifndef HOST_STORE_CONNECTION_H
#define HOST_STORE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ring/bytes.h>
#include <xen/io/xs_wire.h>

#include "host/store/event.h"

struct store;
struct transaction;

#define MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)

struct message {
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX];
};

struct connection {
    struct store *store;
    uint16_t domid;
    struct xenstore_domain_interface *page;
    struct ring_bytes req, rsp;

    /* the guest is to be told that bytes have moved */
    void (*kick)(void *context);
    void *context;

    struct event_queue events;
    struct transaction *transactions;
    unsigned nr_transactions, nr_watches;
    uint32_t last_transaction;

    bool broken; /* it broke the protocol: deaf until it reconnects */
    bool told;   /* the user knows of the first time */
    size_t in_used;
    size_t out_len, out_sent;
    struct message in, out; /* last, and not touched before they are needed */
};

/*
 * Serve the page for (domid): 0 or -ENOMEM. The page stays the caller's and
 * must live as long. (kick) may be called from inside connection_serve.
 */
int connection_create(struct store *store, uint16_t domid, void *page,
                      void (*kick)(void *context), void *context,
                      struct connection **conn);

/* With its watches and open transactions. NULL is fine. */
void connection_destroy(struct connection *conn);

/*
 * Move what can be moved, answer what can be answered; of a guest that never
 * stops asking, so much at a time.
 */
void connection_serve(struct connection *conn);

/* Only send what waits to be sent; no request is looked at. */
void connection_flush(struct connection *conn);

/* The link that leads to transaction (id); to NULL if there is none. */
struct transaction **connection_transaction(struct connection *conn,
                                            uint32_t id);

/* Forget the guest's watches and transactions. */
void connection_reset(struct connection *conn);

#endif
