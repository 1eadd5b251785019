/*
 * pvdrivers/net.c: network devices as their users see them.
 */
#include <pvdrivers/net.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netfront.h"
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/thread.h>

#define DEVICES "device/vif"

static struct net *nets; /* open ones */

struct net *net_open(unsigned index)
{
    struct net *net;
    int rc;
    GUEST_LOCKED;

    for (net = nets; net; net = net->next)
        if (net->index == index)
            return NULL; /* it has one receiver */
    net = calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->index = index;
    net->hs.ops = &net_handshake;
    guest_format(net->hs.node, sizeof net->hs.node, DEVICES "/%u", index);
    net->nr_queues = 1;
    for (unsigned i = 0; i < NET_MAX_QUEUES; i++) {
        net->queues[i].net = net;
        net->queues[i].index = i;
        net_slots_reset(&net->queues[i]);
    }
    rc = handshake_open(&net->hs);
    if (rc) {
        if (rc != -ENODEV)
            guest_print("net: cannot open vif %u: error %d\n", index, -rc);
        net_buffers_destroy(net);
        free(net);
        return NULL;
    }
    net->next = nets;
    nets = net;
    return net;
}

void net_close(struct net *net)
{
    struct net **at = &nets;
    GUEST_LOCKED;

    while (*at != net)
        at = &(*at)->next;
    *at = net->next;
    handshake_close(&net->hs);
    net_buffers_destroy(net);
    free(net);
}

void net_get_info(struct net *net, struct net_info *info)
{
    GUEST_LOCKED;

    if (thread_may_wait()) /* the backend's word may have changed */
        net->info.up = net->running && handshake_number(&net->hs, "carrier", 1);
    *info = net->info;
}

void net_set_receiver(struct net *net,
                      void (*receive)(struct net_buffer *frame, void *context),
                      void *context)
{
    GUEST_LOCKED;

    net->receive = receive;
    net->receive_context = context;
}

void net_set_batch(struct net *net, void (*done)(void *context), void *context)
{
    GUEST_LOCKED;

    net->batch = done;
    net->batch_context = context;
}

static bool poll_queue(struct net_queue *queue)
{
    const bool some = net_send_drain(queue);

    return net_receive_drain(queue) || some;
}

bool net_poll(struct net *net)
{
    bool some = false;
    GUEST_LOCKED;

    for (unsigned i = 0; i < net->nr_queues; i++)
        some = poll_queue(&net->queues[i]) || some;
    return some;
}

/* Each queue has a vCPU, from when that runs threads and so takes events. */
static void settle(struct net_queue *queue)
{
    if (queue->vcpu != queue->index && thread_runs_on(queue->index) &&
        event_move(queue->port, queue->index) == 0)
        queue->vcpu = queue->index;
}

void net_event(evtchn_port_t port, void *context)
{
    struct net_queue *queue = context;

    (void)port;
    queue->net->counters.events++;
    settle(queue);
    poll_queue(queue);
}

void net_notify(struct net_queue *queue)
{
    queue->net->counters.notified++;
    event_send(queue->port);
}

void net_get_counters(const struct net *net, struct net_counters *counters)
{
    *counters = net->counters;
    counters->queues = net->nr_queues;
    counters->slots = net->nr_queues * NET_SLOTS;
    counters->sending = counters->posted = 0;
    for (unsigned i = 0; i < net->nr_queues; i++) {
        const struct net_queue *queue = &net->queues[i];

        counters->sending += NET_SLOTS - queue->nr_free_slots;
        if (net->attached)
            counters->posted += queue->rx.req_prod - queue->rx.rsp_cons;
    }
}

void net_kick(struct net *net)
{
    GUEST_LOCKED;

    for (unsigned i = 0; net->running && i < net->nr_queues; i++)
        if (ring_front_publish(&net->queues[i].tx))
            net_notify(&net->queues[i]);
}

static bool has_room(const struct net *net)
{
    for (unsigned i = 0; i < net->nr_queues; i++)
        if (net->queues[i].nr_free_slots < NET_MAX_PIECES)
            return false;
    return true;
}

int net_wait_room(struct net *net)
{
    GUEST_LOCKED;

    net_kick(net);
    for (unsigned i = 0; i < net->nr_queues; i++)
        net_send_drain(&net->queues[i]);
    while (net->running && !has_room(net))
        thread_wait(&net->room, UINT64_MAX);
    return net->running ? 0 : -ENETDOWN;
}
