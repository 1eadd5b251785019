#include "fake_net.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TX_PAGE     0
#define RX_PAGE     1
#define FIRST_POST  128
#define NR_POST     64
#define MAX_PENDING 32

struct net_fake_link net_link;
unsigned net_nr_answered;
uint16_t net_gso;
uint8_t net_extra_type;
struct net_received net_received;

static struct ring_front tx, rx;
static grant_ref_t refs[FAKE_PAGES]; /* by page; 0: not lent yet */
static uint16_t next_post;
static unsigned slots_of[MAX_PENDING], first_pending, nr_pending;

/* the link */

static int fake_send(struct link *link, const struct iovec *parts,
                     unsigned nr_parts, const struct offload *work)
{
    struct net_sent *sent = &net_link.sent[net_link.nr_sent % 16];

    (void)link;
    if (net_link.busy)
        return -EAGAIN;
    if (net_link.lost)
        return -EIO;
    cr_assert_leq(nr_parts, LINK_MAX_PARTS);
    sent->len = 0;
    sent->nr_parts = nr_parts;
    for (unsigned i = 0; i < nr_parts; i++) {
        cr_assert_gt(parts[i].iov_len, 0);
        memcpy(sent->bytes + sent->len, parts[i].iov_base, parts[i].iov_len);
        sent->len += parts[i].iov_len;
    }
    sent->work = *work;
    net_link.nr_sent++;
    return 0;
}

static void fake_flush(struct link *link)
{
    link->wants_out = false; /* all went out */
}

static ssize_t fake_receive(struct link *link, uint8_t **bytes,
                            struct offload *work)
{
    struct net_sent *coming = &net_link.coming[net_link.next_coming];

    (void)link;
    if (net_link.next_coming == net_link.nr_coming)
        return 0;
    net_link.next_coming++;
    *bytes = coming->bytes;
    *work = coming->work;
    return (ssize_t)coming->len;
}

static void fake_accept(struct link *link, bool partial, bool gso_tcpv4,
                        bool gso_tcpv6)
{
    (void)link;
    net_link.accepts_partial = partial;
    net_link.accepts_gso = gso_tcpv4 && gso_tcpv6;
}

static void fake_allow(const struct link *link, struct sandbox *sandbox)
{
    (void)link;
    (void)sandbox;
}

static void fake_close(struct link *link)
{
    link->fd = -1;
}

int link_open(const struct net_config *config, struct link **link)
{
    static const struct link_ops ops = {fake_send,   fake_flush, fake_receive,
                                        fake_accept, fake_allow, fake_close};

    memset(&net_link, 0, sizeof net_link);
    net_link.link = (struct link){
        .ops = &ops,
        .config = config,
        .fd = -1,
        .up = true,
        .takes_partial = true,
        .takes_gso = true,
    };
    *link = &net_link.link;
    return 0;
}

void link_close(struct link *link)
{
    if (link)
        link->ops->close(link);
}

/* the frontend */

static grant_ref_t lend(unsigned page)
{
    if (page >= FAKE_PAGES)
        return page;
    if (!refs[page])
        refs[page] = fake_grant(page, false);
    return refs[page];
}

void net_make_device(void)
{
    cr_assert_eq(net_create_all(&fake_dom), 0);
    cr_assert(fake_is_open);
}

void net_make(void)
{
    memset(refs, 0, sizeof refs);
    fake_config.nets[0] = (struct net_config){.kind = NET_USER};
    fake_config.nr_nets = 1;
    snprintf(fake_config.name, sizeof fake_config.name, "test");
    fake_domain_create(false);
    net_make_device();
    net_write_keys();
}

static void number_key(const char *key, unsigned value)
{
    char text[16];

    snprintf(text, sizeof text, "%u", value);
    fake_front_key(key, text);
}

void net_write_keys(void)
{
    number_key("tx-ring-ref", lend(TX_PAGE));
    number_key("rx-ring-ref", lend(RX_PAGE));
    number_key("event-channel", FAKE_PORT);
    number_key("request-rx-copy", 1);
    number_key("feature-rx-notify", 1);
    number_key("feature-sg", 1);
    number_key("feature-gso-tcpv4", 1);
    number_key("feature-gso-tcpv6", 1);
    number_key("feature-ipv6-csum-offload", 1);
}

