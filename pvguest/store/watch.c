/*
 * pvguest/store/watch.c: watches, and the thread that tells of them.
 *
 * An event only marks its watch; the thread calls the marked ones. So a server
 * that floods us with events costs us nothing but time, and a watch that fired
 * ten times while its owner was busy is told once.
 */
#include <errno.h>
#include <string.h>

#include "connection.h"
#include <pvguest/guest.h>
#include <pvguest/store.h>
#include <pvguest/thread.h>

#define TOKEN_SIZE 12

static struct {
    struct store_watch *list;
    struct store_watch *running; /* whose fn is being called */
    struct thread *thread;
    unsigned last_id;
    struct wait_queue fired, ended;
} watches;

void store_watch_event(const char *token)
{
    uint64_t id;

    if (wire_number(token, &id))
        return;
    for (struct store_watch *w = watches.list; w; w = w->next) {
        if (w->id == id)
            store_watch_again(w);
    }
}

void store_watch_again(struct store_watch *watch)
{
    GUEST_LOCKED;

    watch->fired = true;
    thread_wake_all(&watches.fired);
}

static struct store_watch *next_fired(void)
{
    struct store_watch *watch = watches.list;

    while (watch && !watch->fired)
        watch = watch->next;
    return watch;
}

static void watch_thread(void *arg)
{
    (void)arg;
    for (;;) {
        struct store_watch *watch;

        while (!(watch = next_fired()))
            thread_wait(&watches.fired, UINT64_MAX);
        watch->fired = false;
        watches.running = watch;
        watch->fn(watch, watch->path);
        watches.running = NULL;
        thread_wake_all(&watches.ended);
    }
}

static void watch_unlink(struct store_watch *watch)
{
    struct store_watch **at = &watches.list;

    while (*at && *at != watch)
        at = &(*at)->next;
    if (*at)
        *at = watch->next;
}

static int watch_command(uint32_t type, const struct store_watch *watch)
{
    char token[TOKEN_SIZE], ok[4];
    size_t len = guest_format(token, sizeof token, "%u", watch->id);
    const struct wire_part parts[] = {
        {watch->path, (uint32_t)strnlen(watch->path, XENSTORE_PAYLOAD_MAX) + 1},
        {token, (uint32_t)len + 1},
    };
    long rc = store_request(type, STORE_NO_TX, parts, 2, ok, sizeof ok);

    return rc < 0 ? (int)rc : 0;
}

int store_watch(struct store_watch *watch)
{
    int rc;
    GUEST_LOCKED;

    if (!store_available())
        return -EIO;
    if (!watches.thread)
        watches.thread = thread_start(watch_thread, NULL);
    if (!watches.thread)
        return -ENOMEM;

    /* Listed first: its first event may come with the reply. */
    watch->id = ++watches.last_id;
    watch->fired = false;
    watch->next = watches.list;
    watches.list = watch;
    rc = watch_command(XS_WATCH, watch);
    if (rc)
        watch_unlink(watch);
    return rc;
}

int store_unwatch(struct store_watch *watch)
{
    GUEST_LOCKED;

    watch_unlink(watch);
    while (watches.running == watch && thread_self() != watches.thread)
        thread_wait(&watches.ended, UINT64_MAX);
    return watch_command(XS_UNWATCH, watch);
}
