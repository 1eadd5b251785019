/*
 * host/store/watch.h: who wants to know about which part of the tree.
 */
#ifndef HOST_STORE_WATCH_H
#define HOST_STORE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/store/event.h"
#include "host/store/path.h"
#include "host/store/store.h"
#include "host/store/tree.h"

struct connection;

struct store_watch {
    struct store_watch *next;
    struct event_queue *queue; /* its listener's */
    uint16_t domid;            /* whose rights decide what it hears */
    bool collapsed; /* its own event stands for others that were dropped */
    struct event own;

    /* the guest's */
    size_t home_len; /* what a relative path leaves out; 0: absolute */
    const char *token;

    /* the host's */
    store_watch_fn fn;
    void *context;

    char path[]; /* canonical, then the token */
};

/* All watches of a store, in the order they were set. */
struct watch_list {
    struct store_watch *head;
};

/*
 * Add a watch for (domid) on the canonical (path) whose events go to (queue),
 * the first one now. NULL without memory.
 */
struct store_watch *watch_add(struct watch_list *list,
                              struct event_queue *queue, uint16_t domid,
                              const char *path, const char *token);

struct store_watch *watch_find(const struct watch_list *list,
                               const struct event_queue *queue,
                               const char *path, const char *token);

/* Remove and free it, with its events. */
void watch_remove(struct watch_list *list, struct store_watch *watch);

/* All of one listener's. */
void watch_remove_all(struct watch_list *list, const struct event_queue *queue);

/*
 * (path) changed: tell each watch on it or above it whose domain may know, by
 * its rights in (tree). (removed): the whole subtree goes, so tell those who
 * watch a node of it as well; (tree) must still have it.
 */
void watch_fire(const struct watch_list *list, const struct tree *tree,
                const char *path, bool removed);

#endif
