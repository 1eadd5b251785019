/*
 * host/backend/xenbus.c: the backend's states, and what the frontend's do to
 * them.
 *
 *   frontend says            backend, when           does
 *   1 Initialising           beyond 2                disconnect, 6; online: 2
 *   3 or 4                   2, or 6 and online      connect, 4
 *   5 Closing                anything but 6          5
 *   6 Closed, or nothing     anything but 6          disconnect, 6
 *
 * One that is not to be online any more is removed when it is at 6.
 */
#include "host/backend/xenbus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/domain.h"
#include "host/log.h"
#include "host/store/store.h"

/* A guest that fails on purpose does not get to fill the user's screen. */
#define FAILURES_SAID 10

/* Only on change: the frontend is woken by each write. */
static int set_state(struct xenbus_device *dev, enum xenbus_state state)
{
    if (dev->state == state)
        return 0;
    dev->state = state;
    return xenbus_publish(dev, "state", "%d", (int)state);
}

/* Gone, or nothing that makes sense, is Unknown. */
static enum xenbus_state frontend_state(struct xenbus_device *dev)
{
    uint32_t state;

    if (xenbus_read_u32(dev, "state", &state) ||
        state > XenbusStateReconfigured)
        return XenbusStateUnknown;
    return (enum xenbus_state)state;
}

static void disconnect(struct xenbus_device *dev)
{
    if (!dev->connected)
        return;
    dev->connected = false;
    dev->ops->disconnect(dev);
}

static void close_device(struct xenbus_device *dev)
{
    disconnect(dev);
    set_state(dev, XenbusStateClosed);
    if (dev->online || dev->gone)
        return;
    /* As a toolstack: only now does the guest's kernel forget the device. */
    dev->gone = true;
    store_remove(dev->dom->store, dev->frontend);
    store_remove(dev->dom->store, dev->backend);
}

/* Device data of the last connection stays; the states begin again. */
static void reopen(struct xenbus_device *dev)
{
    if (dev->state == XenbusStateClosed && dev->online)
        set_state(dev, XenbusStateInitWait);
}

static void connect(struct xenbus_device *dev)
{
    int rc;

    reopen(dev); /* should we have missed that it was Initialising */
    if (dev->connected || dev->state != XenbusStateInitWait)
        return;

    rc = dev->ops->connect(dev);
    if (rc == 0) {
        dev->connected = true;
        set_state(dev, XenbusStateConnected);
    } else if (dev->state != XenbusStateClosing) {
        xenbus_fail(dev, "cannot connect: %s", strerror(-rc));
    }
}

/* What the frontend may have left as the reason for its closing. */
static void tell_reason(struct xenbus_device *dev)
{
    char path[XENBUS_PATH_MAX + 32], why[256];

    if (dev->nr_failures >= FAILURES_SAID)
        return;
    snprintf(path, sizeof path, "/local/domain/%u/error/device/%s/%u/error",
             dev->dom->id, dev->class, dev->id);
    if (store_read(dev->dom->store, path, why, sizeof why) <= 0)
        return;
    dev->nr_failures++;
    log_warning("device %s/%u: the guest says: %s", dev->class, dev->id, why);
}

static void follow_frontend(void *context, const char *path)
{
    struct xenbus_device *dev = context;

    (void)path;
    if (dev->gone)
        return;
    switch (frontend_state(dev)) {
    case XenbusStateInitialising:
        /* a new driver may start where the old one did not close */
        if (dev->state > XenbusStateInitWait)
            close_device(dev);
        reopen(dev);
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        connect(dev);
        break;
    case XenbusStateClosing:
        tell_reason(dev);
        if (dev->state != XenbusStateClosed)
            set_state(dev, XenbusStateClosing);
        break;
    case XenbusStateClosed:
    case XenbusStateUnknown:
        close_device(dev);
        break;
    case XenbusStateInitWait: /* the backend's word */
    case XenbusStateReconfiguring:
    case XenbusStateReconfigured:
        break;
    }
}

