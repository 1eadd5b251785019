/*
 * A guest that lies to its network backend: sizes, places, chains that never
 * end, counters, pages that are not lent or taken back. Its first device is
 * spoken to by hand; then its second one, an honest one, sends a frame, and it
 * says "survived". What the host made of it is looked at by
 * tests/system/netliars.py.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/io/netif.h>
#include <xen/io/xenbus.h>

#include <pvdrivers/net.h>
#include <pvguest/event.h>
#include <pvguest/grant.h>
#include <pvguest/page.h>
#include <pvguest/store.h>
#include <pvguest/thread.h>
#include <ring/front.h>

#define DEVICE    "device/vif/0"
#define BACKEND   "/local/domain/0/backend/vif/1/0/state"
#define LOOKS     2000
#define NR_SLOTS  256u
#define NR_PAGES  8
#define NOT_LENT  60000u
#define NOT_THERE 0xfffffff0u

static struct ring_front tx, rx, ctrl;
static uint32_t *tx_counters, *rx_counters; /* req_prod, req_event, ... */
static uint32_t *ctrl_counters;
static uint8_t *pages;
static grant_ref_t refs[NR_PAGES];
static evtchn_port_t port, ctrl_port;
static unsigned nr_okay, nr_error, nr_other;

static void on_event(evtchn_port_t from, void *context)
{
    (void)from;
    (void)context;
}

static uint64_t state(void)
{
    uint64_t value = 0;

    store_read_u64(STORE_NO_TX, BACKEND, &value);
    return value;
}

static bool await(uint64_t wanted)
{
    for (unsigned i = 0; i < LOOKS; i++) {
        if (state() == wanted)
            return true;
        thread_sleep(1000000);
    }
    return false;
}

static void write_key(const char *key, uint32_t value)
{
    char path[64];

    snprintf(path, sizeof path, DEVICE "/%s", key);
    store_printf(STORE_NO_TX, path, "%u", value);
}

static grant_ref_t make_ring(struct ring_front *ring, uint32_t **counters,
                             size_t slot_size)
{
    void *page = page_alloc_zeroed(1);

    ring_front_init(ring, page, 4096, slot_size);
    *counters = page;
    return (grant_ref_t)guest_grant(0, page, false);
}

static void prepare(void)
{
    pages = page_alloc_zeroed(NR_PAGES);
    for (unsigned i = 0; i < NR_PAGES; i++)
        refs[i] = (grant_ref_t)guest_grant(0, pages + i * 4096, false);
    write_key("tx-ring-ref",
              make_ring(&tx, &tx_counters, sizeof(netif_tx_request_t)));
    write_key("rx-ring-ref",
              make_ring(&rx, &rx_counters, sizeof(netif_rx_response_t)));
    event_alloc_unbound(0, on_event, NULL, &port);
    write_key("event-channel", port);
    write_key("ctrl-ring-ref",
              make_ring(&ctrl, &ctrl_counters,
                        sizeof(struct xen_netif_ctrl_request)));
    event_alloc_unbound(0, on_event, NULL, &ctrl_port);
    write_key("event-channel-ctrl", ctrl_port);
    write_key("request-rx-copy", 1);
    write_key("feature-sg", 1);
}

static bool connect_device(void)
{
    write_key("state", XenbusStateConnected);
    return await(XenbusStateConnected);
}

static void put(grant_ref_t ref, uint16_t offset, uint16_t size, uint16_t flags)
{
    const netif_tx_request_t request = {
        .gref = ref, .offset = offset, .size = size, .flags = flags};

    ring_front_put(&tx, &request, sizeof request);
}

static void put_extra(uint8_t type, uint8_t flags)
{
    const struct netif_extra_info extra = {.type = type, .flags = flags};

    ring_front_put(&tx, &extra, sizeof extra);
}

static void tell(void)
{
    netif_tx_response_t response;

    ring_front_publish(&tx);
    ring_front_publish(&rx);
    event_send(port);
    thread_sleep(2000000);
    while (ring_front_take(&tx, &response, sizeof response) == 1) {
        nr_okay += response.status == NETIF_RSP_OKAY;
        nr_error += response.status == NETIF_RSP_ERROR;
        nr_other += response.status != NETIF_RSP_OKAY &&
                    response.status != NETIF_RSP_ERROR;
    }
}

/* The lies, each on a connected device. */

static void wrong_packets(void)
{
    put(refs[0], 0, 65535, 0);
    put(refs[0], 0, 13, 0);
    put(refs[0], 0, 0, 0);
    put(refs[0], 4000, 97, 0);
    put(refs[0], 65535, 60, 0);
    put(NOT_LENT, 0, 60, 0);
    put(NOT_THERE, 0, 60, 0);
    put(refs[0], 0, 60, NETTXF_csum_blank); /* of what? */
    tell();
    put(refs[0], 0, 100, NETTXF_more_data); /* the parts are more */
    put(refs[1], 0, 200, 0);
    put(refs[0], 0, 100, NETTXF_extra_info);
    put_extra(77, 0);
    put(refs[0], 0, 100, NETTXF_extra_info);
    put_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0);
    tell();
    put(refs[0], 0, 60, 0); /* the truth */
    tell();
}

static void taken_back(void)
{
    for (unsigned i = 0; i < 50; i++) {
        const grant_ref_t ref = (grant_ref_t)guest_grant(0, pages + 4096, true);

        put(ref, 0, 60, 0);
        if (i % 2)
            guest_grant_end(ref);
        tell();
    }
}

