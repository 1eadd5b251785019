#include "fake_net.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "fake_store.h"

#define NR_KEPT 1024

struct fake_net fake_net;

static grant_ref_t tx_ref, rx_ref, kept[NR_KEPT];
static unsigned nr_kept;
static evtchn_port_t port;

static void back_write(const char *key, unsigned value)
{
    char path[128], text[16];

    snprintf(path, sizeof path, FAKE_VIF_BACK "/%s", key);
    snprintf(text, sizeof text, "%u", value);
    fake_store_write(path, text);
}

static unsigned front_read(const char *key)
{
    char path[128];
    const char *value;

    snprintf(path, sizeof path, FAKE_VIF "/%s", key);
    value = fake_store_read(path);
    return value ? (unsigned)atoi(value) : 0;
}

/* frames that the guest sends */

void fake_net_let_go(void)
{
    while (nr_kept)
        fake_unmap(kept[--nr_kept]);
}

static void put_response(uint16_t id, int status)
{
    const netif_tx_response_t rsp = {.id = id, .status = (int16_t)status};

    ring_back_put(&fake_net.tx, &rsp, sizeof rsp);
}

void fake_net_respond(uint16_t id, int status)
{
    put_response(id, status);
    if (ring_back_publish(&fake_net.tx))
        fake_raise(port);
}

/* Copy one slot's bytes; the first slot's size is the whole frame's. */
static void read_slot(const netif_tx_request_t *req, uint32_t len)
{
    const char *page = fake_map(req->gref, false);

    cr_assert(page, "slot %u is not lent", fake_net.nr_slots);
    cr_assert_null(fake_map(req->gref, true), "what is sent is not to write");
    cr_assert_leq(req->offset + len, 4096, "beyond the page");
    cr_assert_leq(fake_net.frame_len + len, sizeof fake_net.frame);
    memcpy(fake_net.frame + fake_net.frame_len, page + req->offset, len);
    fake_net.frame_len += len;
    fake_net.nr_slots++;
    fake_net.last_id = req->id;
    if (fake_net.keep)
        kept[nr_kept++] = req->gref;
    else
        fake_unmap(req->gref);
    if (!fake_net.deaf)
        put_response(req->id, fake_net.status);
}

static void read_extra(void)
{
    struct netif_extra_info extra;

    cr_assert_eq(ring_back_take(&fake_net.tx, &extra, sizeof extra), 1);
    cr_assert_eq(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    cr_assert_eq(extra.flags, 0);
    fake_net.gso_size = extra.u.gso.size;
    fake_net.gso_type = extra.u.gso.type;
    if (!fake_net.deaf)
        put_response(0, NETIF_RSP_NULL);
}

static void read_frame(const netif_tx_request_t *first)
{
    netif_tx_request_t rest[32];
    uint32_t left = first->size;
    unsigned nr = 0;
    bool more = first->flags & NETTXF_more_data;

    fake_net.nr_frames++;
    fake_net.frame_len = fake_net.nr_slots = 0;
    fake_net.frame_flags = first->flags;
    fake_net.gso_size = 0;
    if (first->flags & NETTXF_extra_info)
        read_extra();
    while (more) {
        cr_assert_lt(nr, 32);
        cr_assert_eq(ring_back_take(&fake_net.tx, &rest[nr], sizeof *rest), 1,
                     "half a frame");
        cr_assert_lt(rest[nr].size, left, "the total is less than its parts");
        left -= rest[nr].size;
        more = rest[nr++].flags & NETTXF_more_data;
    }
    read_slot(first, left);
    for (unsigned i = 0; i < nr; i++)
        read_slot(&rest[i], rest[i].size);
}

bool fake_net_run(void)
{
    netif_tx_request_t req;
    bool any = false;

    if (!fake_net.connected)
        return false;
    do {
        while (ring_back_take(&fake_net.tx, &req, sizeof req) > 0) {
            any = true;
            read_frame(&req);
        }
        if (ring_back_publish(&fake_net.tx))
            fake_raise(port);
    } while (!ring_back_may_sleep(&fake_net.tx));
    ring_back_may_sleep(&fake_net.rx); /* new buffers: say so */
    return any;
}

static void notified(void)
{
    fake_net.nr_notified++;
    if (!fake_net.late)
        fake_net_run();
}

/* frames that the guest gets */

bool fake_net_take(netif_rx_request_t *request)
{
    return ring_back_take(&fake_net.rx, request, sizeof *request) > 0;
}

void fake_net_answer(uint16_t id, uint16_t offset, uint16_t flags, int status)
{
    const netif_rx_response_t rsp = {
        .id = id,
        .offset = offset,
        .flags = flags,
        .status = (int16_t)status,
    };

    ring_back_put(&fake_net.rx, &rsp, sizeof rsp);
}

void fake_net_extra(uint8_t type, uint8_t flags, uint16_t gso_size)
{
    const struct netif_extra_info extra = {
        .type = type,
        .flags = flags,
        .u.gso.size = gso_size,
    };

    ring_back_put(&fake_net.rx, &extra, sizeof extra);
}

void fake_net_push(void)
{
    if (ring_back_publish(&fake_net.rx))
        fake_raise(port);
}

bool fake_net_deliver(const void *data, uint32_t len, uint32_t piece,
                      uint16_t flags, uint16_t gso_size)
{
    netif_rx_request_t request, unused;
    const char *from = data;

    if (gso_size)
        flags |= NETRXF_extra_info;
    while (len > 0) {
        const uint32_t some = len < piece ? len : piece;
        char *page;

        if (!fake_net_take(&request))
            return false;
        page = fake_map(request.gref, true);
        cr_assert(page, "a buffer not lent");
        memcpy(page, from, some);
        fake_unmap(request.gref);
        from += some;
        len -= some;
        fake_net_answer(request.id, 0,
                        (uint16_t)(flags | (len ? NETRXF_more_data : 0)),
                        (int)some);
        if (flags & NETRXF_extra_info) {
            if (!fake_net_take(&unused))
                return false;
            fake_net_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, gso_size);
        }
        flags = 0;
    }
    fake_net_push();
    return true;
}

