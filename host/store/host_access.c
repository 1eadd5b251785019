/*
 * host/store/host_access.c: the toolstack's and the backends' way in, as
 * domain 0 and without the wire.
 */
#include "host/store/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/store/connection.h"
#include "host/store/number.h"
#include "host/store/server.h"
#include "host/store/trace.h"
#include "host/store/view.h"

/* Events that store_run delivers before the guest has its turn again. */
#define RUN_AT_ONCE 4096

static int host_view(struct store *store, const char *text,
                     char path[PATH_SIZE], struct view *view)
{
    store_touch(store);
    *view = (struct view){.store = store};
    return path_canonical(0, text, path);
}

static int write_value(struct store *store, const char *text, const char *value,
                       size_t len)
{
    char path[PATH_SIZE];
    struct view view;
    int rc = host_view(store, text, path, &view);

    if (!rc)
        rc = view_write(&view, path, value, len);
    trace_line(store, "d0 WRITE \"%s %s\" -> %d", text, value, rc);
    store_tell_guest(store);
    return rc;
}

int store_write(struct store *store, const char *path, const char *value)
{
    return write_value(store, path, value, strlen(value));
}

int store_printf(struct store *store, const char *path, const char *format, ...)
{
    char value[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof value)
        return -ENOSPC;
    return write_value(store, path, value, (size_t)n);
}

int store_remove(struct store *store, const char *text)
{
    char path[PATH_SIZE];
    struct view view;
    const struct node *node;
    int rc = host_view(store, text, path, &view);

    if (!rc)
        rc = view_find(&view, path, RIGHT_WRITE, &node);
    if (!rc)
        rc = view_remove(&view, path);
    trace_line(store, "d0 RM \"%s\" -> %d", text, rc);
    store_tell_guest(store);
    return rc;
}

int store_set_owner(struct store *store, const char *text, uint16_t owner,
                    uint16_t reader)
{
    const struct permission list[] = {
        {.domid = owner, .rights = RIGHT_NONE},
        {.domid = reader, .rights = RIGHT_READ},
    };
    const size_t nr = reader == owner ? 1 : 2;
    char top[PATH_SIZE], path[PATH_SIZE];
    struct view view;
    int rc = host_view(store, text, top, &view);

    if (rc)
        return rc;
    strcpy(path, top);
    do
        rc = view_set_permissions(&view, path, list, nr);
    while (!rc && tree_next(&store->tree, top, path));
    store_tell_guest(store);
    return rc;
}

static int find(struct store *store, const char *text, const struct node **node)
{
    char path[PATH_SIZE];
    struct view view;
    int rc = host_view(store, text, path, &view);

    return rc ? rc : view_find(&view, path, RIGHT_READ, node);
}

long store_read(struct store *store, const char *path, char *buf, size_t size)
{
    const struct node *node;
    int rc = find(store, path, &node);

    if (rc)
        return rc;
    if (node->value_len >= size)
        return -E2BIG;
    if (node->value_len)
        memcpy(buf, node->value, node->value_len);
    buf[node->value_len] = '\0';
    return (long)node->value_len;
}

int store_read_u64(struct store *store, const char *path, uint64_t *value)
{
    const struct node *node;
    int rc = find(store, path, &node);

    return rc ? rc : number_parse(node->value, node->value_len, value);
}

struct store_watch *store_watch(struct store *store, const char *text,
                                store_watch_fn fn, void *context)
{
    struct store_watch *watch;
    char path[PATH_SIZE];

    store_touch(store);
    if (path_canonical(0, text, path))
        return NULL;
    watch = watch_add(&store->watches, &store->host_events, 0, path, "");
    if (watch) {
        watch->fn = fn;
        watch->context = context;
    }
    return watch;
}

void store_unwatch(struct store *store, struct store_watch *watch)
{
    if (watch)
        watch_remove(&store->watches, watch);
}

/* The callee may do what it likes with its watch: keep nothing of it. */
static void deliver(struct store *store)
{
    const struct event *event = store->host_events.head;
    const store_watch_fn fn = event->watch->fn;
    void *const context = event->watch->context;
    char path[PATH_SIZE];

    strcpy(path, event->path);
    event_queue_pop(&store->host_events);
    trace_line(store, "d0 event %s", path);
    fn(context, path);
}

void store_run(struct store *store)
{
    if (store->runs)
        return;
    store->runs = true;
    if (store->guest)
        connection_serve(store->guest);
    for (unsigned i = 0; i < RUN_AT_ONCE && store->host_events.head; i++)
        deliver(store);
    store->runs = false;
}
