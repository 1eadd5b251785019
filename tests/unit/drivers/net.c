/*
 * The network frontend and a backend that means well. Every test ends with
 * nothing lent and no page lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <pvdrivers/net.h>
#include <pvguest/thread.h>

#include "fake_guest.h"
#include "fake_net.h"
#include "fake_store.h"

static struct net *net;
static uint8_t *memory; /* five pages of bytes that differ */

static void backend(void)
{
    fake_guest_init();
    fake_store_init();
    fake_net_init();
    memory = aligned_alloc(4096, 20 * 4096);
    for (unsigned i = 0; i < 20 * 4096; i++)
        memory[i] = (uint8_t)(i / 4096 * 7 + i);
}

static void opened(void)
{
    fake_net_start();
    net = net_open(0);
    cr_assert_not_null(net);
}

static void simple(void)
{
    backend();
    opened();
}

static void nothing_lost(void)
{
    cr_expect_eq(fake_grants(), 0, "%u pages still lent", fake_grants());
    cr_expect_eq(fake.pages_used, 0, "%ld pages lost", fake.pages_used);
    free(memory);
}

static void closed(void)
{
    net_close(net);
    nothing_lost();
}

TestSuite(net, .init = simple);
TestSuite(net_made, .init = backend); /* as the test says */
TestSuite(net_refused, .init = backend);

/* handshake */

TEST_ENDING(net, tells_what_the_backend_offers, closed)
{
    static const uint8_t mac[] = {0x00, 0x16, 0x3e, 0x0a, 0x0b, 0xff};
    struct net_info info;

    net_get_info(net, &info);
    cr_expect_arr_eq(info.mac, mac, sizeof mac);
    cr_expect_eq(info.mtu, 1500);
    cr_expect(info.up && info.checksum_ipv4 && info.checksum_ipv6);
    cr_expect(info.segment_ipv4 && info.segment_ipv6);
    fake_store_write(FAKE_VIF_BACK "/carrier", "0");
    net_get_info(net, &info);
    cr_expect_not(info.up);
}

TEST_ENDING(net, asks_for_what_it_can_take, closed)
{
    static const char *const keys[] = {
        "feature-sg",
        "feature-gso-tcpv4",
        "feature-gso-tcpv6",
        "feature-ipv6-csum-offload",
    };
    char path[64];

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        snprintf(path, sizeof path, FAKE_VIF "/%s", keys[i]);
        cr_expect_str_eq(fake_store_read(path), "1", "%s", keys[i]);
    }
}

TEST_ENDING(net, is_opened_once, closed)
{
    cr_expect_null(net_open(0));
    cr_expect_null(net_open(1), "there is none");
}

TEST_ENDING(net_made, believes_no_mtu_out_of_range, closed)
{
    static const struct {
        const char *said;
        unsigned mtu;
    } cases[] = {{"68", 68},  {"9000", 9000},  {"65521", 65521}, {"67", 1500},
                 {"0", 1500}, {"65522", 1500}, {"many", 1500},   {"", 1500}};
    struct net_info info;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_store_write(FAKE_VIF "/mtu", cases[i].said);
        opened();
        net_get_info(net, &info);
        cr_expect_eq(info.mtu, cases[i].mtu, "%s: %u", cases[i].said, info.mtu);
        if (i + 1 < sizeof cases / sizeof *cases)
            net_close(net);
    }
}

TEST_ENDING(net_refused, takes_no_address_that_is_none, nothing_lost)
{
    static const char *const macs[] = {
        "",
        "00:16:3e:00:00",
        "00:16:3e:00:00:00:00",
        "00:16:3e:00:00:000",
        "00-16-3e-00-00-00",
        "00:16:3e::00:00",
        "00:16:3e:00:00:0g",
    };

    for (size_t i = 0; i < sizeof macs / sizeof *macs; i++) {
        fake_store_write(FAKE_VIF "/mac", macs[i]);
        fake_net_start();
        cr_expect_null(net_open(0), "\"%s\" was taken", macs[i]);
    }
}

TEST_ENDING(net_refused, needs_a_backend_that_copies, nothing_lost)
{
    fake_net.no_copy = true;
    fake_net_start();
    cr_expect_null(net_open(0));
}

TEST_ENDING(net_refused, gives_up_on_a_backend_that_always_refuses,
            nothing_lost)
{
    fake_net.refuse = true;
    fake_net_start();
    cr_expect_null(net_open(0));
    cr_expect_eq(fake_net.nr_connects, 4);
}

TEST_ENDING(net_refused, says_when_nothing_can_be_lent, nothing_lost)
{
    fake.grant_limit = 1; /* one ring of two */
    fake_net_start();
    cr_expect_null(net_open(0));
    cr_expect_eq(fake_net.nr_connects, 0);
}

/* sending */

static unsigned nr_done, nr_failed;

