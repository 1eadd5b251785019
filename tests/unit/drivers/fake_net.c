#include "fake_net.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "fake_store.h"

#define NR_KEPT 1024

struct fake_net fake_net;

static grant_ref_t kept[NR_KEPT];
static unsigned nr_kept;

/* The one whose turn it is. */
static struct fake_net_queue *now(void)
{
    return &fake_net.queues[fake_net.queue];
}

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

    ring_back_put(&now()->tx, &rsp, sizeof rsp);
}

void fake_net_respond(uint16_t id, int status)
{
    put_response(id, status);
    if (ring_back_publish(&now()->tx))
        fake_raise(now()->port);
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

    cr_assert_eq(ring_back_take(&now()->tx, &extra, sizeof extra), 1);
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
        cr_assert_eq(ring_back_take(&now()->tx, &rest[nr], sizeof *rest), 1,
                     "half a frame");
        cr_assert_lt(rest[nr].size, left, "the total is less than its parts");
        left -= rest[nr].size;
        more = rest[nr++].flags & NETTXF_more_data;
    }
    read_slot(first, left);
    for (unsigned i = 0; i < nr; i++)
        read_slot(&rest[i], rest[i].size);
}

static bool run_queue(void)
{
    netif_tx_request_t req;
    bool any = false;

    do {
        while (ring_back_take(&now()->tx, &req, sizeof req) > 0) {
            any = true;
            read_frame(&req);
        }
        if (ring_back_publish(&now()->tx))
            fake_raise(now()->port);
    } while (!ring_back_may_sleep(&now()->tx));
    ring_back_may_sleep(&now()->rx); /* new buffers: say so */
    return any;
}

/* Stays at the queue that had something. */
bool fake_net_run(void)
{
    const unsigned before = fake_net.queue;
    unsigned last = before;

    if (!fake_net.connected || fake_net.nr_queues == 0)
        return false;
    for (unsigned i = 0; i < fake_net.nr_queues; i++) {
        fake_net.queue = i;
        if (run_queue())
            last = i + fake_net.nr_queues;
    }
    fake_net.queue = last % fake_net.nr_queues;
    return last >= fake_net.nr_queues;
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
    return ring_back_take(&now()->rx, request, sizeof *request) > 0;
}

void fake_net_answer(uint16_t id, uint16_t offset, uint16_t flags, int status)
{
    const netif_rx_response_t rsp = {
        .id = id,
        .offset = offset,
        .flags = flags,
        .status = (int16_t)status,
    };

    ring_back_put(&now()->rx, &rsp, sizeof rsp);
}

void fake_net_extra(uint8_t type, uint8_t flags, uint16_t gso_size)
{
    const struct netif_extra_info extra = {
        .type = type,
        .flags = flags,
        .u.gso.size = gso_size,
    };

    ring_back_put(&now()->rx, &extra, sizeof extra);
}

void fake_net_push(void)
{
    if (ring_back_publish(&now()->rx))
        fake_raise(now()->port);
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

static unsigned queue_read(unsigned index, const char *key)
{
    char path[64];

    if (fake_net.nr_queues == 1)
        return front_read(key);
    snprintf(path, sizeof path, "queue-%u/%s", index, key);
    return front_read(path);
}

static void connect_queue(unsigned index)
{
    struct fake_net_queue *queue = &fake_net.queues[index];
    void *tx, *rx;

    queue->tx_ref = queue_read(index, "tx-ring-ref");
    queue->rx_ref = queue_read(index, "rx-ring-ref");
    tx = fake_map(queue->tx_ref, true);
    rx = fake_map(queue->rx_ref, true);
    cr_assert(tx && rx, "the rings are not lent");
    ring_back_attach(&queue->tx, tx, 4096, sizeof(netif_tx_request_t));
    ring_back_attach(&queue->rx, rx, 4096, sizeof(netif_rx_response_t));
    queue->port = queue_read(index, "event-channel");
    fake_on_send(queue->port, notified);
}

static void connect(void)
{
    fake_net.nr_connects++;
    if (fake_net.refuse) {
        back_write("state", 5);
        return;
    }
    cr_assert_eq(front_read("request-rx-copy"), 1);
    cr_assert_eq(front_read("feature-rx-notify"), 1);
    fake_net.nr_queues = front_read("multi-queue-num-queues");
    if (!fake_net.nr_queues)
        fake_net.nr_queues = 1;
    cr_assert(fake_net.nr_queues == 1 ||
              fake_net.nr_queues <= fake_net.max_queues);
    fake_net.queue = 0;
    for (unsigned i = 0; i < fake_net.nr_queues; i++)
        connect_queue(i);
    fake_net.connected = true;
    back_write("state", 4);
}

static void disconnect(void)
{
    if (!fake_net.connected)
        return;
    fake_net.connected = false;
    fake_net_let_go();
    for (unsigned i = 0; i < fake_net.nr_queues; i++) {
        fake_unmap(fake_net.queues[i].tx_ref);
        fake_unmap(fake_net.queues[i].rx_ref);
    }
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
    if (fake_net.max_queues)
        back_write("multi-queue-max-queues", fake_net.max_queues);
    else
        fake_store_write(FAKE_VIF_BACK "/multi-queue-max-queues", NULL);
    fake_store.wrote = front_wrote;
    back_write("state", 2);
}
