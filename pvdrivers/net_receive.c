/*
 * pvdrivers/net_receive.c: frames in: pages lent for writing, handed to the
 * receiver as they come back, replaced by others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netfront.h"
#include <pvguest/grant.h>
#include <pvguest/page.h>

static struct net_buffer *buffer_make(struct net *net)
{
    struct net_buffer *buffer;

    if (net->nr_buffers >= NET_MAX_BUFFERS * net->nr_queues)
        return NULL;
    buffer = calloc(1, sizeof *buffer);
    if (!buffer)
        return NULL;
    buffer->page = page_alloc_zeroed(1); /* the backend sees what was there */
    if (!buffer->page) {
        free(buffer);
        return NULL;
    }
    net->nr_buffers++;
    return buffer;
}

static struct net_buffer *buffer_take(struct net *net)
{
    struct net_buffer *buffer = net->spare;

    if (!buffer)
        return buffer_make(net);
    net->spare = buffer->next;
    return buffer;
}

static void buffer_spare(struct net *net, struct net_buffer *buffer)
{
    buffer->next = net->spare;
    net->spare = buffer;
}

void net_buffers_destroy(struct net *net)
{
    while (net->spare) {
        struct net_buffer *buffer = net->spare;

        net->spare = buffer->next;
        page_free(buffer->page, 1);
        free(buffer);
        net->nr_buffers--;
    }
}

void net_receive_refill(struct net_queue *queue)
{
    struct net *net = queue->net;

    while (net->attached && ring_front_room(&queue->rx) > 0) {
        const uint16_t id = (uint16_t)(queue->rx.req_prod % NET_SLOTS);
        struct net_buffer *buffer = buffer_take(net);
        netif_rx_request_t request = {.id = id};
        int64_t ref;

        if (!buffer)
            break;
        ref = guest_grant(net->hs.backend_id, buffer->page, false);
        if (ref < 0) {
            buffer_spare(net, buffer);
            break;
        }
        buffer->ref = (grant_ref_t)ref;
        request.gref = (grant_ref_t)ref;
        queue->posted[id] = buffer;
        ring_front_put(&queue->rx, &request, sizeof request);
    }
    if (net->attached && ring_front_publish(&queue->rx))
        net_notify(queue);
}

/*
 * The buffer of the slot (id) is ours again; NULL if the backend keeps it, and
 * then it is lost to it.
 */
static struct net_buffer *take_back(struct net_queue *queue, unsigned id)
{
    struct net_buffer *buffer = queue->posted[id];

    queue->posted[id] = NULL;
    if (buffer && guest_grant_end(buffer->ref))
        return NULL;
    return buffer;
}

void net_release(struct net *net, struct net_buffer *frame)
{
    GUEST_LOCKED;

    while (frame) {
        struct net_buffer *next = frame->next;

        buffer_spare(net, frame);
        frame = next;
    }
    /* as many as there was no memory for, or the receiver held too many */
    for (unsigned i = 0; net->running && i < net->nr_queues; i++) {
        struct net_queue *queue = &net->queues[i];

        if (queue->rx.req_prod - queue->rx.rsp_cons < NET_SLOTS / 2)
            net_receive_refill(queue);
    }
}

/* A frame being put together. */
struct assembly {
    struct net_buffer *first, *last;
    uint32_t total;
    unsigned nr;
    bool bad;
    uint16_t flags; /* of the first */
    uint16_t gso_size;
};

static void append(struct assembly *a, struct net_buffer *buffer,
                   const netif_rx_response_t *response)
{
    const uint32_t len = response->status > 0 ? (uint32_t)response->status : 0;

    buffer->next = NULL;
    buffer->data = (uint8_t *)buffer->page + response->offset;
    buffer->len = len;
    if (!len || response->offset + len > PAGE_SIZE)
        a->bad = true;
    if (a->last)
        a->last->next = buffer;
    else
        a->first = buffer;
    a->last = buffer;
    a->total += len;
}

/* The next response, and the buffer of its slot: 1, 0, or -EPROTO. */
static int take_response(struct net_queue *queue, void *response, size_t size,
                         struct net_buffer **buffer)
{
    const unsigned id = queue->rx.rsp_cons % NET_SLOTS;
    int rc = ring_front_take(&queue->rx, response, size);

    if (rc == 1)
        *buffer = take_back(queue, id);
    return rc;
}

/* What is said beside the data takes a slot, whose buffer was not used. */
static int take_extras(struct net_queue *queue, struct assembly *a)
{
    struct netif_extra_info extra;
    struct net_buffer *buffer;

    do {
        int rc = take_response(queue, &extra, sizeof extra, &buffer);

        if (rc != 1)
            return -EPROTO;
        if (buffer)
            buffer_spare(queue->net, buffer);
        if (extra.type == XEN_NETIF_EXTRA_TYPE_GSO)
            a->gso_size = extra.u.gso.size;
    } while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
    return 0;
}

/* Take one whole frame: 1, 0 if there is none, -EPROTO. */
static int assemble(struct net_queue *queue, struct assembly *a)
{
    netif_rx_response_t response;
    struct net_buffer *buffer;

    *a = (struct assembly){0};
    do {
        const uint16_t id = (uint16_t)(queue->rx.rsp_cons % NET_SLOTS);
        int rc = take_response(queue, &response, sizeof response, &buffer);

        if (rc == 0 && !a->nr)
            return 0;
        if (rc != 1)
            return -EPROTO;
        if (a->nr++ == 0)
            a->flags = response.flags;
        if (buffer)
            append(a, buffer, &response);
        else
            a->bad = true;
        if (response.id != id || a->nr > NET_MAX_PIECES)
            return -EPROTO;
        if ((response.flags & NETRXF_extra_info) && take_extras(queue, a))
            return -EPROTO;
    } while (response.flags & NETRXF_more_data);
    return 1;
}

static void hand_over(struct net *net, const struct assembly *a)
{
    struct net_buffer *frame = a->first;

    if (!frame)
        return;
    net->counters.received_frames++;
    net->counters.received_bytes += a->total;
    frame->total = a->total;
    frame->partial = a->flags & NETRXF_csum_blank;
    frame->verified = a->flags & (NETRXF_data_validated | NETRXF_csum_blank);
    frame->gso_size = a->gso_size;
    if (a->bad || !net->receive)
        net_release(net, frame);
    else
        net->receive(frame, net->receive_context);
}

bool net_receive_drain(struct net_queue *queue)
{
    struct net *net = queue->net;
    struct assembly a;
    bool some = false;
    int rc = 0;

    if (!net->attached)
        return false;
    do {
        while (net->attached && (rc = assemble(queue, &a)) > 0) {
            some = true;
            hand_over(net, &a);
        }
        if (rc < 0) {
            if (a.first)
                net_release(net, a.first);
            handshake_fail(&net->hs, rc, "its frames make no sense");
            return some;
        }
        net_receive_refill(queue);
    } while (net->attached && !ring_front_may_sleep(&queue->rx));
    if (some && net->batch)
        net->batch(net->batch_context);
    return some;
}

void net_receive_recall(struct net_queue *queue)
{
    for (unsigned id = 0; id < NET_SLOTS; id++) {
        struct net_buffer *buffer =
            queue->posted[id] ? take_back(queue, id) : NULL;

        if (buffer)
            buffer_spare(queue->net, buffer);
    }
}
