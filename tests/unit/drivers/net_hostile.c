/*
 * The network frontend and a backend that lies. What cannot be true ends the
 * connection, with everything under way reported lost and nothing leaked; a
 * frame that is merely bad is dropped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <pvguest/thread.h>

#include "fake_guest.h"
#include "fake_net.h"
#include "fake_store.h"
#include "vif_fixture.h"

static uint8_t frame[8192];
static unsigned nr_done, nr_failed, nr_received;

static void receive(struct net_buffer *buffer, void *context)
{
    (void)context;
    nr_received++;
    net_release(net, buffer);
}

static void connected(void)
{
    vif_simple();
    net_set_receiver(net, receive, NULL);
}

TestSuite(net_hostile, .init = connected, .fini = vif_close);
TestSuite(net_kept, .init = connected); /* closed by the test */

static void done(struct net_packet *packet, int status)
{
    (void)packet;
    nr_done++;
    nr_failed += status != 0;
}

static const struct net_piece whole = {frame, 60};

/* A frame that the backend took and did not answer. */
static void send_unanswered(struct net_packet *packet)
{
    *packet =
        (struct net_packet){.pieces = &whole, .nr_pieces = 1, .done = done};
    fake_net.deaf = true;
    cr_assert_eq(net_send(net, packet), 0);
    net_kick(net);
    fake_net.deaf = false;
}

static void expect_broken(void)
{
    struct net_packet packet = {
        .pieces = &whole,
        .nr_pieces = 1,
        .done = done,
    };

    net_poll(net);
    thread_sleep(1000000);
    cr_expect_eq(net_send(net, &packet), -ENETDOWN);
    cr_expect_not_null(fake_store_read("error/" FAKE_VIF "/error"));
    cr_expect_not(net_poll(net));
}

static void expect_alive(void)
{
    const unsigned before = nr_received;

    cr_assert(fake_net_deliver(frame, 60, 60, 0, 0));
    net_poll(net);
    cr_expect_eq(nr_received, before + 1);
}

/* what was sent */

Test(net_hostile, survives_ids_beyond_the_table)
{
    struct net_packet packet;

    send_unanswered(&packet);
    fake_net_respond(UINT16_MAX, NETIF_RSP_OKAY);
    expect_broken();
    cr_expect_eq(nr_failed, 1);
}

Test(net_hostile, survives_ids_not_outstanding)
{
    struct net_packet packet;

    send_unanswered(&packet);
    fake_net_respond(fake_net.last_id ^ 1, NETIF_RSP_OKAY);
    expect_broken();
    cr_expect_eq(nr_done, 1);
    cr_expect_eq(nr_failed, 1);
}

Test(net_hostile, survives_double_responses)
{
    struct net_packet packets[2];
    uint16_t first;

    send_unanswered(&packets[0]);
    first = fake_net.last_id;
    send_unanswered(&packets[1]);
    fake_net_respond(first, NETIF_RSP_OKAY);
    fake_net_respond(first, NETIF_RSP_OKAY);
    expect_broken();
    cr_expect_eq(nr_done, 2);
    cr_expect_eq(nr_failed, 1, "the second alone is lost");
}

Test(net_hostile, survives_counters_of_what_was_not_sent)
{
    struct net_packet packet;

    send_unanswered(&packet);
    fake_net.queues[0].tx.rsp_prod += 1000;
    fake_net_respond(fake_net.last_id, NETIF_RSP_OKAY);
    expect_broken();
    cr_expect_eq(nr_failed, 1);
}

Test(net_hostile, survives_counters_that_go_back)
{
    struct net_packet packet;

    send_unanswered(&packet);
    fake_net.queues[0].tx.rsp_prod -= 2;
    fake_net_respond(fake_net.last_id, NETIF_RSP_OKAY);
    expect_broken();
    cr_expect_eq(nr_failed, 1);
}

