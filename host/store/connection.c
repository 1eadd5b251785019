/*
 * host/store/connection.c: the byte streams of one guest.
 */
#include "host/store/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/log.h"
#include "host/store/server.h"
#include "host/store/trace.h"
#include "host/store/transaction.h"
#include "host/store/wire.h"

#define SERVE_AT_ONCE 256 /* requests, before others get their turn */

static uint32_t peek(const uint32_t *shared)
{
    return __atomic_load_n(shared, __ATOMIC_ACQUIRE);
}

static void poke(uint32_t *shared, uint32_t value)
{
    __atomic_store_n(shared, value, __ATOMIC_RELEASE);
}

static void attach(struct connection *conn)
{
    struct xenstore_domain_interface *page = conn->page;

    ring_bytes_attach_consumer(&conn->req, page->req, XENSTORE_RING_SIZE,
                               &page->req_prod, &page->req_cons);
    ring_bytes_attach_producer(&conn->rsp, page->rsp, XENSTORE_RING_SIZE,
                               &page->rsp_prod, &page->rsp_cons);
}

int connection_create(struct store *store, uint16_t domid, void *page,
                      void (*kick)(void *context), void *context,
                      struct connection **out)
{
    struct connection *conn = malloc(sizeof *conn);

    if (!conn)
        return -ENOMEM;
    memset(conn, 0, offsetof(struct connection, in));
    conn->store = store;
    conn->domid = domid;
    conn->page = page;
    conn->kick = kick;
    conn->context = context;
    event_queue_init(&conn->events);

    poke(&conn->page->server_features,
         XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR);
    attach(conn);
    *out = conn;
    return 0;
}

struct transaction **connection_transaction(struct connection *conn,
                                            uint32_t id)
{
    struct transaction **link = &conn->transactions;

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

void connection_reset(struct connection *conn)
{
    struct transaction *tx = conn->transactions, *next;

    watch_remove_all(&conn->store->watches, &conn->events);
    conn->nr_watches = 0;
    for (; tx; tx = next) {
        next = tx->next;
        transaction_free(tx);
    }
    conn->transactions = NULL;
    conn->nr_transactions = 0;
}

void connection_destroy(struct connection *conn)
{
    if (!conn)
        return;
    connection_reset(conn);
    free(conn);
}

/* The guest broke the protocol. It may ask for a fresh start. */
static void give_up(struct connection *conn, uint32_t error)
{
    connection_reset(conn);
    conn->broken = true;
    conn->in_used = 0;
    conn->out_len = conn->out_sent = 0;
    poke(&conn->page->error, error);
    if (!conn->told)
        log_warning("xenstore: the guest's %s; it is not served until it "
                    "connects anew, the guest goes on",
                    error == XENSTORE_ERROR_PROTO
                        ? "message is longer than any may be"
                        : "ring claims more bytes than it has");
    conn->told = true;
    trace_line(conn->store, "d%u connection broken: error %u", conn->domid,
               error);
}

static void reconnect(struct connection *conn)
{
    struct xenstore_domain_interface *page = conn->page;

    connection_reset(conn);
    conn->broken = false;
    conn->in_used = 0;
    conn->out_len = conn->out_sent = 0;
    poke(&page->req_cons, 0);
    poke(&page->req_prod, 0);
    poke(&page->rsp_cons, 0);
    poke(&page->rsp_prod, 0);
    attach(conn);
    poke(&page->error, XENSTORE_ERROR_NONE);
    poke(&page->connection, XENSTORE_CONNECTED);
    trace_line(conn->store, "d%u reconnected", conn->domid);
}

/* Send what is on its way: 1 if bytes moved, 0 if not, -EPROTO. */
static int send_out(struct connection *conn)
{
    const char *bytes = (const char *)&conn->out;
    ssize_t n;

    if (conn->out_sent == conn->out_len)
        return 0;
    n = ring_bytes_write(&conn->rsp, bytes + conn->out_sent,
                         conn->out_len - conn->out_sent);
    if (n < 0)
        return (int)n;
    conn->out_sent += (size_t)n;
    return n > 0;
}

static bool out_is_empty(const struct connection *conn)
{
    return conn->out_sent == conn->out_len;
}

/* Responses first, then events, as far as the ring takes them. */
static int send_all(struct connection *conn)
{
    int moved = 0;

    for (;;) {
        int rc = send_out(conn);

        if (rc < 0)
            return rc;
        moved |= rc;
        if (!out_is_empty(conn) || !conn->events.head)
            return moved;
        wire_event(conn, conn->events.head);
        event_queue_pop(&conn->events);
    }
}

/* Bytes still missing from the message that is coming in. */
static size_t missing(const struct connection *conn)
{
    const size_t header = sizeof conn->in.header;

    if (conn->in_used < header)
        return header - conn->in_used;
    return header + conn->in.header.len - conn->in_used;
}

/* Take what the ring has of one message: 1 if bytes moved, 0, -EPROTO. */
static int receive(struct connection *conn, uint32_t *error)
{
    const size_t header = sizeof conn->in.header;
    int moved = 0;
    size_t wanted;

    *error = XENSTORE_ERROR_RINGIDX;
    while ((wanted = missing(conn))) {
        const ssize_t n = ring_bytes_read(
            &conn->req, (char *)&conn->in + conn->in_used, wanted);

        if (n < 0)
            return -EPROTO;
        if (n == 0)
            break;
        moved = 1;
        conn->in_used += (size_t)n;
        if (conn->in_used == header &&
            conn->in.header.len > XENSTORE_PAYLOAD_MAX) {
            *error = XENSTORE_ERROR_PROTO;
            return -EPROTO;
        }
    }
    return moved;
}

static bool has_request(const struct connection *conn)
{
    return conn->in_used >= sizeof conn->in.header && missing(conn) == 0;
}

/* One round: 1 if anything happened, 0, -EPROTO with the reason. */
static int step(struct connection *conn, bool *moved, uint32_t *error)
{
    int sent, received;

    *error = XENSTORE_ERROR_RINGIDX;
    sent = send_all(conn);
    if (sent < 0)
        return sent;
    received = receive(conn, error);
    if (received < 0)
        return received;
    *moved |= sent || received;

    if (!has_request(conn) || !out_is_empty(conn))
        return sent || received;
    wire_request(conn);
    conn->in_used = 0;
    return 1;
}

void connection_flush(struct connection *conn)
{
    int moved;

    if (conn->broken)
        return;
    moved = send_all(conn);
    if (moved < 0)
        give_up(conn, XENSTORE_ERROR_RINGIDX);
    if (moved)
        conn->kick(conn->context);
}

void connection_serve(struct connection *conn)
{
    bool moved = false;
    unsigned left = SERVE_AT_ONCE;
    uint32_t error;
    int rc;

    if (peek(&conn->page->connection) == XENSTORE_RECONNECT) {
        reconnect(conn);
        moved = true;
    }
    if (conn->broken)
        return;

    do
        rc = step(conn, &moved, &error);
    while (rc > 0 && --left);

    if (rc < 0) {
        give_up(conn, error);
        moved = true;
    }
    if (moved)
        conn->kick(conn->context);
}