/* the handshake */

static void connect(void)
{
    void *tx, *rx;

    fake_net.nr_connects++;
    if (fake_net.refuse) {
        back_write("state", 5);
        return;
    }
    cr_assert_eq(front_read("request-rx-copy"), 1);
    cr_assert_eq(front_read("feature-rx-notify"), 1);
    tx_ref = front_read("tx-ring-ref");
    rx_ref = front_read("rx-ring-ref");
    tx = fake_map(tx_ref, true);
    rx = fake_map(rx_ref, true);
    cr_assert(tx && rx, "the rings are not lent");
    ring_back_attach(&fake_net.tx, tx, 4096, sizeof(netif_tx_request_t));
    ring_back_attach(&fake_net.rx, rx, 4096, sizeof(netif_rx_response_t));
    port = front_read("event-channel");
    fake_on_send(port, notified);
    fake_net.connected = true;
    back_write("state", 4);
}

static void disconnect(void)
{
    if (!fake_net.connected)
        return;
    fake_net.connected = false;
    fake_net_let_go();
    fake_unmap(tx_ref);
    fake_unmap(rx_ref);
}

void fake_net_leave(void)
{
    back_write("state", 5);
}

static void front_wrote(const char *path, const char *value)
{
    const int state = atoi(value);

    if (strcmp(path, FAKE_VIF "/state") != 0)
        return;
    if (state == 4) /* netback's way: no Initialised */
        connect();
    if (state == 5 && fake_net.connected)
        back_write("state", 5);
    if (state == 6) {
        disconnect();
        back_write("state", 6);
        if (fake_net.vanish)
            back_write("online", 0);
    }
    if (state == 1 && !fake_net.vanish)
        back_write("state", 2);
}

static bool world(void)
{
    bool any = fake_store_run();

    return fake_net_run() || any;
}

void fake_net_init(void)
{
    memset(&fake_net, 0, sizeof fake_net);
    nr_kept = 0;
    fake.world = world;
}

void fake_net_start(void)
{
    fake_store_write(FAKE_VIF "/backend", FAKE_VIF_BACK);
    fake_store_write(FAKE_VIF "/backend-id", "0");
    fake_store_write(FAKE_VIF "/state", "1");
    if (!fake_store_read(FAKE_VIF "/mac"))
        fake_store_write(FAKE_VIF "/mac", "00:16:3e:0a:0B:ff");
    back_write("online", 1);
    back_write("feature-rx-copy", !fake_net.no_copy);
    back_write("feature-no-csum-offload", fake_net.no_offloads);
    back_write("feature-ipv6-csum-offload", !fake_net.no_offloads);
    back_write("feature-gso-tcpv4", !fake_net.no_offloads);
    back_write("feature-gso-tcpv6", !fake_net.no_offloads);
    fake_store.wrote = front_wrote;
    back_write("state", 2);
}
