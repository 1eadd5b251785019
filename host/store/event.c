/*
 * host/store/event.c: queues of watch events.
 */
#include "host/store/event.h"

#include <stdlib.h>
#include <string.h>

#include "host/store/watch.h"

void event_queue_init(struct event_queue *queue)
{
    *queue = (struct event_queue){.tail = &queue->head};
}

static void append(struct event_queue *queue, struct event *event)
{
    event->next = NULL;
    *queue->tail = event;
    queue->tail = &event->next;
}

/* After *link was taken out. */
static void mend_tail(struct event_queue *queue, struct event **link)
{
    if (!*link)
        queue->tail = link;
}

static void drop(struct event_queue *queue, struct event *event)
{
    if (event == &event->watch->own) {
        event->waits = false;
        event->watch->collapsed = false;
        return;
    }
    queue->nr--;
    queue->bytes -= strlen(event->path);
    free(event);
}

static bool is_waiting(const struct event_queue *queue,
                       const struct store_watch *watch, const char *path,
                       uint32_t hash)
{
    for (const struct event *event = queue->head; event; event = event->next)
        if (event->watch == watch && event->hash == hash &&
            strcmp(event->path, path) == 0)
            return true;
    return false;
}

static struct event *event_new(struct store_watch *watch, const char *path,
                               size_t len, uint32_t hash)
{
    struct event *event = malloc(sizeof *event + len + 1);

    if (!event)
        return NULL;
    *event = (struct event){
        .watch = watch,
        .path = (const char *)(event + 1),
        .hash = hash,
        .waits = true,
    };
    memcpy(event + 1, path, len + 1);
    return event;
}

static void add_own(struct event_queue *queue, struct store_watch *watch)
{
    if (watch->own.waits)
        return;
    watch->own.waits = true;
    append(queue, &watch->own);
}

static void collapse(struct event_queue *queue, struct store_watch *watch)
{
    event_queue_forget(queue, watch);
    add_own(queue, watch);
    watch->collapsed = true;
}

void event_queue_add(struct event_queue *queue, struct store_watch *watch,
                     const char *path)
{
    const uint32_t hash = path_hash(path);
    const size_t len = strlen(path);
    struct event *event;

    if (watch->collapsed)
        return;
    if (strcmp(path, watch->path) == 0) {
        add_own(queue, watch);
        return;
    }
    if (is_waiting(queue, watch, path, hash))
        return;

    event = queue->nr < EVENTS_MAX && queue->bytes + len <= EVENTS_MAX_BYTES
                ? event_new(watch, path, len, hash)
                : NULL;
    if (!event) {
        collapse(queue, watch);
        return;
    }
    queue->nr++;
    queue->bytes += len;
    append(queue, event);
}

void event_queue_pop(struct event_queue *queue)
{
    struct event *event = queue->head;

    queue->head = event->next;
    mend_tail(queue, &queue->head);
    drop(queue, event);
}

void event_queue_forget(struct event_queue *queue, struct store_watch *watch)
{
    struct event **link = &queue->head;

    while (*link) {
        struct event *event = *link;

        if (event->watch != watch) {
            link = &event->next;
            continue;
        }
        *link = event->next;
        mend_tail(queue, link);
        drop(queue, event);
    }
}
