/* A network device against a frontend that is one of us. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_net.h"

TestSuite(net, .init = net_attach, .fini = net_detach);
TestSuite(net_unconnected, .init = net_make, .fini = net_detach);

#define DATA 64 /* the pages below are for rings and buffers */

Test(net, tells_the_frontend_what_it_can)
{
    cr_expect_str_eq(fake_back_key("feature-rx-copy"), "1");
    cr_expect_str_eq(fake_back_key("feature-sg"), "1");
    cr_expect_str_eq(fake_back_key("feature-gso-tcpv4"), "1");
    cr_expect_str_eq(fake_back_key("feature-split-event-channels"), "1");
    cr_expect_str_eq(fake_back_key("carrier"), "1");
    cr_expect_eq(strlen(fake_back_key("mac")), 17);
}

Test(net, sends_a_frame)
{
    const struct net_piece piece = {DATA, 100, 60};

    net_fill(&piece, 1);
    cr_expect_eq(net_send(&piece, 1, 0), NETIF_RSP_OKAY);
    cr_assert_eq(net_link.nr_sent, 1);
    cr_expect_eq(net_link.sent[0].len, 60);
    cr_expect(net_is_filled(net_link.sent[0].bytes, 60));
    cr_expect_not(net_link.sent[0].work.partial);
    cr_expect_geq(fake_raised, 1);
}

Test(net, sends_a_frame_in_pieces)
{
    const struct net_piece pieces[] = {
        {DATA, 4000, 96}, {DATA + 1, 0, 4096}, {DATA + 7, 1, 3}};

    net_fill(pieces, 3);
    cr_expect_eq(net_send(pieces, 3, 0), NETIF_RSP_OKAY);
    cr_assert_eq(net_link.nr_sent, 1);
    cr_expect_eq(net_link.sent[0].len, 96 + 4096 + 3);
    cr_expect(net_is_filled(net_link.sent[0].bytes, 96 + 4096 + 3));
}

Test(net, hands_over_no_part_that_the_copied_head_has_all_of)
{
    static const struct {
        struct net_piece pieces[3];
        unsigned nr, nr_parts;
    } packets[] = {
        {{{DATA, 0, 60}}, 1, 1},
        {{{DATA, 0, OFFLOAD_HEAD}}, 1, 1},
        {{{DATA, 0, OFFLOAD_HEAD + 1}}, 1, 2},
        {{{DATA, 0, 14}, {DATA + 1, 0, 40}, {DATA + 2, 0, 100}}, 3, 1},
        {{{DATA, 0, OFFLOAD_HEAD}, {DATA + 1, 0, 1}}, 2, 2},
        {{{DATA, 0, 14}, {DATA + 1, 0, 4096}, {DATA + 2, 0, 7}}, 3, 3},
        {{{DATA, 0, 14}, {DATA + 1, 0, OFFLOAD_HEAD - 14}, {DATA + 2, 0, 7}},
         3,
         2},
    };

    for (unsigned i = 0; i < sizeof packets / sizeof *packets; i++) {
        const struct net_sent *sent = &net_link.sent[i];
        size_t len = 0;

        for (unsigned j = 0; j < packets[i].nr; j++)
            len += packets[i].pieces[j].size;
        net_fill(packets[i].pieces, packets[i].nr);
        cr_expect_eq(net_send(packets[i].pieces, packets[i].nr, 0),
                     NETIF_RSP_OKAY);
        cr_assert_eq(net_link.nr_sent, i + 1);
        cr_expect_eq(sent->len, len, "packet %u", i);
        cr_expect(net_is_filled(sent->bytes, len), "packet %u", i);
        cr_expect_eq(sent->nr_parts, packets[i].nr_parts, "packet %u", i);
    }
}