static void done(struct net_packet *packet, int status)
{
    (void)packet;
    nr_done++;
    nr_failed += status != 0;
}

static int send_pieces(struct net_packet *packet,
                       const struct net_piece *pieces, unsigned nr)
{
    packet->pieces = pieces;
    packet->nr_pieces = nr;
    packet->done = done;
    return net_send(net, packet);
}

/* A frame of one piece. */
static int send_bytes(struct net_packet *packet, const void *data, uint32_t len)
{
    const struct net_piece piece = {data, len};

    return send_pieces(packet, &piece, 1);
}

TEST_ENDING(net, sends_pieces_page_by_page, closed)
{
    const struct net_piece pieces[] = {
        {memory + 4090, 14}, /* over the end of a page */
        {memory + 100, 0},
        {memory + 3 * 4096 + 1, 8000},
        {memory + 50, 1},
    };
    struct net_packet packet = {0};
    uint8_t *at = fake_net.frame;

    cr_assert_eq(send_pieces(&packet, pieces, 4), 0);
    cr_expect_eq(fake_net.nr_frames, 0, "sent before the kick");
    net_kick(net);
    cr_assert_eq(fake_net.nr_frames, 1);
    cr_expect_eq(fake_net.nr_slots, 2 + 2 + 1);
    cr_expect_eq(fake_net.frame_len, 14 + 8000 + 1);
    cr_expect_eq(fake_net.frame_flags, NETTXF_more_data);
    for (unsigned i = 0; i < 4; at += pieces[i++].len)
        cr_expect_eq(memcmp(at, pieces[i].data, pieces[i].len), 0, "%u", i);
    cr_expect_eq(nr_done, 0, "not on the sender's stack");
    cr_expect(net_poll(net));
    cr_expect_eq(nr_done, 1);
    cr_expect_eq(nr_failed, 0);
}

TEST_ENDING(net, leaves_checksums_and_segments_to_the_backend, closed)
{
    struct net_packet packet = {.partial = true};

    cr_assert_eq(send_bytes(&packet, memory, 60), 0);
    net_kick(net);
    cr_expect_eq(fake_net.frame_flags,
                 NETTXF_csum_blank | NETTXF_data_validated);
    net_poll(net);
    packet.gso = NET_GSO_TCPV6;
    packet.gso_size = 1440;
    cr_assert_eq(send_bytes(&packet, memory, 60000), 0);
    net_kick(net);
    cr_expect_eq(fake_net.frame_flags,
                 NETTXF_csum_blank | NETTXF_data_validated | NETTXF_extra_info |
                     NETTXF_more_data);
    cr_expect_eq(fake_net.gso_size, 1440);
    cr_expect_eq(fake_net.gso_type, XEN_NETIF_GSO_TYPE_TCPV6);
    cr_expect_eq(fake_net.frame_len, 60000);
    cr_expect_arr_eq(fake_net.frame, memory, 60000);
    net_poll(net);
    cr_expect_eq(nr_done, 2);
}

TEST_ENDING(net, refuses_what_no_backend_takes, closed)
{
    struct net_piece pieces[NET_MAX_PIECES + 1];
    struct net_packet packet = {0};

    for (unsigned i = 0; i <= NET_MAX_PIECES; i++)
        pieces[i] = (struct net_piece){memory + i, 1};
    cr_expect_eq(send_pieces(&packet, pieces, 0), -EMSGSIZE);
    cr_expect_eq(send_pieces(&packet, pieces, NET_MAX_PIECES + 1), -EMSGSIZE);
    cr_expect_eq(send_bytes(&packet, memory, 0), -EMSGSIZE);
    cr_expect_eq(send_bytes(&packet, memory, 65536), -EMSGSIZE);
    cr_expect_eq(send_bytes(&packet, memory, UINT32_MAX), -EMSGSIZE);
    packet.gso = NET_GSO_TCPV4;
    packet.gso_size = 1460;
    cr_expect_eq(send_bytes(&packet, memory, 6000), -EINVAL, "not partial");
    packet.partial = true;
    packet.gso_size = 0;
    cr_expect_eq(send_bytes(&packet, memory, 6000), -EINVAL, "no size");
    cr_expect_eq(nr_done, 0);
    packet = (struct net_packet){0};
    cr_expect_eq(send_pieces(&packet, pieces, NET_MAX_PIECES), 0);
    cr_expect_eq(send_bytes(&packet, memory, 65535), 0);
    net_kick(net);
    cr_expect_eq(fake_net.nr_frames, 2);
    cr_expect_eq(fake_net.frame_len, 65535);
    net_poll(net);
}