/* What is ours to send stays with it if it does not let go of it. */
Test(net_kept, is_not_held_up_by_pages_kept)
{
    struct net_packet packet = {
        .pieces = &whole,
        .nr_pieces = 1,
        .done = done,
    };

    fake_net.keep = true;
    cr_assert_eq(net_send(net, &packet), 0);
    net_kick(net);
    net_poll(net);
    cr_expect_eq(nr_done, 1);
    net_close(net);
    cr_expect_eq(fake_grants(), 1, "the page it kept, and no other");
    cr_expect_eq(fake.pages_used, 0);
}

/* what was received */

static uint16_t take(void)
{
    netif_rx_request_t request;

    cr_assert(fake_net_take(&request));
    return request.id;
}

Test(net_hostile, survives_buffers_in_wrong_slots)
{
    fake_net_answer(take() ^ 1, 0, 0, 60);
    fake_net_push();
    expect_broken();
    cr_expect_eq(nr_received, 0);
}

Test(net_hostile, survives_counters_of_buffers_not_posted)
{
    fake_net.queues[0].rx.rsp_prod += 1000;
    fake_net_push();
    expect_broken();
}

Test(net_hostile, survives_frames_without_an_end)
{
    for (unsigned i = 0; i < 256; i++)
        fake_net_answer(take(), 0, NETRXF_more_data, 60);
    fake_net_push();
    expect_broken();
    cr_expect_eq(nr_received, 0);
}

Test(net_hostile, survives_half_frames)
{
    fake_net_answer(take(), 0, NETRXF_more_data, 60);
    fake_net_push();
    expect_broken();
    cr_expect_eq(nr_received, 0);
}

Test(net_hostile, survives_extra_information_without_an_end)
{
    fake_net_answer(take(), 0, NETRXF_extra_info, 60);
    for (unsigned i = 1; i < 256; i++) {
        take();
        fake_net_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE, 1);
    }
    fake_net_push();
    expect_broken();
    cr_expect_eq(nr_received, 0);
}

Test(net_hostile, skips_extra_information_it_does_not_know)
{
    fake_net_answer(take(), 0, NETRXF_extra_info, 60);
    take();
    fake_net_extra(0xee, XEN_NETIF_EXTRA_FLAG_MORE, 0xffff);
    take();
    fake_net_extra(0, 0, 0);
    fake_net_push();
    net_poll(net);
    cr_expect_eq(nr_received, 1);
    expect_alive();
}

Test(net_hostile, drops_frames_of_impossible_sizes)
{
    static const struct {
        uint16_t offset;
        int status;
    } cases[] = {{0, 0},          {0, -1},   {0, INT16_MIN},
                 {0, 4097},       {4095, 2}, {4096, 1},
                 {UINT16_MAX, 1}, {1, 4096}, {0, INT16_MAX}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_net_answer(take(), cases[i].offset, 0, cases[i].status);
        fake_net_push();
        net_poll(net);
        cr_expect_eq(nr_received, i, "case %zu was taken", i);
        expect_alive();
    }
}

Test(net_hostile, drops_the_whole_of_a_frame_with_one_bad_part)
{
    fake_net_answer(take(), 0, NETRXF_more_data, 60);
    fake_net_answer(take(), 0, NETRXF_more_data, -1);
    fake_net_answer(take(), 0, 0, 60);
    fake_net_push();
    net_poll(net);
    cr_expect_eq(nr_received, 0);
    expect_alive();
}

/* Else it could write to a frame while we read it. */
Test(net_kept, takes_no_buffer_that_is_still_written_to)
{
    netif_rx_request_t request;

    cr_assert(fake_net_take(&request));
    cr_assert_not_null(fake_map(request.gref, true));
    fake_net_answer(request.id, 0, 0, 60);
    fake_net_push();
    net_poll(net);
    cr_expect_eq(nr_received, 0);
    expect_alive();
    net_close(net);
    cr_expect_eq(fake_grants(), 1, "the page it kept, and no other");
    cr_expect_eq(fake.pages_used, 1);
}
