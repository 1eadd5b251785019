/*
 * host/store/event.h: watch events on their way: each listener (the guest's
 * connection, and the host) has one queue of them.
 *
 * What is told is "look at this path", so an event equal to one that still
 * waits is dropped. A queue that grows too long, because its reader does not
 * read, forgets details: a watch's events collapse into one for the watched
 * path itself, for which room is always there.
 */
#ifndef HOST_STORE_EVENT_H
#define HOST_STORE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_MAX       1024       /* waiting, besides one for each watch */
#define EVENTS_MAX_BYTES (64 << 10) /* of their paths */

struct store_watch;

struct event {
    struct event *next;
    struct store_watch *watch;
    const char *path; /* canonical */
    uint32_t hash;    /* of (path) */
    bool waits;       /* for a watch's own event: it is in the queue */
};

struct event_queue {
    struct event *head;
    struct event **tail;
    unsigned nr;  /* without the watches' own events */
    size_t bytes; /* of these */
};

void event_queue_init(struct event_queue *queue);

/* Tell (watch) of (path), which is its own path or not. Never fails. */
void event_queue_add(struct event_queue *queue, struct store_watch *watch,
                     const char *path);

/* Drop the first event, after it was looked at as queue->head. */
void event_queue_pop(struct event_queue *queue);

/* The watch goes: forget its events. */
void event_queue_forget(struct event_queue *queue, struct store_watch *watch);

#endif
