/*
 * pvguest/store/connection.c: requests and replies over the store's ring.
 *
 * Threads take turns to put their requests into the ring, then wait, each for
 * its own reply: any number may be on their way. Replies are found by their
 * req_id in a list of our own, whatever the server says. The connection is
 * made by the first request, so that programs without need of it pay nothing.
 *
 * Receiving happens on whoever has control: right after sending, because a
 * server may have answered before the notification returned, and in the event
 * handler otherwise.
 */
#include "connection.h"

#include <errno.h>
#include <string.h>

#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/ring_page.h>
#include <pvguest/store.h>
#include <pvguest/thread.h>

struct call {
    uint32_t type, req_id;
    char *buf;
    size_t size;
    long result;
    bool done;
    struct wait_queue waiter;
    struct call *next;
};

static struct {
    bool open, broken;
    evtchn_port_t port;
    struct ring_bytes req, rsp;
    struct wire_in in;
    uint32_t last_id;
    struct call *calls; /* waiting for their replies */
    bool sending;       /* a message is half in the ring */
    struct wait_queue turn, room;
} conn;

bool store_available(void)
{
    return !conn.broken && ring_port(RING_STORE);
}

/* Nothing more will come: let nobody wait for it. */
static void conn_break(void)
{
    conn.broken = true;
    for (struct call *call = conn.calls; call; call = call->next) {
        call->result = -EIO;
        call->done = true;
        thread_wake_all(&call->waiter);
    }
    conn.calls = NULL;
    thread_wake_all(&conn.room);
    thread_wake_all(&conn.turn);
    guest_print("store: the server broke the protocol; no xenstore any more\n");
}

static void call_finish(struct call *call, const struct wire_in *in)
{
    if (in->header.type == XS_ERROR)
        call->result = wire_error(in);
    else if (in->header.type != call->type)
        call->result = -EIO;
    else if (in->header.len > call->size)
        call->result = -E2BIG;
    else {
        memcpy(call->buf, in->payload, in->header.len);
        call->result = in->header.len;
    }
    call->done = true;
    thread_wake_all(&call->waiter);
}

static void conn_deliver(const struct wire_in *in)
{
    const char *token;

    if (in->header.type == XS_WATCH_EVENT) {
        token = wire_watch_token(in);
        if (token)
            store_watch_event(token);
        return;
    }
    for (struct call **at = &conn.calls; *at; at = &(*at)->next) {
        struct call *call = *at;

        if (call->req_id == in->header.req_id) {
            *at = call->next;
            call_finish(call, in);
            return;
        }
    }
}

/* Take all that arrived, and say so: the server may wait for the room. */
static void conn_receive(void)
{
    uint32_t before = conn.rsp.own;
    int rc;

    if (conn.broken)
        return;
    while ((rc = wire_receive(&conn.in, &conn.rsp)) > 0)
        conn_deliver(&conn.in);
    if (rc < 0)
        conn_break();
    else if (conn.rsp.own != before)
        event_send(conn.port);
}

static void conn_event(evtchn_port_t port, void *context)
{
    (void)port;
    (void)context;
    conn_receive();
    thread_wake_all(&conn.room);
}

static int conn_open(void)
{
    struct xenstore_domain_interface *page;
    int rc;

    if (conn.open)
        return conn.broken ? -EIO : 0;
    if (!store_available())
        return -EIO;
    page = ring_page(RING_STORE);
    if (!page)
        return -EIO;

    ring_bytes_attach_producer(&conn.req, page->req, XENSTORE_RING_SIZE,
                               &page->req_prod, &page->req_cons);
    ring_bytes_attach_consumer(&conn.rsp, page->rsp, XENSTORE_RING_SIZE,
                               &page->rsp_prod, &page->rsp_cons);
    conn.port = ring_port(RING_STORE);
    rc = event_handle(conn.port, conn_event, NULL);
    if (rc)
        return -EIO;
    conn.open = true;
    return 0;
}

/* Put the whole message into the ring, waiting for room as often as needed. */
static void conn_send(struct wire_out *out)
{
    int rc;

    while (conn.sending)
        thread_wait(&conn.turn, UINT64_MAX);
    conn.sending = true;
    while (!conn.broken && (rc = wire_send(out, &conn.req)) <= 0) {
        if (rc < 0) {
            conn_break();
            break;
        }
        event_send(conn.port);
        if (!ring_bytes_room(&conn.req))
            thread_wait(&conn.room, UINT64_MAX);
    }
    conn.sending = false;
    thread_wake_one(&conn.turn);
    if (!conn.broken)
        event_send(conn.port);
}

long store_request(uint32_t type, uint32_t tx, const struct wire_part *parts,
                   unsigned nr_parts, char *buf, size_t size)
{
    struct call call = {.type = type, .buf = buf, .size = size};
    struct wire_out out;
    int rc;
    GUEST_LOCKED;

    rc = conn_open();
    if (rc)
        return rc;
    call.req_id = ++conn.last_id;
    rc = wire_begin(&out, type, call.req_id, tx, parts, nr_parts);
    if (rc)
        return rc;

    call.next = conn.calls;
    conn.calls = &call;
    conn_send(&out);
    conn_receive();
    while (!call.done)
        thread_wait(&call.waiter, UINT64_MAX);
    return call.result;
}
