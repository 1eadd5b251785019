/*
 * The control ring of a network device with two queues: what a guest may say
 * about its frames, what it may not, and where they go then.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_net.h"

#define CTRL_PORT (FAKE_PORT + 2)

enum page { TX_0, RX_0, TX_1, RX_1, CTRL, DATA, NR };

/* The key and sums that RSS's authors published, to be tried by. */
static const uint8_t key[NET_HASH_KEY_SIZE] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
    0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
    0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
    0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static const uint8_t tcp4[] = {
    2,    0,   0,   0,   0,    1,    2,    0,    0,    0,    0, 2, 0x08, 0x00,
    0x45, 0,   0,   40,  0,    0,    0x40, 0,    64,   6,    0, 0, 66,   9,
    149,  187, 161, 142, 100,  80,   0x0a, 0xea, 0x06, 0xe6, 0, 0, 0,    0,
    0,    0,   0,   0,   0x50, 0x10, 0,    0,    0,    0,    0, 0};
#define SUM_TCP4 0x51ccc178u
#define SUM_IPV4 0x323e8fc2u

static const uint8_t tcp6[] = {
    2, 0, 0, 0, 0, 1, 2,  0,    0,    0,    0,    2,    0x86, 0xdd, 0x60,
    0, 0, 0, 0, 4, 6, 64, 0x3f, 0xfe, 0x25, 0x01, 0x02, 0,    0x1f, 0xff,
    0, 0, 0, 0, 0, 0, 0,  7,    0x3f, 0xfe, 0x25, 0x01, 0x02, 0,    0,
    3, 0, 0, 0, 0, 0, 0,  0,    1,    0x0a, 0xea, 0x06, 0xe6};
#define SUM_TCP6 0x40207d3du
#define SUM_IPV6 0x2cc18cd5u

static struct ring_front ctrl;
static grant_ref_t refs[NR];
static struct xen_netif_ctrl_response answer;

static void number_key(const char *name, unsigned value)
{
    char text[16];

    snprintf(text, sizeof text, "%u", value);
    fake_front_key(name, text);
}

static void make(void)
{
    net_make();
    for (unsigned i = 0; i < NR; i++) {
        memset(fake_page(i), 0, PAGE_SIZE);
        refs[i] = fake_grant(i, false);
    }
    number_key("multi-queue-num-queues", 2);
    number_key("queue-0/tx-ring-ref", refs[TX_0]);
    number_key("queue-0/rx-ring-ref", refs[RX_0]);
    number_key("queue-0/event-channel", FAKE_PORT);
    number_key("queue-1/tx-ring-ref", refs[TX_1]);
    number_key("queue-1/rx-ring-ref", refs[RX_1]);
    number_key("queue-1/event-channel", FAKE_PORT + 1);
    number_key("ctrl-ring-ref", refs[CTRL]);
    number_key("event-channel-ctrl", CTRL_PORT);
    ring_front_init(&ctrl, fake_page(CTRL), PAGE_SIZE,
                    sizeof(struct xen_netif_ctrl_request));
    for (unsigned i = 0; i < CTRL; i++) { /* they are empty */
        struct ring_front ring;

        ring_front_init(&ring, fake_page(i), PAGE_SIZE, 8);
    }
}

static void attach(void)
{
    make();
    cr_assert_eq(fake_connect(), 0);
}

static void detach(void)
{
    net_destroy_all(&fake_dom);
    for (unsigned i = 0; i < NR; i++)
        cr_expect_eq(grant_withdraw(&fake_offers, refs[i]), 0);
    fake_domain_destroy();
}

TestSuite(net_ctrl, .init = attach, .fini = detach);
TestSuite(net_ctrl_unconnected, .init = make, .fini = detach);

static void put(uint16_t type, uint32_t a, uint32_t b, uint32_t c)
{
    const struct xen_netif_ctrl_request request = {
        .id = (uint16_t)(type + 100), .type = type, .data = {a, b, c}};

    cr_assert(ring_front_put(&ctrl, &request, sizeof request));
}

static uint32_t ask(uint16_t type, uint32_t a, uint32_t b, uint32_t c)
{
    put(type, a, b, c);
    ring_front_publish(&ctrl);
    fake_notify_port(CTRL_PORT);
    cr_assert_eq(ring_front_take(&ctrl, &answer, sizeof answer), 1);
    cr_expect_eq(answer.id, type + 100);
    cr_expect_eq(answer.type, type);
    return answer.status;
}

#define SUCCESS  XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID  XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define OVERFLOW XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
#define NO       XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED

