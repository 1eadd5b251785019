/*
 * The network frontend and a backend that means well: the handshake, and what
 * is sent. Every test ends with nothing lent and no page lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <pvguest/thread.h>

#include "fake_guest.h"
#include "fake_net.h"
#include "fake_store.h"
#include "vif_fixture.h"

TestSuite(net, .init = vif_simple, .fini = vif_close);
/* Opened by the test. */
TestSuite(net_made, .init = vif_backend, .fini = vif_close);
TestSuite(net_refused, .init = vif_backend, .fini = vif_nothing_lost);

/* handshake */

Test(net, tells_what_the_backend_offers)
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

Test(net, asks_for_what_it_can_take)
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

Test(net, is_opened_once)
{
    cr_expect_null(net_open(0));
    cr_expect_null(net_open(1), "there is none");
}

Test(net_made, believes_no_mtu_out_of_range)
{
    static const struct {
        const char *said;
        unsigned mtu;
    } cases[] = {{"68", 68},  {"9000", 9000},  {"65521", 65521}, {"67", 1500},
                 {"0", 1500}, {"65522", 1500}, {"many", 1500},   {"", 1500}};
    struct net_info info;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_store_write(FAKE_VIF "/mtu", cases[i].said);
        vif_open();
        net_get_info(net, &info);
        cr_expect_eq(info.mtu, cases[i].mtu, "%s: %u", cases[i].said, info.mtu);
        if (i + 1 < sizeof cases / sizeof *cases)
            net_close(net);
    }
}

Test(net_refused, takes_no_address_that_is_none)
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

Test(net_refused, needs_a_backend_that_copies)
{
    fake_net.no_copy = true;
    fake_net_start();
    cr_expect_null(net_open(0));
}

Test(net_refused, gives_up_on_a_backend_that_always_refuses)
{
    fake_net.refuse = true;
    fake_net_start();
    cr_expect_null(net_open(0));
    cr_expect_eq(fake_net.nr_connects, 4);
}

Test(net_refused, says_when_nothing_can_be_lent)
{
    fake.grant_limit = 1; /* one ring of two */
    fake_net_start();
    cr_expect_null(net_open(0));
    cr_expect_eq(fake_net.nr_connects, 0);
}

/* sending */

Test(net, sends_pieces_page_by_page)
{
    const struct net_piece pieces[] = {
        {vif_memory + 4090, 14}, /* over the end of a page */
        {vif_memory + 100, 0},
        {vif_memory + 3 * 4096 + 1, 8000},
        {vif_memory + 50, 1},
    };
    struct net_packet packet = {0};
    uint8_t *at = fake_net.frame;

    cr_assert_eq(vif_send_pieces(&packet, pieces, 4), 0);
    cr_expect_eq(fake_net.nr_frames, 0, "sent before the kick");
    net_kick(net);
    cr_assert_eq(fake_net.nr_frames, 1);
    cr_expect_eq(fake_net.nr_slots, 2 + 2 + 1);
    cr_expect_eq(fake_net.frame_len, 14 + 8000 + 1);
    cr_expect_eq(fake_net.frame_flags, NETTXF_more_data);
    for (unsigned i = 0; i < 4; at += pieces[i++].len)
        cr_expect_eq(memcmp(at, pieces[i].data, pieces[i].len), 0, "%u", i);
    cr_expect_eq(vif_nr_done, 0, "not on the sender's stack");
    cr_expect(net_poll(net));
    cr_expect_eq(vif_nr_done, 1);
    cr_expect_eq(vif_nr_failed, 0);
}

Test(net, leaves_checksums_and_segments_to_the_backend)
{
    struct net_packet packet = {.partial = true};

    cr_assert_eq(vif_send(&packet, vif_memory, 60), 0);
    net_kick(net);
    cr_expect_eq(fake_net.frame_flags,
                 NETTXF_csum_blank | NETTXF_data_validated);
    net_poll(net);
    packet.gso = NET_GSO_TCPV6;
    packet.gso_size = 1440;
    cr_assert_eq(vif_send(&packet, vif_memory, 60000), 0);
    net_kick(net);
    cr_expect_eq(fake_net.frame_flags,
                 NETTXF_csum_blank | NETTXF_data_validated | NETTXF_extra_info |
                     NETTXF_more_data);
    cr_expect_eq(fake_net.gso_size, 1440);
    cr_expect_eq(fake_net.gso_type, XEN_NETIF_GSO_TYPE_TCPV6);
    cr_expect_eq(fake_net.frame_len, 60000);
    cr_expect_arr_eq(fake_net.frame, vif_memory, 60000);
    net_poll(net);
    cr_expect_eq(vif_nr_done, 2);
}

