/*
 * Turns UDP packets round as fast as the network driver does, without a TCP/IP
 * stack: what its peer "wire turn" does on the tap device itself. The end of
 * its input, or a packet that says "end", makes it print its counters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvdrivers/net.h>
#include <pvguest/thread.h>

#include "turn.h"

#define PAYLOAD 42

struct reply {
    struct net_packet packet;
    struct net_piece piece;
    struct net_buffer *frame;
};

static struct net *net;
static struct wait_queue ended;
static bool end;

static void reply_done(struct net_packet *packet, int status)
{
    struct reply *reply = packet->context;

    (void)status;
    net_release(net, reply->frame);
}

/* It lies in the frame's own room: nothing is allocated. */
static void receive(struct net_buffer *frame, void *context)
{
    static struct reply replies[1024];
    static unsigned next;
    struct reply *reply = &replies[next++ % 1024];

    (void)context;
    if (frame->next || !turn_frame(frame->data, frame->len)) {
        net_release(net, frame);
        return;
    }
    if (frame->len >= PAYLOAD + 3 && !memcmp(frame->data + PAYLOAD, "end", 3)) {
        end = true;
        thread_wake_all(&ended);
    }
    reply->frame = frame;
    reply->piece = (struct net_piece){frame->data, frame->len};
    reply->packet = (struct net_packet){
        .pieces = &reply->piece,
        .nr_pieces = 1,
        .partial = frame->partial,
        .done = reply_done,
        .context = reply,
    };
    if (net_send(net, &reply->packet))
        net_release(net, frame);
}

static void batch_done(void *context)
{
    (void)context;
    net_kick(net);
}

int main(void)
{
    struct net_counters counters;
    struct net_info info;

    net = net_open(0);
    if (!net) {
        puts("there is no network device");
        return 2;
    }
    net_set_receiver(net, receive, NULL);
    net_set_batch(net, batch_done, NULL);
    net_get_info(net, &info);
    printf("%02x:%02x:%02x:%02x:%02x:%02x\n", info.mac[0], info.mac[1],
           info.mac[2], info.mac[3], info.mac[4], info.mac[5]);
    fflush(stdout);
    while (!end)
        thread_wait(&ended, UINT64_MAX);
    net_get_counters(net, &counters);
    printf("{\"frames\": %lu, \"notifications\": %lu}\n",
           counters.sent_frames + counters.received_frames,
           counters.notified + counters.events);
    return 0;
}