int net_connect(void)
{
    memset(fake_page(TX_PAGE), 0, PAGE_SIZE);
    memset(fake_page(RX_PAGE), 0, PAGE_SIZE);
    ring_front_init(&tx, fake_page(TX_PAGE), PAGE_SIZE,
                    sizeof(netif_tx_request_t));
    ring_front_init(&rx, fake_page(RX_PAGE), PAGE_SIZE,
                    sizeof(netif_rx_request_t));
    next_post = 0;
    first_pending = nr_pending = 0;
    net_gso = 0;
    net_extra_type = 0;
    return fake_connect();
}

void net_attach(void)
{
    net_make();
    cr_assert_eq(net_connect(), 0);
}

void net_detach(void)
{
    net_destroy_all(&fake_dom);
    for (unsigned i = 0; i < FAKE_PAGES; i++)
        if (refs[i])
            cr_expect_eq(grant_withdraw(&fake_offers, refs[i]), 0);
    fake_domain_destroy();
}

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 7 + at / 256 + 2);
}

void net_fill(const struct net_piece *pieces, unsigned nr)
{
    size_t at = 0;

    for (unsigned i = 0; i < nr; i++)
        for (unsigned j = 0; j < pieces[i].size; j++)
            ((uint8_t *)fake_page(pieces[i].page))[pieces[i].offset + j] =
                pattern(at++);
}

bool net_is_filled(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != pattern(i))
            return false;
    return true;
}

void net_tcp_header(unsigned page, unsigned offset)
{
    static const uint8_t headers[] = {2,    0,  0,    0,    0, 1, 2,  0, 0,  0,
                                      0,    2,  0x08, 0x00, /* Ethernet */
                                      0x45, 0,  0,    86,   0, 0, 0,  0, 64, 6,
                                      0,    0,  10,   0,    0, 1, 10, 0, 0,  2,
                                      0,    80, 1,    2,    0, 0, 0,  1, 0,  0,
                                      0,    2,  0x50, 0x10, 1, 0, 0,  0, 0,  0};

    memcpy((uint8_t *)fake_page(page) + offset, headers, sizeof headers);
}

static void put_extra(void)
{
    struct netif_extra_info extra = {
        .type = net_extra_type ?: XEN_NETIF_EXTRA_TYPE_GSO,
        .u.gso.size = net_gso,
        .u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4,
    };

    cr_assert(ring_front_put(&tx, &extra, sizeof extra));
}

void net_put(const struct net_piece *pieces, unsigned nr, uint16_t flags)
{
    static uint16_t next_id = 1;
    const bool extra = net_gso || net_extra_type;
    unsigned total = 0;

    for (unsigned i = 0; i < nr; i++)
        total += pieces[i].size;
    for (unsigned i = 0; i < nr; i++) {
        netif_tx_request_t slot = {
            .gref = lend(pieces[i].page),
            .offset = pieces[i].offset,
            .flags = i ? 0 : flags,
            .id = next_id++,
            .size = (uint16_t)(i ? pieces[i].size : total),
        };

        if (i + 1 < nr)
            slot.flags |= NETTXF_more_data;
        if (i == 0 && extra)
            slot.flags |= NETTXF_extra_info;
        cr_assert(ring_front_put(&tx, &slot, sizeof slot));
        if (i == 0 && extra)
            put_extra();
    }
    slots_of[(first_pending + nr_pending++) % MAX_PENDING] = nr + extra;
    ring_front_publish(&tx);
}

int net_answer(void)
{
    const unsigned slots = slots_of[first_pending];
    int status = NET_NO_ANSWER;

    net_nr_answered = 0;
    for (unsigned i = 0; i < slots; i++) {
        netif_tx_response_t response;

        if (ring_front_take(&tx, &response, sizeof response) != 1)
            break;
        net_nr_answered++;
        if (response.status == NETIF_RSP_NULL)
            continue;
        if (status != NET_NO_ANSWER)
            cr_expect_eq(status, response.status);
        status = response.status;
    }
    if (net_nr_answered == slots) {
        first_pending = (first_pending + 1) % MAX_PENDING;
        nr_pending--;
    }
    ring_front_may_sleep(&tx);
    return status;
}

int net_send(const struct net_piece *pieces, unsigned nr, uint16_t flags)
{
    net_put(pieces, nr, flags);
    fake_notify();
    return net_answer();
}