Test(net, refuses_what_no_backend_takes)
{
    struct net_piece pieces[NET_MAX_PIECES + 1];
    struct net_packet packet = {0};

    for (unsigned i = 0; i <= NET_MAX_PIECES; i++)
        pieces[i] = (struct net_piece){vif_memory + i, 1};
    cr_expect_eq(vif_send_pieces(&packet, pieces, 0), -EMSGSIZE);
    cr_expect_eq(vif_send_pieces(&packet, pieces, NET_MAX_PIECES + 1),
                 -EMSGSIZE);
    cr_expect_eq(vif_send(&packet, vif_memory, 0), -EMSGSIZE);
    cr_expect_eq(vif_send(&packet, vif_memory, 65536), -EMSGSIZE);
    cr_expect_eq(vif_send(&packet, vif_memory, UINT32_MAX), -EMSGSIZE);
    packet.gso = NET_GSO_TCPV4;
    packet.gso_size = 1460;
    cr_expect_eq(vif_send(&packet, vif_memory, 6000), -EINVAL, "not partial");
    packet.partial = true;
    packet.gso_size = 0;
    cr_expect_eq(vif_send(&packet, vif_memory, 6000), -EINVAL, "no size");
    cr_expect_eq(vif_nr_done, 0);
    packet = (struct net_packet){0};
    cr_expect_eq(vif_send_pieces(&packet, pieces, NET_MAX_PIECES), 0);
    cr_expect_eq(vif_send(&packet, vif_memory, 65535), 0);
    net_kick(net);
    cr_expect_eq(fake_net.nr_frames, 2);
    cr_expect_eq(fake_net.frame_len, 65535);
    net_poll(net);
}

Test(net_made, asks_for_no_offload_that_was_not_offered)
{
    struct net_packet packet = {
        .partial = true,
        .gso = NET_GSO_TCPV4,
        .gso_size = 1460,
    };
    struct net_info info;

    fake_net.no_offloads = true;
    vif_open();
    net_get_info(net, &info);
    cr_expect_not(info.checksum_ipv4 || info.checksum_ipv6);
    cr_expect_not(info.segment_ipv4 || info.segment_ipv6);
    cr_expect_eq(vif_send(&packet, vif_memory, 6000), -EINVAL);
}

/*
 * More frames than slots.
 *
 * Given a backend that is slow,
 * when frames are queued until there is no room and none was published,
 * then all went with one notification, and waiting makes room for more.
 */
Test(net, waits_for_a_full_ring)
{
    static struct net_packet packets[257];
    struct net_counters counters;
    unsigned nr = 0;
    int rc;

    fake_net.nr_notified = 0;
    fake_net.late = true;
    while ((rc = vif_send(&packets[nr], vif_memory + nr, 64)) == 0)
        cr_assert_lt(++nr, 257);
    cr_expect_eq(rc, -EAGAIN);
    cr_expect_eq(nr, 255, "but one slot for extra information: %u", nr);
    cr_expect_eq(fake_net.nr_notified, 1);
    net_get_counters(net, &counters);
    cr_expect_eq(counters.sending, 255);
    cr_expect_eq(counters.sent_frames, 255);
    cr_expect_eq(counters.sent_bytes, 255 * 64);
    cr_expect_eq(net_wait_room(net), 0);
    cr_expect_eq(vif_nr_done, 255);
    cr_expect_eq(vif_send(&packets[255], vif_memory, 64), 0);
    net_kick(net);
    cr_expect_eq(net_wait_room(net), 0);
}

Test(net, sends_nothing_when_not_all_can_be_lent)
{
    struct net_packet packet = {0};
    const unsigned lent = fake_grants();

    fake.grant_limit = lent + 2;
    cr_expect_eq(vif_send(&packet, vif_memory, 3 * 4096), -EAGAIN);
    cr_expect_eq(fake_grants(), lent);
    net_kick(net);
    cr_expect_eq(fake_net.nr_frames, 0);
    cr_expect_eq(vif_send(&packet, vif_memory, 2 * 4096), 0);
    net_kick(net);
    cr_expect_eq(fake_net.nr_frames, 1);
    net_poll(net);
    cr_expect_eq(vif_nr_done, 1);
}

Test(net, says_what_became_of_a_frame)
{
    struct net_packet bad = {0}, good = {0};

    fake_net.status = NETIF_RSP_ERROR;
    cr_expect_eq(vif_send(&bad, vif_memory, 3 * 4096), 0);
    net_kick(net);
    fake_net.status = NETIF_RSP_OKAY;
    cr_expect_eq(vif_send(&good, vif_memory, 3 * 4096), 0);
    net_kick(net);
    net_poll(net);
    cr_expect_eq(vif_nr_done, 2, "each once");
    cr_expect_eq(vif_nr_failed, 1);
}