TEST_ENDING(net_made, asks_for_no_offload_that_was_not_offered, closed)
{
    struct net_packet packet = {
        .partial = true,
        .gso = NET_GSO_TCPV4,
        .gso_size = 1460,
    };
    struct net_info info;

    fake_net.no_offloads = true;
    opened();
    net_get_info(net, &info);
    cr_expect_not(info.checksum_ipv4 || info.checksum_ipv6);
    cr_expect_not(info.segment_ipv4 || info.segment_ipv6);
    cr_expect_eq(send_bytes(&packet, memory, 6000), -EINVAL);
}

/*
 * More frames than slots.
 *
 * Given a backend that is slow,
 * when frames are queued until there is no room and none was published,
 * then all went with one notification, and waiting makes room for more.
 */
TEST_ENDING(net, waits_for_a_full_ring, closed)
{
    static struct net_packet packets[257];
    struct net_counters counters;
    unsigned nr = 0;
    int rc;

    fake_net.nr_notified = 0;
    fake_net.late = true;
    while ((rc = send_bytes(&packets[nr], memory + nr, 64)) == 0)
        cr_assert_lt(++nr, 257);
    cr_expect_eq(rc, -EAGAIN);
    cr_expect_eq(nr, 255, "but one slot for extra information: %u", nr);
    cr_expect_eq(fake_net.nr_notified, 1);
    net_get_counters(net, &counters);
    cr_expect_eq(counters.sending, 255);
    cr_expect_eq(counters.sent_frames, 255);
    cr_expect_eq(counters.sent_bytes, 255 * 64);
    cr_expect_eq(net_wait_room(net), 0);
    cr_expect_eq(nr_done, 255);
    cr_expect_eq(send_bytes(&packets[255], memory, 64), 0);
    net_kick(net);
    cr_expect_eq(net_wait_room(net), 0);
}

TEST_ENDING(net, sends_nothing_when_not_all_can_be_lent, closed)
{
    struct net_packet packet = {0};
    const unsigned lent = fake_grants();

    fake.grant_limit = lent + 2;
    cr_expect_eq(send_bytes(&packet, memory, 3 * 4096), -EAGAIN);
    cr_expect_eq(fake_grants(), lent);
    net_kick(net);
    cr_expect_eq(fake_net.nr_frames, 0);
    cr_expect_eq(send_bytes(&packet, memory, 2 * 4096), 0);
    net_kick(net);
    cr_expect_eq(fake_net.nr_frames, 1);
    net_poll(net);
    cr_expect_eq(nr_done, 1);
}

TEST_ENDING(net, says_what_became_of_a_frame, closed)
{
    struct net_packet bad = {0}, good = {0};

    fake_net.status = NETIF_RSP_ERROR;
    cr_expect_eq(send_bytes(&bad, memory, 3 * 4096), 0);
    net_kick(net);
    fake_net.status = NETIF_RSP_OKAY;
    cr_expect_eq(send_bytes(&good, memory, 3 * 4096), 0);
    net_kick(net);
    net_poll(net);
    cr_expect_eq(nr_done, 2, "each once");
    cr_expect_eq(nr_failed, 1);
}

/* receiving */

static struct net_buffer *held;
static unsigned nr_received, nr_batches;

static void hold(struct net_buffer *frame, void *context)
{
    cr_expect_eq(context, &held);
    nr_received++;
    frame->room[0] = (uintptr_t)held;
    held = frame;
}

static void pass(struct net_buffer *frame, void *context)
{
    (void)context;
    nr_received++;
    net_release(net, frame);
}

static void release_held(void)
{
    while (held) {
        struct net_buffer *frame = held;

        held = (struct net_buffer *)(uintptr_t)frame->room[0];
        net_release(net, frame);
    }
}

static unsigned posted(void)
{
    struct net_counters counters;

    net_get_counters(net, &counters);
    return counters.posted;
}

TEST_ENDING(net, hands_over_chains_of_buffers, closed)
{
    const uint8_t *at = memory;
    unsigned nr = 0;

    net_set_receiver(net, hold, &held);
    cr_assert(fake_net_deliver(memory, 9000, 4096, NETRXF_data_validated, 0));
    net_poll(net);
    cr_assert_not_null(held);
    cr_expect_eq(held->total, 9000);
    cr_expect(held->verified && !held->partial && !held->gso_size);
    for (struct net_buffer *b = held; b; b = b->next, nr++) {
        cr_expect_arr_eq(b->data, at, b->len);
        at += b->len;
    }
    cr_expect_eq(at - memory, 9000);
    cr_expect_eq(nr, 3);
    cr_expect_eq(posted(), 256, "replaced at once");
    release_held();
}

