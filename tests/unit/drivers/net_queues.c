/*
 * The network frontend with several queues: how many, what goes through which,
 * and the end of all of them.
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

static uint8_t frame[64];
static unsigned nr_done, nr_failed, nr_received;

static void receive(struct net_buffer *buffer, void *context)
{
    (void)context;
    nr_received++;
    net_release(net, buffer);
}

static void opened(unsigned vcpus, unsigned offered)
{
    fake.vcpus = vcpus;
    fake_net.max_queues = offered;
    vif_open();
    net_set_receiver(net, receive, NULL);
}

static void two(void)
{
    vif_backend();
    opened(2, 8);
}

TestSuite(net_queues, .init = two, .fini = vif_close);
/* Opened by the test. */
TestSuite(net_queues_made, .init = vif_backend, .fini = vif_close);

static struct net_counters counters(void)
{
    struct net_counters now;

    net_get_counters(net, &now);
    return now;
}

static void done(struct net_packet *packet, int status)
{
    (void)packet;
    nr_done++;
    nr_failed += status != 0;
}

/* IPv4 to the (host)th address, its headers in two pieces. */
static int send_to(struct net_packet *packet, uint8_t host)
{
    const struct net_piece pieces[] = {{frame, 20}, {frame + 20, 44}};

    frame[12] = 8;
    frame[33] = host;
    *packet = (struct net_packet){
        .pieces = pieces,
        .nr_pieces = 2,
        .done = done,
    };
    return net_send(net, packet);
}

static unsigned queue_of(uint8_t host)
{
    struct net_packet packet;

    cr_assert_eq(send_to(&packet, host), 0);
    net_kick(net);
    net_poll(net);
    return fake_net.queue;
}

Test(net_queues_made, are_as_many_as_both_ends_have)
{
    static const struct {
        unsigned vcpus, offered, nr;
    } cases[] = {{1, 8, 1}, {1, 0, 1},           {2, 0, 1},
                 {2, 1, 1}, {2, 8, 2},           {4, 3, 3},
                 {8, 8, 4}, {64, UINT16_MAX, 4}, {2, 1, 1}};
    const size_t nr = sizeof cases / sizeof *cases;

    for (size_t i = 0; i < nr; i++) {
        opened(cases[i].vcpus, cases[i].offered);
        cr_expect_eq(fake_net.nr_queues, cases[i].nr, "case %zu", i);
        cr_expect_eq(counters().queues, cases[i].nr);
        cr_expect_eq(counters().posted, cases[i].nr * 256);
        cr_expect_lt(queue_of(1), cases[i].nr);
        if (i + 1 < nr)
            net_close(net);
    }
}

Test(net_queues_made, need_no_word_if_there_is_one)
{
    opened(1, 8);
    cr_expect_null(fake_store_read(FAKE_VIF "/multi-queue-num-queues"));
    cr_expect_not_null(fake_store_read(FAKE_VIF "/tx-ring-ref"));
    cr_expect_null(fake_store_read(FAKE_VIF "/queue-0/tx-ring-ref"));
}

Test(net_queues, keep_a_flow_together_and_share_many)
{
    unsigned nr[2] = {0};

    for (unsigned host = 0; host < 256; host++) {
        const unsigned queue = queue_of((uint8_t)host);

        nr[queue]++;
        frame[40] = (uint8_t)host; /* not of the addresses */
        cr_expect_eq(queue_of((uint8_t)host), queue);
    }
    cr_expect_gt(nr[0], 64);
    cr_expect_gt(nr[1], 64);
    cr_expect_eq(nr_done, 512);
    cr_expect_eq(nr_failed, 0);
}

Test(net_queues, receive_each)
{
    for (unsigned i = 0; i < 1000; i++) {
        fake_net.queue = i % 2;
        cr_assert(fake_net_deliver(frame, 60, 60, 0, 0));
        if (i % 100 == 99)
            thread_sleep(1000);
    }
    cr_expect_eq(nr_received, 1000);
    cr_expect_eq(counters().posted, 512);
}

/*
 * vCPUs that run no threads.
 *
 * Given a guest of two vCPUs of which only the first runs threads,
 * when the second begins to,
 * then its queue's events go there from the next on, and not before.
 */
Test(net_queues, interrupt_their_vcpus_when_these_run)
{
    for (unsigned running = 0; running < 2; running++) {
        fake.parallel = running;
        for (fake_net.queue = 0; fake_net.queue < 2; fake_net.queue++) {
            cr_assert(fake_net_deliver(frame, 60, 60, 0, 0));
            thread_yield();
        }
        cr_expect_eq(fake_vcpu_of(fake_net.queues[0].port), 0);
        cr_expect_eq(fake_vcpu_of(fake_net.queues[1].port), running);
    }
    fake_net.queue = 0;
    cr_expect_eq(nr_received, 4);
}

Test(net_queues, wait_for_the_one_that_is_full)
{
    static struct net_packet packets[256];
    unsigned nr = 0;

    fake_net.late = true;
    while (send_to(&packets[nr], 1) == 0)
        cr_assert_lt(++nr, 256);
    cr_expect_gt(nr, 120);
    cr_expect_eq(net_wait_room(net), 0);
    cr_expect_eq(nr_done, nr);
    cr_expect_eq(send_to(&packets[0], 1), 0);
    net_kick(net);
    cr_expect_eq(net_wait_room(net), 0);
}

/* A new backend that has but one. */
Test(net_queues, become_one_for_a_lesser_backend)
{
    struct net_packet lost[2];

    fake_net.deaf = true;
    for (unsigned host = 0; host < 2; host++)
        cr_assert_eq(send_to(&lost[host], (uint8_t)host), 0);
    net_kick(net);
    fake_net.deaf = false;
    fake_store_write(FAKE_VIF_BACK "/multi-queue-max-queues", "1");
    fake_net_leave();
    while (fake_net.nr_connects < 2)
        thread_sleep(1000);
    thread_sleep(1000);
    cr_expect_eq(nr_failed, 2);
    cr_expect_eq(fake_net.nr_queues, 1);
    cr_expect_eq(queue_of(1), 0);
    cr_expect_eq(nr_failed, 2);
}

Test(net_queues, end_together_when_one_lies)
{
    struct net_packet packets[2];

    fake_net.deaf = true;
    for (unsigned host = 0; host < 2; host++)
        cr_assert_eq(send_to(&packets[host], (uint8_t)host), 0);
    net_kick(net);
    fake_net.queue = 1;
    fake_net_respond(UINT16_MAX, NETIF_RSP_OKAY);
    thread_sleep(1000000);
    cr_expect_eq(nr_failed, 2);
    cr_expect_eq(send_to(&packets[0], 1), -ENETDOWN);
}

/* Memory for some of them. */
Test(net_queues_refused, are_all_or_none, .init = vif_backend,
     .fini = vif_nothing_lost)
{
    fake.vcpus = 4;
    fake_net.max_queues = 8;
    fake.grant_limit = 5;
    fake_net_start();
    cr_expect_null(net_open(0));
}
