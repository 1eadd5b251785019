/*
 * The network backend under a frontend that writes anything into its rings,
 * lends and takes back what it likes, over a link that brings any frame: what
 * is sent lies in what was lent, nothing stays borrowed once it is
 * disconnected, and a decent frame passes either way after it connects again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ring/front.h>
#include <xen/io/netif.h>

#include "host/backend/net_private.h"
#include "input.h"
#include "tests/unit/backend/fake_domain.h"

#define TX_PAGE     0
#define RX_PAGE     1
#define CTRL_PAGE   2
#define FIRST_PAGE  3
#define NR_PAGES    13
#define REF(i)      ((grant_ref_t)(8 + (i))) /* grants are given in this order */
#define MAX_ACTIONS 300

enum action {
    put_request,
    put_extra,
    put_bytes,
    post_buffer,
    post_bytes,
    write_counter,
    change_grant,
    change_link,
    bring_frame,
    reconnect,
    put_control,
    nr_actions
};

static struct {
    struct link link;
    bool busy, lost;
    uint8_t bytes[FRAME_MAX];
    size_t len; /* of the frame that has come; 0: none */
    struct offload work;
    unsigned nr_sent;
    uint8_t last; /* the last byte of what was sent last */
} wire;

static struct ring_front tx, rx, ctrl;

static int wire_send(struct link *link, const struct iovec *parts,
                     unsigned nr_parts, const struct offload *work)
{
    size_t len = 0;

    (void)link;
    PROMISE(nr_parts <= LINK_MAX_PARTS);
    for (unsigned i = 0; i < nr_parts; i++) {
        const uint8_t *bytes = parts[i].iov_base;

        for (size_t at = 0; at < parts[i].iov_len; at += 512)
            wire.last ^= bytes[at];
        if (parts[i].iov_len)
            wire.last = bytes[parts[i].iov_len - 1];
        len += parts[i].iov_len;
    }
    PROMISE(len >= FRAME_MIN && len <= FRAME_MAX);
    if (work->partial)
        PROMISE(work->csum_start + work->csum_offset + 2u <= len);
    if (work->gso != OFFLOAD_GSO_NONE)
        PROMISE(work->partial && work->gso_size && work->header_len <= len);
    if (wire.busy)
        return -EAGAIN;
    if (wire.lost)
        return -EIO;
    wire.nr_sent++;
    return 0;
}

static void wire_flush(struct link *link)
{
    (void)link;
}

static ssize_t wire_receive(struct link *link, uint8_t **bytes,
                            struct offload *work)
{
    const size_t len = wire.len;

    (void)link;
    wire.len = 0;
    *bytes = wire.bytes;
    *work = wire.work;
    return (ssize_t)len;
}

static void wire_accept(struct link *link, bool partial, bool gso_tcpv4,
                        bool gso_tcpv6)
{
    (void)link;
    (void)partial;
    (void)gso_tcpv4;
    (void)gso_tcpv6;
}

static void wire_allow(const struct link *link, struct sandbox *sandbox)
{
    (void)link;
    (void)sandbox;
}

static void wire_close(struct link *link)
{
    (void)link;
}

int link_open(const struct net_config *config, struct link **link)
{
    static const struct link_ops ops = {wire_send,   wire_flush, wire_receive,
                                        wire_accept, wire_allow, wire_close};

    wire.link = (struct link){
        .ops = &ops,
        .config = config,
        .fd = -1,
        .up = true,
        .takes_partial = true,
        .takes_gso = true,
    };
    *link = &wire.link;
    return 0;
}

void link_close(struct link *link)
{
    (void)link;
}

static void make_device(void)
{
    fake_config.nets[0] = (struct net_config){.kind = NET_USER};
    fake_config.nr_nets = 1;
    snprintf(fake_config.name, sizeof fake_config.name, "fuzz");
    fake_domain_create(false);
    PROMISE(!net_create_all(&fake_dom));
    for (unsigned i = 0; i < NR_PAGES; i++)
        PROMISE(fake_grant(i, false) == REF(i));
    fake_front_key("tx-ring-ref", "8");
    fake_front_key("rx-ring-ref", "9");
    fake_front_key("event-channel", "7");
    fake_front_key("ctrl-ring-ref", "10");
    fake_front_key("event-channel-ctrl", "8");
    fake_front_key("request-rx-copy", "1");
}