static void use_toeplitz(uint32_t types)
{
    memcpy(fake_page(DATA), key, sizeof key);
    cr_assert_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
                     XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, 0, 0),
                 SUCCESS);
    cr_assert_eq(
        ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, refs[DATA], sizeof key, 0),
        SUCCESS);
    cr_assert_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, types, 0, 0), SUCCESS);
}

static unsigned queue_of(const uint8_t *frame, size_t len)
{
    struct netdev *dev = fake_dom.nets[0];

    return (unsigned)(net_hash_queue(dev, frame, len) - dev->queues);
}

/* Entry (i) of the mapping leads to queue 1, all others to 0. */
static void map_only(uint32_t i, uint32_t size)
{
    uint32_t *mapping = fake_page(DATA);

    memset(mapping, 0, PAGE_SIZE);
    mapping[i] = 1;
    cr_assert_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, size, 0, 0),
                 SUCCESS);
    cr_assert_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, refs[DATA], size, 0),
                 SUCCESS);
}

/* That its sum is (sum): of all entries, one leads to the other queue. */
static void expect_sum(const uint8_t *frame, size_t len, uint32_t sum)
{
    map_only(sum % 128, 128);
    cr_expect_eq(queue_of(frame, len), 1, "sum %x", sum);
    map_only((sum + 1) % 128, 128);
    cr_expect_eq(queue_of(frame, len), 0, "sum %x", sum);
    map_only(sum % 127, 127);
    cr_expect_eq(queue_of(frame, len), 1, "sum %x", sum);
    map_only((sum + 1) % 127, 127);
    cr_expect_eq(queue_of(frame, len), 0, "sum %x", sum);
}

Test(net_ctrl, sums_as_published)
{
    cr_expect_eq(net_hash_toeplitz(key, tcp4 + 26, 8), SUM_IPV4);
    cr_expect_eq(net_hash_toeplitz(key, tcp4 + 26, 12), SUM_TCP4);
    cr_expect_eq(net_hash_toeplitz(key, tcp6 + 22, 32), SUM_IPV6);
    cr_expect_eq(net_hash_toeplitz(key, tcp6 + 22, 36), SUM_TCP6);
}

Test(net_ctrl, spreads_by_the_greatest_type)
{
    use_toeplitz(
        XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP |
        XEN_NETIF_CTRL_HASH_TYPE_IPV6 | XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP);
    expect_sum(tcp4, sizeof tcp4, SUM_TCP4);
    expect_sum(tcp6, sizeof tcp6, SUM_TCP6);
}

Test(net_ctrl, spreads_by_addresses_alone)
{
    uint8_t fragment[sizeof tcp4];

    use_toeplitz(XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV6);
    expect_sum(tcp4, sizeof tcp4, SUM_IPV4);
    expect_sum(tcp6, sizeof tcp6, SUM_IPV6);
    use_toeplitz(XEN_NETIF_CTRL_HASH_TYPE_IPV4 |
                 XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP);
    memcpy(fragment, tcp4, sizeof tcp4);
    fragment[20] = 0x20; /* more fragments follow */
    expect_sum(fragment, sizeof fragment, SUM_IPV4);
    fragment[20] = 0;
    fragment[21] = 1;
    expect_sum(fragment, sizeof fragment, SUM_IPV4);
    fragment[21] = 0;
    fragment[23] = 17; /* UDP */
    expect_sum(fragment, sizeof fragment, SUM_IPV4);
}

Test(net_ctrl, looks_behind_a_vlans_tag)
{
    uint8_t tagged[sizeof tcp4 + 4] = {0};

    memcpy(tagged, tcp4, 12);
    tagged[12] = 0x81;
    tagged[15] = 5;
    memcpy(tagged + 16, tcp4 + 12, sizeof tcp4 - 12);
    use_toeplitz(XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP);
    expect_sum(tagged, sizeof tagged, SUM_TCP4);
}

Test(net_ctrl, takes_the_remainder_without_a_mapping)
{
    use_toeplitz(XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP);
    map_only(0, 1);
    cr_assert_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 0, 0, 0),
                 SUCCESS);
    cr_expect_eq(queue_of(tcp6, sizeof tcp6), SUM_TCP6 % 2);
    use_toeplitz(XEN_NETIF_CTRL_HASH_TYPE_IPV6);
    cr_expect_eq(queue_of(tcp6, sizeof tcp6), SUM_IPV6 % 2);
}