TEST_ENDING(net, understands_what_is_said_beside_the_data, closed)
{
    struct net_counters counters;
    struct net_buffer *large;

    net_set_receiver(net, hold, &held);
    cr_assert(fake_net_deliver(memory, 6000, 4096, NETRXF_csum_blank, 1460));
    cr_assert(fake_net_deliver(memory + 1, 60, 4096, 0, 0));
    net_poll(net);
    cr_assert_eq(nr_received, 2);
    cr_expect_eq(held->total, 60);
    cr_expect(!held->verified && !held->partial && !held->gso_size);
    cr_expect_arr_eq(held->data, memory + 1, 60);
    large = (struct net_buffer *)(uintptr_t)held->room[0];
    cr_expect_eq(large->total, 6000);
    cr_expect(large->verified && large->partial);
    cr_expect_eq(large->gso_size, 1460);
    cr_expect_arr_eq(large->data, memory, 4096);
    cr_expect_arr_eq(large->next->data, memory + 4096, 6000 - 4096);
    release_held();
    net_get_counters(net, &counters);
    cr_expect_eq(counters.received_frames, 2);
    cr_expect_eq(counters.received_bytes, 6060);
}

TEST_ENDING(net, drops_what_nobody_wants, closed)
{
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert(fake_net_deliver(memory, 5000, 2500, 0, 0));
        net_poll(net);
    }
    cr_expect_eq(posted(), 256);
}

static void batch(void *context)
{
    cr_expect_eq(context, &nr_batches);
    nr_batches++;
}

TEST_ENDING(net, tells_the_end_of_a_batch, closed)
{
    net_set_receiver(net, pass, NULL);
    net_set_batch(net, batch, &nr_batches);
    for (unsigned i = 0; i < 100; i++)
        cr_assert(fake_net_deliver(memory, 60, 60, 0, 0));
    thread_sleep(1000); /* the event comes */
    cr_expect_eq(nr_received, 100);
    cr_expect_eq(nr_batches, 1);
    cr_expect_not(net_poll(net));
    cr_expect_eq(nr_batches, 1);
}

/*
 * A receiver that holds everything.
 *
 * Given all the buffers there may be with the receiver,
 * when it gives them back,
 * then the ring is full of them again.
 */
TEST_ENDING(net, runs_out_of_buffers_and_recovers, closed)
{
    net_set_receiver(net, hold, &held);
    while (fake_net_deliver(memory, 60, 60, 0, 0))
        net_poll(net);
    cr_expect_eq(nr_received, 1024);
    cr_expect_eq(posted(), 0);
    release_held();
    cr_expect_geq(posted(), 128);
    net_set_receiver(net, pass, NULL);
    cr_expect(fake_net_deliver(memory, 60, 60, 0, 0));
    net_poll(net);
    cr_expect_eq(nr_received, 1025);
}

/* going and coming back */

/*
 * A backend goes and comes back.
 *
 * Given a frame that the backend took and did not answer, and one it gave us,
 * when it leaves in an orderly way and another takes its place,
 * then the first is reported lost, the second is still ours, and both ways
 * work again.
 */
TEST_ENDING(net, finds_a_new_backend, closed)
{
    struct net_packet lost = {0}, next = {0};

    net_set_receiver(net, hold, &held);
    cr_assert(fake_net_deliver(memory, 60, 60, 0, 0));
    net_poll(net);
    fake_net.deaf = true;
    cr_assert_eq(send_bytes(&lost, memory, 60), 0);
    net_kick(net);
    fake_net.deaf = false;
    fake_net_leave();
    while (fake_net.nr_connects < 2)
        thread_sleep(1000);
    thread_sleep(1000);
    cr_expect_eq(nr_done, 1);
    cr_expect_eq(nr_failed, 1);
    cr_expect_arr_eq(held->data, memory, 60);
    release_held();
    cr_assert_eq(send_bytes(&next, memory, 60), 0);
    net_kick(net);
    cr_expect(fake_net_deliver(memory, 60, 60, 0, 0));
    net_poll(net);
    cr_expect_eq(nr_done, 2);
    cr_expect_eq(nr_failed, 1);
    cr_expect_eq(nr_received, 2);
    cr_expect_eq(posted(), 256);
    release_held();
}

static int waited = 1;

static void wait_room(void *arg)
{
    (void)arg;
    waited = net_wait_room(net);
}

TEST_ENDING(net, wakes_who_waits_when_the_device_is_taken_away, closed)
{
    struct net_packet packets[256] = {0};
    struct net_info info;
    unsigned nr = 0;

    fake_net.deaf = fake_net.vanish = true;
    while (send_bytes(&packets[nr], memory, 60) == 0)
        nr++;
    thread_start(wait_room, NULL);
    thread_sleep(1000);
    cr_expect_eq(waited, 1, "there is no room");
    fake_net_leave();
    thread_sleep(1000000);
    cr_expect_eq(waited, -ENETDOWN);
    cr_expect_eq(nr_failed, nr);
    cr_expect_eq(send_bytes(&packets[0], memory, 60), -ENETDOWN);
    net_get_info(net, &info);
    cr_expect_not(info.up);
}