static void many_slots(void)
{
    for (unsigned i = 0; i < NR_SLOTS; i++)
        put(refs[0], 0, 60, NETTXF_more_data);
    tell();
}

static void many_extras(void)
{
    put(refs[0], 0, 60, NETTXF_extra_info);
    for (unsigned i = 1; i < NR_SLOTS; i++)
        put_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE);
    tell();
}

static void half_a_packet(void)
{
    put(refs[0], 0, 200, NETTXF_more_data);
    tell();
}

static void half_an_extra(void)
{
    put(refs[0], 0, 60, NETTXF_extra_info);
    tell();
}

static void rewound(void)
{
    put(refs[0], 0, 60, 0);
    tell();
    *tx_counters = tx.req_prod - 1;
    event_send(port);
}

static void far_ahead(void)
{
    *tx_counters = tx.req_prod + NR_SLOTS + 1;
    event_send(port);
}

static void receive_rewound(void)
{
    *rx_counters = rx.req_prod - 1;
    event_send(port);
}

/* The wire brings frames meanwhile; then the buffers cannot be written to. */
static void wrong_buffers(void)
{
    const grant_ref_t readonly = (grant_ref_t)guest_grant(0, pages, true);
    const grant_ref_t wrong[] = {NOT_LENT, NOT_THERE, readonly, NOT_LENT + 1};

    for (uint16_t i = 0; i < 64; i++) {
        const netif_rx_request_t request = {.id = i, .gref = wrong[i % 4]};

        ring_front_put(&rx, &request, sizeof request);
    }
    tell();
    puts("send");
    fflush(stdout);
    for (unsigned i = 0; i < LOOKS && rx.rsp_cons < 8; i++) {
        netif_rx_response_t response;

        while (ring_front_take(&rx, &response, sizeof response) == 1)
            nr_error += response.status < 0;
        thread_sleep(1000000);
    }
}

static void ask(uint16_t type, uint32_t a, uint32_t b, uint32_t c)
{
    const struct xen_netif_ctrl_request request = {.type = type,
                                                   .data = {a, b, c}};
    struct xen_netif_ctrl_response response;

    ring_front_put(&ctrl, &request, sizeof request);
    ring_front_publish(&ctrl);
    event_send(ctrl_port);
    thread_sleep(2000000);
    while (ring_front_take(&ctrl, &response, sizeof response) == 1) {
        nr_okay += response.status == XEN_NETIF_CTRL_STATUS_SUCCESS;
        nr_error += response.status != XEN_NETIF_CTRL_STATUS_SUCCESS;
    }
}

static void wrong_wishes(void)
{
    memset(pages, 0xff, 4096);
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 77, 0, 0);
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, ~0u, 0, 0);
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, refs[0], 4096, 0);
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, NOT_LENT, 40, 0);
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, NOT_THERE, 40, 0);
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, ~0u, 0, 0);
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, refs[0], 1, 0);
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 128, 0, 0); /* the truth */
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, refs[0], 1, 0);
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, refs[0], 2, ~0u);
    ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, NOT_LENT, 1, 0);
    ask(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, refs[0], 512);
    ask(4711, 1, 2, 3);
}

static void wishes_rewound(void)
{
    ask(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
    *ctrl_counters = ctrl.req_prod - 1;
    event_send(ctrl_port);
}

static void port_closed(void)
{
    event_close(port);
    put(refs[0], 0, 60, 0);
    ring_front_publish(&tx);
}

static const struct {
    const char *name;
    void (*lie)(void);
} lies[] = {
    {"wrong-packets", wrong_packets},
    {"taken-back", taken_back},
    {"many-slots", many_slots},
    {"many-extras", many_extras},
    {"half-a-packet", half_a_packet},
    {"half-an-extra", half_an_extra},
    {"rewound", rewound},
    {"far-ahead", far_ahead},
    {"receive-rewound", receive_rewound},
    {"wrong-buffers", wrong_buffers},
    {"wrong-wishes", wrong_wishes},
    {"wishes-rewound", wishes_rewound},
    {"port-closed", port_closed},
};

static void sent(struct net_packet *packet, int status)
{
    *(int *)packet->context = status ? status : 1;
}

/* The other device does what it should. */
static bool second_works(void)
{
    struct net *net = net_open(1);
    uint8_t *frame = page_alloc_zeroed(1);
    const struct net_piece piece = {frame, 60};
    int done = 0;
    struct net_packet packet = {
        .pieces = &piece, .nr_pieces = 1, .done = sent, .context = &done};

    if (!net)
        return false;
    memset(frame, 0xff, 14);
    if (net_send(net, &packet))
        return false;
    while (!done) {
        net_wait_room(net);
        thread_yield();
    }
    return done == 1;
}

int main(int argc, char **argv)
{
    prepare();
    if (argc == 4 && !strcmp(argv[1], "key")) { /* a wrong one: never */
        write_key(argv[2], (uint32_t)strtoul(argv[3], NULL, 0));
        write_key("state", XenbusStateConnected);
        if (!await(XenbusStateClosing))
            puts("it was not refused");
    } else if (!connect_device()) {
        puts("it does not connect");
        return 1;
    }
    for (size_t i = 0; argc == 2 && i < sizeof lies / sizeof *lies; i++)
        if (!strcmp(argv[1], lies[i].name))
            lies[i].lie();
    thread_sleep(5000000);
    printf("okay %u, error %u, other %u, state %u\n", nr_okay, nr_error,
           nr_other, (unsigned)state());
    if (!second_works())
        return 1;
    puts("survived");
    return 0;
}