/* Lengths that headers do not have, in a frame whose end a sanitizer knows. */
Test(net_ctrl, survives_cut_frames)
{
    use_toeplitz(XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP |
                 XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP);
    for (size_t len = FRAME_MIN; len <= sizeof tcp4; len++) {
        uint8_t *cut = malloc(len);

        memcpy(cut, tcp4, len);
        cr_expect_lt(queue_of(cut, len), 2);
        if (len > 14)
            cut[14] = 0x4f; /* options */
        cr_expect_lt(queue_of(cut, len), 2);
        memcpy(cut, tcp6, len);
        cr_expect_lt(queue_of(cut, len), 2);
        free(cut);
    }
}

Test(net_ctrl, tells_what_it_can)
{
    cr_expect_str_eq(fake_back_key("feature-ctrl-ring"), "1");
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0), NO,
                 "of no algorithm");
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 1, 0, 0), INVALID);
    use_toeplitz(0);
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0), SUCCESS);
    cr_expect_eq(answer.data, 15);
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0),
                 SUCCESS);
    cr_expect_eq(answer.data, 128);
    for (uint16_t type = 8; type < 12; type++)
        cr_expect_eq(ask(type, 0, refs[DATA], 1), NO);
    cr_expect_eq(ask(0, 0, 0, 0), NO);
}

Test(net_ctrl, refuses_what_makes_no_sense)
{
    uint32_t *mapping = fake_page(DATA);

    use_toeplitz(0);
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 2, 0, 0), INVALID);
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 16, 0, 0), INVALID);
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, refs[DATA], 41, 0),
                 OVERFLOW);
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 4000, 40, 0), INVALID);
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 129, 0, 0),
                 INVALID);
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 128, 0, 0),
                 SUCCESS);
    memset(mapping, 0, PAGE_SIZE);
    for (unsigned i = 0; i < 4; i++) {
        static const uint32_t wrong[][2] = {
            {129, 0}, {1, 128}, {2, 0xffffffff}, {0xffffffff, 2}};

        cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, refs[DATA],
                         wrong[i][0], wrong[i][1]),
                     INVALID);
    }
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, 4000, 1, 0),
                 INVALID);
    mapping[0] = 1;
    mapping[1] = 2; /* there is no such queue */
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, refs[DATA], 2, 0),
                 INVALID);
    cr_expect_eq(fake_dom.nets[0]->hash.mapping[0], 0, "all or none");
}

Test(net_ctrl, forgets_the_key_behind_a_shorter_one)
{
    use_toeplitz(XEN_NETIF_CTRL_HASH_TYPE_IPV4);
    cr_expect_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 4000, 0, 0), SUCCESS,
                 "nothing is read");
    expect_sum(tcp4, sizeof tcp4, 0);
}

Test(net_ctrl, serves_many_and_lives_without)
{
    for (unsigned i = 0; i < ctrl.nr_slots; i++)
        put(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
    ring_front_publish(&ctrl);
    fake_notify_port(CTRL_PORT);
    for (unsigned i = 0; i < 64; i++)
        cr_assert_eq(ring_front_take(&ctrl, &answer, sizeof answer), 1);
    cr_expect_eq(ring_front_take(&ctrl, &answer, sizeof answer), 0);
    fake_dom.nets[0]->source->ready(fake_dom.nets[0], POLLOUT);
    for (unsigned i = 64; i < ctrl.nr_slots; i++)
        cr_assert_eq(ring_front_take(&ctrl, &answer, sizeof answer), 1);
    fake_disconnect();
    fake_front_key("ctrl-ring-ref", NULL);
    cr_assert_eq(fake_connect(), 0);
    cr_expect_not(fake_dom.nets[0]->hash.toeplitz);
}

Test(net_ctrl, gives_up_on_counters_that_lie)
{
    struct ring_any_sring *shared = fake_page(CTRL);

    shared->req_prod += 1000;
    fake_notify_port(CTRL_PORT);
    cr_expect_eq(fake_failures, 1);
}

Test(net_ctrl_unconnected, needs_its_page_and_its_port)
{
    number_key("ctrl-ring-ref", 4000);
    cr_expect_lt(fake_connect(), 0);
    number_key("ctrl-ring-ref", refs[CTRL]);
    fake_front_key("event-channel-ctrl", NULL);
    cr_expect_lt(fake_connect(), 0);
    number_key("event-channel-ctrl", FAKE_PORT + FAKE_NR_PORTS);
    cr_expect_lt(fake_connect(), 0);
    cr_expect_eq(fake_failures, 3);
}