static void set_key(const char *key, bool on)
{
    fake_front_key(key, on ? "1" : NULL);
}

static void connect_again(unsigned kind)
{
    if (fake_bus->connected)
        fake_disconnect();
    PROMISE(!fake_dom.grants.nr_pinned);
    for (unsigned i = 0; i < NR_PAGES; i++)
        fake_dom.grants.frames[0][REF(i)].flags = GTF_permit_access;
    wire.busy = wire.lost = false;
    wire.len = 0;
    set_key("feature-sg", kind & 1);
    set_key("feature-gso-tcpv4", kind & 2);
    set_key("feature-gso-tcpv6", kind & 2);
    set_key("feature-no-csum-offload", kind & 4);
    set_key("request-multicast-control", kind & 8);
    ring_front_init(&tx, fake_page(TX_PAGE), PAGE_SIZE,
                    sizeof(netif_tx_request_t));
    ring_front_init(&rx, fake_page(RX_PAGE), PAGE_SIZE,
                    sizeof(netif_rx_response_t));
    ring_front_init(&ctrl, fake_page(CTRL_PAGE), PAGE_SIZE,
                    sizeof(struct xen_netif_ctrl_request));
    wire.link.takes_partial = wire.link.takes_gso = !(kind & 16);
    PROMISE(!fake_connect());
}

/* Mostly right, so that what is wrong gets further than the first check. */
static void put_tx(struct input *input)
{
    const uint8_t kind = input_u8(input);
    const netif_tx_request_t request = {
        .gref = REF(FIRST_PAGE + input_u8(input) % NR_PAGES),
        .offset = kind & 1 ? input_u16(input) : (uint16_t)(kind * 8),
        .flags = input_u8(input) & 0xf,
        .id = kind,
        .size = input_u16(input) & (kind & 2 ? 0xffff : 0x7ff),
    };

    ring_front_put(&tx, &request, sizeof request);
}

static void put_info(struct input *input)
{
    struct netif_extra_info extra = {
        .type = input_u8(input) % 6,
        .flags = input_u8(input) & 1,
    };

    input_take(input, &extra.u, sizeof extra.u);
    ring_front_put(&tx, &extra, sizeof extra);
}

/* Whatever it said of its queues, the frame goes to one that there is. */
static void expect_queue(void)
{
    static struct netdev dev;
    const size_t len = wire.len < 128 ? wire.len : 128;
    uint8_t *cut = malloc(len);

    PROMISE(cut);
    memcpy(cut, wire.bytes, len);
    dev.hash = fake_dom.nets[0]->hash;
    dev.nr_queues = 2;
    PROMISE(net_hash_queue(&dev, cut, len) < &dev.queues[2]);
    free(cut);
}

/* Headers that make some sense, or none. */
static void bring(struct input *input)
{
    const uint8_t kind = input_u8(input);
    uint8_t *frame = wire.bytes;

    memset(frame, kind, 128);
    frame[12] = kind & 1 ? 0x86 : 0x08;
    frame[13] = kind & 1 ? 0xdd : 0x00;
    frame[14] = kind & 1 ? 0x60 : 0x45;
    frame[kind & 1 ? 20 : 23] = kind & 2 ? 6 : 17;
    input_take(input, frame, kind & 15);
    wire.len = FRAME_MIN + input_u16(input) % (FRAME_MAX - FRAME_MIN + 1u);
    if (!(kind & 0x80))
        wire.len = FRAME_MIN + wire.len % 3000;
    wire.work = (struct offload){
        .partial = kind & 4,
        .verified = kind & 8,
        .csum_start = kind & 16 ? input_u16(input) : 34,
        .csum_offset = kind & 32 ? input_u16(input) : 16,
        .gso = (enum offload_gso)(kind % 3),
        .gso_size = input_u16(input),
    };
    expect_queue();
}

static void put_ctrl(struct input *input)
{
    const uint8_t kind = input_u8(input);
    struct xen_netif_ctrl_request request = {
        .type = kind % 12,
        .data = {input_u8(input), input_u8(input), kind >> 4},
    };

    if (request.type == XEN_NETIF_CTRL_TYPE_SET_HASH_KEY ||
        request.type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING)
        request.data[0] = REF(FIRST_PAGE + request.data[0] % NR_PAGES);
    if (kind & 0x80)
        request.data[2] = input_u32(input);
    ring_front_put(&ctrl, &request, sizeof request);
}