/* The toolstack unplugs by writing online 0. */
static void follow_online(void *context, const char *path)
{
    struct xenbus_device *dev = context;
    char key[XENBUS_PATH_MAX + 8];
    uint64_t online;

    (void)path;
    if (!dev->online)
        return;
    snprintf(key, sizeof key, "%s/online", dev->backend);
    if (store_read_u64(dev->dom->store, key, &online) == 0 && online)
        return;
    dev->online = false;
    if (dev->state != XenbusStateClosed)
        set_state(dev, XenbusStateClosing);
    follow_frontend(dev, dev->frontend);
}

static int write_links(struct xenbus_device *dev)
{
    struct store *store = dev->dom->store;
    int rc;

    rc = xenbus_preset(dev, "backend", "%s", dev->backend);
    if (!rc)
        rc = xenbus_preset(dev, "backend-id", "%u", BACKEND_ID);
    if (!rc)
        rc = xenbus_publish(dev, "frontend", "%s", dev->frontend);
    if (!rc)
        rc = xenbus_publish(dev, "frontend-id", "%u", dev->dom->id);
    if (!rc)
        rc = xenbus_publish(dev, "online", "1");
    if (!rc)
        rc = store_set_owner(store, dev->frontend, dev->dom->id, BACKEND_ID);
    if (!rc)
        rc = store_set_owner(store, dev->backend, BACKEND_ID, dev->dom->id);
    if (!rc)
        rc = xenbus_publish(dev, "state", "%d", XenbusStateInitialising);
    if (!rc)
        rc = xenbus_preset(dev, "state", "%d", XenbusStateInitialising);
    return rc;
}

int xenbus_create(struct xenbus_device *dev, struct domain *dom,
                  const char *class, uint32_t id, const struct xenbus_ops *ops,
                  void *context)
{
    int rc;

    *dev = (struct xenbus_device){
        .dom = dom,
        .class = class,
        .id = id,
        .ops = ops,
        .context = context,
        .state = XenbusStateInitialising,
        .online = true,
    };
    snprintf(dev->frontend, sizeof dev->frontend,
             "/local/domain/%u/device/%s/%u", dom->id, class, id);
    snprintf(dev->backend, sizeof dev->backend,
             "/local/domain/%u/backend/%s/%u/%u", BACKEND_ID, class, dom->id,
             id);
    rc = write_links(dev);
    if (rc)
        xenbus_destroy(dev);
    return rc;
}

int xenbus_open(struct xenbus_device *dev)
{
    struct store *store = dev->dom->store;
    char path[XENBUS_PATH_MAX + 8];
    int rc;

    rc = set_state(dev, XenbusStateInitWait);
    if (rc)
        return rc;
    snprintf(path, sizeof path, "%s/state", dev->frontend);
    dev->front_watch = store_watch(store, path, follow_frontend, dev);
    snprintf(path, sizeof path, "%s/online", dev->backend);
    dev->online_watch = store_watch(store, path, follow_online, dev);
    if (!dev->front_watch || !dev->online_watch) {
        log_error("out of memory for watching %s; free some memory",
                  dev->frontend);
        return -ENOMEM;
    }
    return 0;
}

void xenbus_fail(struct xenbus_device *dev, const char *format, ...)
{
    char sentence[256], path[2 * XENBUS_PATH_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (dev->nr_failures < FAILURES_SAID) {
        dev->nr_failures++;
        log_warning("device %s/%u: %s", dev->class, dev->id, sentence);
    }

    snprintf(path, sizeof path, "/local/domain/%u/error/backend/%s/%u/%u/error",
             BACKEND_ID, dev->class, dev->dom->id, dev->id);
    store_write(dev->dom->store, path, sentence);
    disconnect(dev);
    set_state(dev, XenbusStateClosing);
}

void xenbus_unplug(struct xenbus_device *dev)
{
    xenbus_publish(dev, "online", "0");
    follow_online(dev, dev->backend);
}

void xenbus_destroy(struct xenbus_device *dev)
{
    struct store *store;

    if (!dev->dom)
        return;
    store = dev->dom->store;
    store_unwatch(store, dev->front_watch);
    store_unwatch(store, dev->online_watch);
    dev->front_watch = dev->online_watch = NULL;
    disconnect(dev);
    store_remove(store, dev->frontend);
    store_remove(store, dev->backend);
    dev->dom = NULL;
}