Test(net, answers_every_slot_of_a_wrong_packet)
{
    static const struct {
        struct net_piece pieces[2];
        const char *what;
    } wrong[] = {
        {{{DATA, 4000, 97}, {DATA, 0, 60}}, "over the page"},
        {{{DATA, 0, 0}, {DATA, 0, 60}}, "nothing in the first"},
        {{{DATA, 0, 60}, {DATA, 0, 0}}, "nothing in the second"},
        {{{DATA, 0, 5}, {DATA, 0, 5}}, "less than a header"},
        {{{DATA, 0, 60}, {NET_NOT_GRANTED, 0, 60}}, "not granted"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_eq(net_send(wrong[i].pieces, 2, 0), NETIF_RSP_ERROR, "%s",
                     wrong[i].what);
        cr_expect_eq(net_nr_answered, 2, "%s", wrong[i].what);
    }
    cr_expect_eq(net_link.nr_sent, 0);
    cr_expect_eq(fake_failures, 0);
    /* and goes on */
    cr_expect_eq(net_send(&(struct net_piece){DATA, 0, 60}, 1, 0),
                 NETIF_RSP_OKAY);
}

Test(net, leaves_checksums_and_segments_to_a_link_that_does_them)
{
    const struct net_piece pieces[] = {{DATA, 0, 2000}, {DATA + 1, 0, 3000}};

    net_fill(pieces, 2);
    net_tcp_header(DATA, 0);
    net_gso = 1448;
    cr_expect_eq(net_send(pieces, 2, NETTXF_csum_blank), NETIF_RSP_OKAY);
    cr_expect_eq(net_nr_answered, 3, "the extra slot too");
    cr_assert_eq(net_link.nr_sent, 1);
    cr_expect(net_link.sent[0].work.partial);
    cr_expect_eq(net_link.sent[0].work.csum_start, 34);
    cr_expect_eq(net_link.sent[0].work.gso, OFFLOAD_GSO_TCPV4);
    cr_expect_eq(net_link.sent[0].work.gso_size, 1448);
    cr_expect_eq(net_link.sent[0].work.header_len, 54);
}

Test(net, finishes_checksums_for_a_link_that_does_not)
{
    const struct net_piece piece = {DATA, 0, 100};

    net_fill(&piece, 1);
    net_tcp_header(DATA, 0);
    net_link.link.takes_partial = net_link.link.takes_gso = false;
    cr_expect_eq(net_send(&piece, 1, NETTXF_csum_blank), NETIF_RSP_OKAY);
    cr_assert_eq(net_link.nr_sent, 1);
    cr_expect_not(net_link.sent[0].work.partial);
    cr_expect_neq(
        memcmp(net_link.sent[0].bytes + 50, (uint8_t *)fake_page(DATA) + 50, 2),
        0, "the checksum was filled in");
    cr_expect_arr_eq(net_link.sent[0].bytes + 54,
                     (uint8_t *)fake_page(DATA) + 54, 46);
    /* what it was told that nobody does */
    net_gso = 1448;
    cr_expect_eq(net_send(&piece, 1, NETTXF_csum_blank), NETIF_RSP_DROPPED);
}

Test(net, refuses_offloads_that_make_no_sense)
{
    const struct net_piece piece = {DATA, 0, 100};

    net_fill(&piece, 1); /* no IP at all */
    cr_expect_eq(net_send(&piece, 1, NETTXF_csum_blank), NETIF_RSP_ERROR);
    net_tcp_header(DATA, 0);
    net_gso = 1448;
    cr_expect_eq(net_send(&piece, 1, 0), NETIF_RSP_ERROR, "not blank");
    net_gso = 0;
    net_extra_type = XEN_NETIF_EXTRA_TYPE_MAX;
    cr_expect_eq(net_send(&piece, 1, 0), NETIF_RSP_ERROR, "unknown extra");
    cr_expect_eq(net_link.nr_sent, 0);
    net_extra_type = XEN_NETIF_EXTRA_TYPE_HASH;
    cr_expect_eq(net_send(&piece, 1, 0), NETIF_RSP_OKAY, "of no use");
}

Test(net, keeps_what_the_link_does_not_take_yet)
{
    const struct net_piece piece = {DATA, 0, 60};

    net_link.busy = true;
    cr_expect_eq(net_send(&piece, 1, 0), NET_NO_ANSWER);
    cr_expect_eq(net_link.nr_sent, 0);
    net_link.busy = false;
    fake_notify();
    cr_expect_eq(net_link.nr_sent, 1);
    cr_expect_eq(net_answer(), NETIF_RSP_OKAY);
}

static struct wait_source *link_source(void)
{
    return fake_dom.nets[0]->source;
}

/* What it had been given it sent, just when it could take no more: nothing of
 * that will make the guest or the link tell us. */
Test(net, tries_again_when_the_link_takes_more)
{
    const struct net_piece piece = {DATA, 0, 60};

    net_link.link.fd = 0; /* any: nobody polls it */
    net_link.busy = true;
    cr_expect_eq(net_send(&piece, 1, 0), NET_NO_ANSWER);
    cr_assert(link_source()->events & POLLOUT);
    net_link.busy = false;
    link_source()->ready(link_source()->context, POLLOUT);
    cr_expect_eq(net_answer(), NETIF_RSP_OKAY);
    cr_expect_eq(net_link.nr_sent, 1);
    cr_expect_not(link_source()->events & POLLOUT);
    net_link.link.fd = -1;
}

Test(net, gives_back_what_waits_for_a_link_that_goes_down)
{
    const struct net_piece piece = {DATA, 0, 60};

    net_link.busy = true;
    cr_expect_eq(net_send(&piece, 1, 0), NET_NO_ANSWER);
    net_link.busy = false;
    net_link.lost = true;
    net_link.link.up = false;
    link_source()->ready(link_source()->context, POLLIN | POLLHUP);
    cr_expect_eq(net_answer(), NETIF_RSP_DROPPED);
    cr_expect_str_eq(fake_back_key("carrier"), "0");
}

Test(net, drops_what_a_link_that_is_down_gets)
{
    net_link.lost = true;
    net_link.link.up = false;
    cr_expect_eq(net_send(&(struct net_piece){DATA, 0, 60}, 1, 0),
                 NETIF_RSP_DROPPED);
    cr_expect_str_eq(fake_back_key("carrier"), "0");
}

Test(net, receives_into_buffers_in_their_order)
{
    net_post(8);
    net_link_gives(60, 1, (struct offload){0});
    net_link_gives(1514, 2, (struct offload){.verified = true});
    fake_notify();
    cr_assert_eq(net_take_received(), 60);
    cr_expect_eq(net_received.slots, 1);
    cr_expect_eq(net_received.flags, 0);
    cr_assert_eq(net_take_received(), 1514);
    cr_expect_eq(net_received.flags, NETRXF_data_validated);
    cr_expect_eq(net_received.bytes[1513], 2);
    cr_expect_eq(net_take_received(), 0);
}

Test(net, receives_long_segments_over_several_buffers)
{
    net_post(8);
    net_link_gives(10000, 3,
                   (struct offload){.partial = true,
                                    .csum_start = 34,
                                    .csum_offset = 16,
                                    .gso = OFFLOAD_GSO_TCPV4,
                                    .gso_size = 1448});
    fake_notify();
    cr_assert_eq(net_take_received(), 10000);
    cr_expect_eq(net_received.slots, 4, "three of data, one of extra");
    cr_expect_eq(net_received.gso, 1448);
    cr_expect(net_received.flags & NETRXF_csum_blank);
    cr_expect_eq(net_received.bytes[9999], 3);
}

Test(net, waits_for_buffers_and_loses_nothing)
{
    net_post(1);
    net_link_gives(60, 1, (struct offload){0});
    net_link_gives(60, 2, (struct offload){0});
    net_link_gives(60, 3, (struct offload){0});
    fake_notify();
    cr_assert_eq(net_take_received(), 60);
    cr_expect_eq(net_take_received(), 0);
    cr_expect_eq(fake_dom.nets[0]->source->events & POLLIN, 0,
                 "no use in looking");
    net_post(2);
    fake_notify();
    cr_assert_eq(net_take_received(), 60);
    cr_expect_eq(net_received.bytes[20], 2);
    cr_assert_eq(net_take_received(), 60);
    cr_expect_eq(net_received.bytes[20], 3);
}

Test(net, answers_a_buffer_that_is_not_lent_with_an_error)
{
    net_post_ref(4000);
    net_link_gives(60, 1, (struct offload){0});
    fake_notify();
    cr_expect_eq(net_take_received(), NETIF_RSP_ERROR);
}

Test(net_unconnected, finishes_checksums_the_guest_cannot)
{
    uint8_t head[64] = {0};

    fake_front_key("feature-no-csum-offload", "1");
    fake_front_key("feature-ipv6-csum-offload", NULL);
    cr_assert_eq(net_connect(), 0);
    cr_expect_not(net_link.accepts_partial);
    net_post(2);
    net_link_gives(
        100, 0,
        (struct offload){.partial = true, .csum_start = 34, .csum_offset = 16});
    fake_notify();
    cr_assert_eq(net_take_received(), 100);
    cr_expect_eq(net_received.flags, NETRXF_data_validated);
    cr_expect_neq(memcmp(net_received.bytes + 50, head, 2), 0);
}

static const uint8_t tagged[] = {0x81, 0, 0, 5, 0x08, 0}; /* IPv4 */

/* As a frame's of a host's VLAN over a tap device. */
Test(net, finishes_checksums_behind_a_vlans_tag)
{
    uint8_t *coming = net_link.coming[0].bytes;

    net_post(2);
    net_link_gives(
        100, 0,
        (struct offload){.partial = true, .csum_start = 38, .csum_offset = 16});
    memcpy(coming + 12, tagged, sizeof tagged);
    coming[60] = 1; /* in the low half of a word: its sum is 1 << 8 */
    fake_notify();
    cr_assert_eq(net_take_received(), 100);
    cr_expect_eq(net_received.flags, NETRXF_data_validated);
    cr_expect_arr_eq(net_received.bytes + 12, tagged, sizeof tagged);
    cr_expect_arr_eq(net_received.bytes + 54, "\xfe\xff", 2);
}

Test(net, sends_behind_a_vlans_tag)
{
    const struct net_piece piece = {DATA, 0, 104};
    uint8_t *page = fake_page(DATA);

    net_link.link.takes_partial = false;
    net_tcp_header(DATA, 0);
    memmove(page + 16, page + 12, 100);
    memcpy(page + 12, tagged, 4);
    cr_expect_eq(net_send(&piece, 1, NETTXF_csum_blank), NETIF_RSP_OKAY);
    cr_expect_arr_eq(net_link.sent[0].bytes + 12, tagged, sizeof tagged);
    cr_expect_not(net_link.sent[0].work.partial);
    cr_expect_neq(net_link.sent[0].bytes[54] | net_link.sent[0].bytes[55], 0);
}

Test(net_unconnected, sends_no_long_frame_to_who_takes_one_buffer)
{
    fake_front_key("feature-sg", NULL);
    cr_assert_eq(net_connect(), 0);
    net_post(8);
    net_link_gives(5000, 1, (struct offload){0});
    net_link_gives(60, 2, (struct offload){0});
    fake_notify();
    cr_expect_eq(net_take_received(), 60);
    cr_expect_eq(fake_dom.nets[0]->received.dropped, 1);
}

Test(net_unconnected, has_split_event_channels)
{
    char port[8];

    snprintf(port, sizeof port, "%u", FAKE_PORT);
    fake_front_key("event-channel", NULL);
    fake_front_key("event-channel-tx", port);
    snprintf(port, sizeof port, "%u", FAKE_PORT + 1);
    fake_front_key("event-channel-rx", port);
    cr_assert_eq(net_connect(), 0);
    cr_expect_eq(net_send(&(struct net_piece){DATA, 0, 60}, 1, 0),
                 NETIF_RSP_OKAY);
    net_post(1);
    net_link_gives(60, 1, (struct offload){0});
    fake_notify_port(FAKE_PORT + 1);
    cr_expect_eq(net_take_received(), 60);
}

Test(net_unconnected, filters_multicast_frames_on_request)
{
    static const uint8_t group[] = {1, 0, 0x5e, 1, 2, 3};

    fake_front_key("request-multicast-control", "1");
    cr_assert_eq(net_connect(), 0);
    net_post(8);
    net_link_gives_to(group, 60);
    fake_notify();
    cr_expect_eq(net_take_received(), 0);
    cr_expect_eq(net_join(group, true), NETIF_RSP_OKAY);
    net_link_gives_to(group, 60);
    fake_notify();
    cr_expect_eq(net_take_received(), 60);
    cr_expect_eq(net_join(group, false), NETIF_RSP_OKAY);
    net_link_gives_to(group, 60);
    net_link_gives_to((const uint8_t[]){255, 255, 255, 255, 255, 255}, 61);
    fake_notify();
    cr_expect_eq(net_take_received(), 61, "but all is for all");
    cr_expect_eq(net_join((const uint8_t[]){2, 0, 0, 0, 0, 1}, true),
                 NETIF_RSP_ERROR);
    for (unsigned i = 0; i < NET_MAX_MULTICAST; i++)
        cr_expect_eq(
            net_join((const uint8_t[]){1, 0, 0x5e, 9, 9, (uint8_t)i}, true),
            NETIF_RSP_OKAY);
    cr_expect_eq(net_join(group, true), NETIF_RSP_ERROR, "one too many");
}

Test(net_unconnected, holds_to_its_rate)
{
    net_destroy_all(&fake_dom);
    fake_config.nets[0].rate_bytes = 1000;
    fake_config.nets[0].rate_us = 1000;
    net_make_device();
    cr_assert_eq(net_connect(), 0);
    for (unsigned i = 0; i < 10; i++)
        net_put(&(struct net_piece){DATA, 0, 500}, 1, 0);
    fake_notify();
    cr_expect_eq(net_link.nr_sent, 2);
    while (net_link.nr_sent < 10)
        fake_sleep(); /* the timer, each time for two more */
    for (unsigned i = 0; i < 10; i++)
        cr_expect_eq(net_answer(), NETIF_RSP_OKAY);
}

Test(net_unconnected, refuses_choices_that_cannot_be)
{
    static const struct {
        const char *key, *value;
    } wrong[] = {
        {"request-rx-copy", "0"},        {"request-rx-copy", NULL},
        {"tx-ring-ref", NULL},           {"tx-ring-ref", "4000"},
        {"rx-ring-ref", "99999999999"},  {"rx-ring-ref", "x"},
        {"event-channel", NULL},         {"event-channel", "88"},
        {"event-channel", "0"},          {"multi-queue-num-queues", "0"},
        {"multi-queue-num-queues", "9"}, {"multi-queue-num-queues", "2"},
        {"feature-sg", "yes"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const unsigned failures = fake_failures;

        net_write_keys();
        fake_front_key(wrong[i].key, wrong[i].value);
        cr_expect_neq(fake_connect(), 0, "%s", wrong[i].key);
        cr_expect_eq(fake_failures, failures + 1, "%s", wrong[i].key);
        cr_expect_not(fake_bound);
        cr_expect_eq(fake_dom.grants.nr_pinned, 0);
        fake_front_key(wrong[i].key, NULL);
    }
    net_write_keys();
    cr_expect_eq(net_connect(), 0);
}

/* All that breaks the protocol ends the connection, and only that. */
Test(net, gives_up_on_a_frontend_that_lies)
{
    for (unsigned lie = 0; lie < NET_NR_LIES; lie++) {
        net_tell_lie(lie);
        fake_notify();
        cr_expect_eq(fake_failures, lie + 1, "lie %u", lie);
        cr_expect_not(fake_bound, "lie %u", lie);
        cr_expect_eq(fake_dom.grants.nr_pinned, 0, "lie %u", lie);
        cr_assert_eq(net_connect(), 0, "lie %u", lie);
        cr_expect_eq(net_send(&(struct net_piece){DATA, 0, 60}, 1, 0),
                     NETIF_RSP_OKAY, "lie %u", lie);
    }
}

Test(net, lives_on_when_its_port_is_closed)
{
    fake_close_port();
    fake_disconnect();
    cr_expect_eq(net_connect(), 0);
    cr_expect_eq(net_send(&(struct net_piece){DATA, 0, 60}, 1, 0),
                 NETIF_RSP_OKAY);
}

Test(net, is_unplugged_by_its_number)
{
    static const char *const wrong[] = {"",   "1",  "00",
                                        "0 ", "-0", "4294967296"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(net_unplug(&fake_dom, wrong[i]), -ENOENT, "'%s'",
                     wrong[i]);
    cr_expect_str_eq(fake_back_key("online"), "");
    cr_expect_eq(net_unplug(&fake_dom, "0"), 0);
    cr_expect_str_eq(fake_back_key("online"), "0");
}
