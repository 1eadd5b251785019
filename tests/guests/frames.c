/*
 * Sends every frame back to where it came from, until one of the type that is
 * for experiments says "end". Says at the end what it saw. With the argument
 * "pieces" it speaks first, in a frame of several pieces; with "parallel" all
 * vCPUs run threads.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvdrivers/net.h>
#include <pvguest/thread.h>
#include <pvguest/vcpu.h>

#define TYPE_EXPERIMENT 0x88b5
#define HEADER          14
#define MS              1000000

static struct net *net;
static struct wait_queue ended;
static bool end;
static unsigned nr_echoed, nr_lost, nr_refused, nr_elsewhere;
static unsigned long nr_bytes;

struct echo {
    struct net_packet packet;
    struct net_piece pieces[NET_MAX_PIECES];
    struct net_buffer *frame;
};

static void echo_done(struct net_packet *packet, int status)
{
    struct echo *echo = packet->context;

    if (status)
        nr_lost++;
    else
        nr_echoed++;
    net_release(net, echo->frame);
    free(echo);
}

static void turn_round(uint8_t *header)
{
    struct net_info info;

    net_get_info(net, &info);
    memcpy(header, header + 6, 6);
    memcpy(header + 6, info.mac, 6);
}

static void receive(struct net_buffer *frame, void *context)
{
    struct echo *echo = calloc(1, sizeof *echo);

    (void)context;
    nr_bytes += frame->total;
    nr_elsewhere += vcpu_id() != 0;
    if (frame->data[12] == TYPE_EXPERIMENT >> 8 &&
        frame->data[13] == (TYPE_EXPERIMENT & 0xff) &&
        !memcmp(frame->data + HEADER, "end", 3)) {
        end = true;
        thread_wake_all(&ended);
    }
    if (!echo)
        exit(3);
    turn_round(frame->data);
    echo->frame = frame;
    echo->packet.pieces = echo->pieces;
    echo->packet.done = echo_done;
    echo->packet.context = echo;
    echo->packet.partial = frame->partial;
    for (struct net_buffer *b = frame; b; b = b->next)
        echo->pieces[echo->packet.nr_pieces++] =
            (struct net_piece){b->data, b->len};
    if (net_send(net, &echo->packet)) {
        nr_refused++;
        net_release(net, frame);
        free(echo);
        return;
    }
    net_kick(net);
}

static void sent(struct net_packet *packet, int status)
{
    *(int *)packet->context = status ? status : 1;
}

/* A frame of three pieces, in three pages, none at a page's start. */
static int send_pieces(void)
{
    static uint8_t bytes[3 * 4096];
    struct net_info info;
    int state = 0;
    struct net_piece pieces[] = {
        {bytes + 100, HEADER}, {bytes + 4096 + 50, 600}, {bytes + 8192, 1}};
    struct net_packet packet = {
        .pieces = pieces, .nr_pieces = 3, .done = sent, .context = &state};

    net_get_info(net, &info);
    memset(bytes, 0x42, sizeof bytes);
    memset(bytes + 100, 0xff, 6);
    memcpy(bytes + 106, info.mac, 6);
    bytes[112] = TYPE_EXPERIMENT >> 8;
    bytes[113] = TYPE_EXPERIMENT & 0xff;
    if (net_send(net, &packet))
        return 1;
    while (!state) {
        net_wait_room(net);
        thread_yield();
    }
    return state == 1 ? 0 : 1;
}

static void nothing(void *arg)
{
    (void)arg;
}

/* All of them are ready for events; who only yields may keep the lock. */
static bool start_vcpus(void)
{
    if (!thread_start_parallel(nothing, NULL))
        return false;
    for (unsigned id = 1; id < vcpu_count(); id++)
        while (!thread_runs_on(id))
            thread_sleep(MS);
    return true;
}

int main(int argc, char **argv)
{
    struct net_counters counters;
    struct net_info info;
    GUEST_LOCKED; /* but while it waits */

    net = net_open(0);
    if (!net) {
        puts("there is no network device");
        return 2;
    }
    net_set_receiver(net, receive, NULL);
    if (argc > 1 && !strcmp(argv[1], "parallel") && !start_vcpus())
        return 3;
    net_get_info(net, &info);
    printf("address %02x:%02x:%02x:%02x:%02x:%02x, mtu %u, link %s\n",
           info.mac[0], info.mac[1], info.mac[2], info.mac[3], info.mac[4],
           info.mac[5], info.mtu, info.up ? "up" : "down");
    fflush(stdout);
    while (argc > 1 && !strcmp(argv[1], "pieces") && nr_bytes == 0) {
        if (send_pieces()) {
            puts("the pieces were not sent");
            return 1;
        }
        thread_sleep(50000000); /* the other end may not be there yet */
    }
    while (!end)
        thread_wait(&ended, UINT64_MAX);
    while (net_wait_room(net) == 0 && nr_echoed == 0)
        thread_yield();
    printf("%u echoed, %u lost, %u refused, %lu bytes\n", nr_echoed, nr_lost,
           nr_refused, nr_bytes);
    net_get_counters(net, &counters);
    printf("%u queues, %u frames beside vCPU 0\n", counters.queues,
           nr_elsewhere);
    net_close(net);
    return nr_lost || nr_refused;
}
