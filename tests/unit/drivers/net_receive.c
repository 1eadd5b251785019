/*
 * The network frontend and a backend that means well: what is received, and
 * when the backend goes and comes back.
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

TestSuite(net_receive, .init = vif_simple, .fini = vif_close);

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

Test(net_receive, hands_over_chains_of_buffers)
{
    const uint8_t *at = vif_memory;
    unsigned nr = 0;

    net_set_receiver(net, hold, &held);
    cr_assert(
        fake_net_deliver(vif_memory, 9000, 4096, NETRXF_data_validated, 0));
    net_poll(net);
    cr_assert_not_null(held);
    cr_expect_eq(held->total, 9000);
    cr_expect(held->verified && !held->partial && !held->gso_size);
    for (struct net_buffer *b = held; b; b = b->next, nr++) {
        cr_expect_arr_eq(b->data, at, b->len);
        at += b->len;
    }
    cr_expect_eq(at - vif_memory, 9000);
    cr_expect_eq(nr, 3);
    cr_expect_eq(posted(), 256, "replaced at once");
    release_held();
}

Test(net_receive, understands_what_is_said_beside_the_data)
{
    struct net_counters counters;
    struct net_buffer *large;

    net_set_receiver(net, hold, &held);
    cr_assert(
        fake_net_deliver(vif_memory, 6000, 4096, NETRXF_csum_blank, 1460));
    cr_assert(fake_net_deliver(vif_memory + 1, 60, 4096, 0, 0));
    net_poll(net);
    cr_assert_eq(nr_received, 2);
    cr_expect_eq(held->total, 60);
    cr_expect(!held->verified && !held->partial && !held->gso_size);
    cr_expect_arr_eq(held->data, vif_memory + 1, 60);
    large = (struct net_buffer *)(uintptr_t)held->room[0];
    cr_expect_eq(large->total, 6000);
    cr_expect(large->verified && large->partial);
    cr_expect_eq(large->gso_size, 1460);
    cr_expect_arr_eq(large->data, vif_memory, 4096);
    cr_expect_arr_eq(large->next->data, vif_memory + 4096, 6000 - 4096);
    release_held();
    net_get_counters(net, &counters);
    cr_expect_eq(counters.received_frames, 2);
    cr_expect_eq(counters.received_bytes, 6060);
}

Test(net_receive, drops_what_nobody_wants)
{
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert(fake_net_deliver(vif_memory, 5000, 2500, 0, 0));
        net_poll(net);
    }
    cr_expect_eq(posted(), 256);
}

static void batch(void *context)
{
    cr_expect_eq(context, &nr_batches);
    nr_batches++;
}

Test(net_receive, tells_the_end_of_a_batch)
{
    net_set_receiver(net, pass, NULL);
    net_set_batch(net, batch, &nr_batches);
    for (unsigned i = 0; i < 100; i++)
        cr_assert(fake_net_deliver(vif_memory, 60, 60, 0, 0));
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
Test(net_receive, runs_out_of_buffers_and_recovers)
{
    net_set_receiver(net, hold, &held);
    while (fake_net_deliver(vif_memory, 60, 60, 0, 0))
        net_poll(net);
    cr_expect_eq(nr_received, 1024);
    cr_expect_eq(posted(), 0);
    release_held();
    cr_expect_geq(posted(), 128);
    net_set_receiver(net, pass, NULL);
    cr_expect(fake_net_deliver(vif_memory, 60, 60, 0, 0));
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
Test(net_receive, finds_a_new_backend)
{
    struct net_packet lost = {0}, next = {0};

    net_set_receiver(net, hold, &held);
    cr_assert(fake_net_deliver(vif_memory, 60, 60, 0, 0));
    net_poll(net);
    fake_net.deaf = true;
    cr_assert_eq(vif_send(&lost, vif_memory, 60), 0);
    net_kick(net);
    fake_net.deaf = false;
    fake_net_leave();
    while (fake_net.nr_connects < 2)
        thread_sleep(1000);
    thread_sleep(1000);
    cr_expect_eq(vif_nr_done, 1);
    cr_expect_eq(vif_nr_failed, 1);
    cr_expect_arr_eq(held->data, vif_memory, 60);
    release_held();
    cr_assert_eq(vif_send(&next, vif_memory, 60), 0);
    net_kick(net);
    cr_expect(fake_net_deliver(vif_memory, 60, 60, 0, 0));
    net_poll(net);
    cr_expect_eq(vif_nr_done, 2);
    cr_expect_eq(vif_nr_failed, 1);
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

Test(net_receive, wakes_who_waits_when_the_device_is_taken_away)
{
    struct net_packet packets[256] = {0};
    struct net_info info;
    unsigned nr = 0;

    fake_net.deaf = fake_net.vanish = true;
    while (vif_send(&packets[nr], vif_memory, 60) == 0)
        nr++;
    thread_start(wait_room, NULL);
    thread_sleep(1000);
    cr_expect_eq(waited, 1, "there is no room");
    fake_net_leave();
    thread_sleep(1000000);
    cr_expect_eq(waited, -ENETDOWN);
    cr_expect_eq(vif_nr_failed, nr);
    cr_expect_eq(vif_send(&packets[0], vif_memory, 60), -ENETDOWN);
    net_get_info(net, &info);
    cr_expect_not(info.up);
}
