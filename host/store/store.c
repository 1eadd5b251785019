/*
 * host/store/store.c: the life of a store, and its guest.
 */
#include "host/store/store.h"

#include <errno.h>
#include <stdlib.h>

#include "host/domain.h"
#include "host/log.h"
#include "host/store/connection.h"
#include "host/store/server.h"

int store_create(struct store **out)
{
    struct store *store = calloc(1, sizeof *store);

    if (!store || tree_create(&store->tree, &store->pool)) {
        free(store);
        log_error("out of memory for xenstore; free some memory");
        return -ENOMEM;
    }
    event_queue_init(&store->host_events);
    *out = store;
    return 0;
}

void store_destroy(struct store *store)
{
    if (!store)
        return;
    if (store->guest) {
        connection_destroy(store->guest);
        port_unbind_backend(store->dom, store->port);
    }
    watch_remove_all(&store->watches, &store->host_events);
    tree_release(&store->tree);
    free(store);
}

void store_fill_at_first_use(struct store *store, void (*fill)(void *context),
                             void *context)
{
    store->fill = fill;
    store->fill_context = context;
}

bool store_was_used(const struct store *store)
{
    return !store->fill;
}

void store_touch(struct store *store)
{
    void (*fill)(void *context) = store->fill;

    store->fill = NULL; /* before: filling is using */
    if (fill)
        fill(store->fill_context);
}

void store_tell_guest(struct store *store)
{
    if (store->guest)
        connection_flush(store->guest);
}

static void raise_port(void *context)
{
    struct store *store = context;

    port_raise(store->dom, store->port);
}

/* The guest sent on its port: answer, and let the backends see it at once. */
static void guest_called(void *context)
{
    store_touch(context);
    store_run(context);
}

int store_connect(struct store *store, struct domain *dom, void *ring_page,
                  uint32_t port)
{
    int rc;

    rc = connection_create(store, dom->id, ring_page, raise_port, store,
                           &store->guest);
    if (rc) {
        log_error("out of memory for the guest's xenstore; free some memory");
        return rc;
    }
    store->dom = dom;
    store->port = port;
    rc = port_bind_backend(dom, port, BACKEND_ID, guest_called, NULL, store);
    if (rc) {
        log_error("port %u of the guest is not xenstore's: %d; the domain "
                  "builder must allocate it for domain %u",
                  port, rc, BACKEND_ID);
        connection_destroy(store->guest);
        store->guest = NULL;
        return rc;
    }
    store->trace = dom->config->trace & TRACE_XENSTORE;
    return 0;
}