static void serve(void)
{
    uint8_t slot[16];

    ring_front_publish(&tx);
    ring_front_publish(&rx);
    ring_front_publish(&ctrl);
    fake_notify();
    fake_notify_port(FAKE_PORT + 1);
    wait_for(&fake_dom.wait, 0);
    while (ring_front_take(&tx, slot, sizeof(netif_tx_response_t)) == 1)
        ;
    while (ring_front_take(&rx, slot, sizeof(netif_rx_response_t)) == 1)
        ;
    while (ring_front_take(&ctrl, slot,
                           sizeof(struct xen_netif_ctrl_response)) == 1)
        ;
}

static void post(struct input *input)
{
    const netif_rx_request_t request = {
        .id = (uint16_t)rx.req_prod,
        .gref = REF(FIRST_PAGE + input_u8(input) % (NR_PAGES - FIRST_PAGE + 1)),
    };

    ring_front_put(&rx, &request, sizeof request);
}

static void act(struct input *input)
{
    const uint8_t what = input_u8(input);
    uint8_t slot[16] = {0};

    switch ((enum action)(what % nr_actions)) {
    case put_request:
        put_tx(input);
        break;
    case put_extra:
        put_info(input);
        break;
    case put_bytes:
        input_take(input, slot, sizeof(netif_tx_request_t));
        ring_front_put(&tx, slot, sizeof(netif_tx_request_t));
        break;
    case post_buffer:
        post(input);
        break;
    case post_bytes:
        input_take(input, slot, sizeof(netif_rx_request_t));
        ring_front_put(&rx, slot, sizeof(netif_rx_request_t));
        break;
    case write_counter:
        ((uint32_t *)fake_page(what % 3))[input_u8(input) % 4] =
            input_u32(input);
        break;
    case change_grant:
        fake_dom.grants.frames[0][REF(FIRST_PAGE + input_u8(input) % 10)]
            .flags = input_u8(input) & (GTF_type_mask | GTF_readonly);
        break;
    case change_link:
        wire.busy = what & 0x40;
        wire.lost = what & 0x20;
        break;
    case bring_frame:
        bring(input);
        break;
    case reconnect:
        connect_again(input_u8(input));
        break;
    case put_control:
        put_ctrl(input);
        break;
    case nr_actions:
        break;
    }
    if (what & 0x80)
        serve();
}

/* After all that, an honest frame passes, either way. */
static void expect_service(void)
{
    const netif_tx_request_t request = {
        .gref = REF(FIRST_PAGE), .id = 42, .size = 60};
    const netif_rx_request_t buffer = {.id = 7, .gref = REF(FIRST_PAGE + 1)};
    const unsigned before = wire.nr_sent;
    netif_tx_response_t sent = {0};
    netif_rx_response_t received = {0};

    connect_again(1);
    PROMISE(ring_front_put(&tx, &request, sizeof request));
    PROMISE(ring_front_put(&rx, &buffer, sizeof buffer));
    PROMISE(ring_front_publish(&tx) && ring_front_publish(&rx));
    wire.len = 100;
    wire.work = (struct offload){0};
    memset(wire.bytes, 0xff, 100);
    fake_notify();
    PROMISE(ring_front_take(&tx, &sent, sizeof sent) == 1);
    PROMISE(sent.id == 42 && sent.status == NETIF_RSP_OKAY);
    PROMISE(wire.nr_sent == before + 1);
    PROMISE(ring_front_take(&rx, &received, sizeof received) == 1);
    PROMISE(received.id == 7 && received.status == 100);
    fake_disconnect();
    PROMISE(!fake_dom.grants.nr_pinned);
    for (size_t i = 0; i < fake_dom.mem.nr_frames; i++)
        PROMISE(!fake_dom.mem.frames[i].refs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    if (!fake_dom.config)
        make_device();
    for (unsigned i = 0; i < NR_PAGES; i++)
        memset(fake_page(i), 0, PAGE_SIZE);
    connect_again(input_u8(&input));
    for (unsigned i = 0; i < MAX_ACTIONS && input_left(&input); i++)
        act(&input);
    expect_service();
    return 0;
}
