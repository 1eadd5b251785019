/*
 * host/store/server.h: the inside of a store: what its parts share.
 */
#ifndef HOST_STORE_SERVER_H
#define HOST_STORE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "host/store/event.h"
#include "host/store/store.h"
#include "host/store/tree.h"
#include "host/store/watch.h"

/* What an unprivileged domain may use (xenstored's defaults). */
#define QUOTA_NODES             1000
#define QUOTA_WATCHES           128
#define QUOTA_TRANSACTIONS      10
#define QUOTA_TRANSACTION_NODES 1024
#define QUOTA_NODE_BYTES        2048 /* value and permissions of one node */
#define QUOTA_PERMISSIONS       5

/* All versions of the tree together; beyond it guests get ENOSPC. */
#define QUOTA_TREE_BYTES (4u << 20)

struct connection;

struct store {
    struct tree_pool pool;
    struct tree tree;
    uint64_t version; /* counts the changes of (tree) */
    struct watch_list watches;
    struct event_queue host_events;
    struct connection *guest; /* NULL until store_connect */
    bool runs;                /* store_run is at work */
    bool trace;
    void (*fill)(void *context); /* NULL: done, or nothing to do */
    void *fill_context;

    struct domain *dom; /* whose port to raise; NULL until store_connect */
    uint32_t port;
};

/* Somebody is about to look at the tree. */
void store_touch(struct store *store);

/* The host changed something: bring the guest's events to its ring. */
void store_tell_guest(struct store *store);

#endif