int net_join(const uint8_t *group, bool join)
{
    netif_tx_request_t slot = {.flags = NETTXF_extra_info, .id = 77};
    struct netif_extra_info extra = {.type =
                                         join ? XEN_NETIF_EXTRA_TYPE_MCAST_ADD
                                              : XEN_NETIF_EXTRA_TYPE_MCAST_DEL};

    memcpy(extra.u.mcast.addr, group, 6);
    cr_assert(ring_front_put(&tx, &slot, sizeof slot));
    cr_assert(ring_front_put(&tx, &extra, sizeof extra));
    slots_of[(first_pending + nr_pending++) % MAX_PENDING] = 2;
    ring_front_publish(&tx);
    fake_notify();
    return net_answer();
}

void net_post_ref(grant_ref_t ref)
{
    const netif_rx_request_t request = {.id = next_post++, .gref = ref};

    cr_assert(ring_front_put(&rx, &request, sizeof request));
    ring_front_publish(&rx);
}

void net_post(unsigned nr)
{
    while (nr-- > 0)
        net_post_ref(lend(FIRST_POST + next_post % NR_POST));
}

void net_link_gives(size_t len, uint8_t value, struct offload work)
{
    struct net_sent *coming = &net_link.coming[net_link.nr_coming++];

    memset(coming->bytes, value, len);
    memset(coming->bytes, 2, 12); /* to somebody, not to many */
    coming->len = len;
    coming->work = work;
}

void net_link_gives_to(const uint8_t *mac, size_t len)
{
    net_link_gives(len, 0, (struct offload){0});
    memcpy(net_link.coming[net_link.nr_coming - 1].bytes, mac, 6);
}

/* One response, whose slot tells which buffer it is for. */
static bool take_slot(netif_rx_response_t *response, uint16_t *id)
{
    *id = (uint16_t)rx.rsp_cons;
    return ring_front_take(&rx, response, sizeof *response) == 1;
}

int net_take_received(void)
{
    netif_rx_response_t response;
    struct netif_extra_info extra;
    int len = 0;
    uint16_t id;

    ring_front_may_sleep(&rx);
    memset(&net_received, 0, sizeof net_received);
    do {
        if (!take_slot(&response, &id))
            return 0;
        cr_expect_eq(response.id, id, "in the slot of its request");
        if (response.status < 0)
            return response.status;
        if (net_received.slots++ == 0)
            net_received.flags = response.flags;
        memcpy(net_received.bytes + len,
               (uint8_t *)fake_page(FIRST_POST + id % NR_POST) +
                   response.offset,
               (size_t)response.status);
        len += response.status;
        if (!(response.flags & NETRXF_extra_info))
            continue;
        cr_assert_eq(ring_front_take(&rx, &extra, sizeof extra), 1);
        cr_expect_eq(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
        net_received.gso = extra.u.gso.size;
        net_received.slots++;
    } while (response.flags & NETRXF_more_data);
    return len;
}

static void lie_slot(uint16_t flags)
{
    const netif_tx_request_t slot = {
        .gref = lend(64), .flags = flags, .size = 1000};

    cr_assert(ring_front_put(&tx, &slot, sizeof slot));
}

void net_tell_lie(unsigned lie)
{
    const struct netif_extra_info more = {.type = XEN_NETIF_EXTRA_TYPE_GSO,
                                          .flags = XEN_NETIF_EXTRA_FLAG_MORE};
    struct ring_any_sring *shared;

    switch (lie) {
    case 0: /* more requests than slots */
        shared = fake_page(TX_PAGE);
        shared->req_prod += 1000;
        return;
    case 1:
        shared = fake_page(RX_PAGE);
        shared->req_prod += 1000;
        return;
    case 2: /* a chain without an end */
        for (unsigned i = 0; i < 40; i++)
            lie_slot(NETTXF_more_data);
        break;
    case 3: /* one that ends in the middle */
        lie_slot(NETTXF_more_data);
        break;
    case 4: /* extra information that is not there */
        lie_slot(NETTXF_extra_info);
        break;
    default: /* extra information without an end */
        lie_slot(NETTXF_extra_info);
        for (unsigned i = 0; i < 40; i++)
            cr_assert(ring_front_put(&tx, &more, sizeof more));
        break;
    }
    ring_front_publish(&tx);
}
