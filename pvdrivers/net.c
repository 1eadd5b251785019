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
    net_slots_reset(net);
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

bool net_poll(struct net *net)
{
    bool some;
    GUEST_LOCKED;

    some = net_send_drain(net);
    return net_receive_drain(net) || some;
}

void net_event(evtchn_port_t port, void *context)
{
    struct net *net = context;

    (void)port;
    net->counters.events++;
    net_poll(net);
}

void net_notify(struct net *net)
{
    net->counters.notified++;
    event_send(net->port);
}

void net_get_counters(const struct net *net, struct net_counters *counters)
{
    *counters = net->counters;
    counters->sending = NET_SLOTS - net->nr_free_slots;
    counters->posted = net->attached ? net->rx.req_prod - net->rx.rsp_cons : 0;
}

void net_kick(struct net *net)
{
    GUEST_LOCKED;

    if (net->running && ring_front_publish(&net->tx))
        net_notify(net);
}

int net_wait_room(struct net *net)
{
    GUEST_LOCKED;

    net_kick(net);
    net_send_drain(net);
    while (net->running && net->nr_free_slots < NET_MAX_PIECES)
        thread_wait(&net->room, UINT64_MAX);
    return net->running ? 0 : -ENETDOWN;
}
