#include "handshake.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <pvguest/clock.h>
#include <pvguest/guest.h>

#define SECOND          1000000000ull
#define CONNECT_TIMEOUT (10 * SECOND)
#define CLOSE_TIMEOUT   (5 * SECOND)
#define MAX_REFUSALS    3 /* in a row, of what we offer */

uint64_t handshake_number(struct handshake *hs, const char *key,
                          uint64_t fallback)
{
    char path[HANDSHAKE_PATH + 64];
    uint64_t number;
    size_t len = guest_format(path, sizeof path, "%s/%s", hs->backend, key);

    if (len >= sizeof path || store_read_u64(STORE_NO_TX, path, &number))
        return fallback;
    return number;
}

int handshake_write(struct handshake *hs, uint32_t tx, const char *key,
                    const char *format, ...)
{
    char path[128];
    va_list args;
    int rc;

    if (guest_format(path, sizeof path, "%s/%s", hs->node, key) >= sizeof path)
        return -E2BIG;
    va_start(args, format);
    rc = store_vprintf(tx, path, format, args);
    va_end(args);
    return rc;
}

int handshake_remove(struct handshake *hs, uint32_t tx, const char *key)
{
    char path[128];
    int rc;

    if (guest_format(path, sizeof path, "%s/%s", hs->node, key) >= sizeof path)
        return -E2BIG;
    rc = store_remove(tx, path);
    return rc == -ENOENT ? 0 : rc;
}

static int hs_switch(struct handshake *hs, uint32_t tx, enum xenbus_state state)
{
    int rc = handshake_write(hs, tx, "state", "%u", state);

    if (!rc)
        hs->ours = state;
    return rc;
}

/* The backend holds nothing of ours any more, or never did. */
static void hs_withdraw(struct handshake *hs)
{
    if (hs->offered)
        hs->ops->withdraw(hs);
    hs->offered = hs->connected = false;
}

/* Leave for good. The backend reads state 6 as our going, whatever its own. */
static void hs_end(struct handshake *hs, int error, const char *why)
{
    char path[96];

    if (hs->error)
        return;
    hs->error = error;
    hs->connected = false;
    guest_print("%s: %s (%d)\n", hs->node, why, error);
    guest_format(path, sizeof path, "error/%s/error", hs->node);
    store_printf(STORE_NO_TX, path, "%d %s", -error, why);
    if (hs->offered)
        hs->ops->stop(hs);
    hs_switch(hs, STORE_NO_TX, XenbusStateClosed);
    hs->ops->gone(hs, error);
    thread_wake_all(&hs->changed);
}

static int hs_publish(struct handshake *hs)
{
    const enum xenbus_state state =
        hs->ops->at_once ? XenbusStateConnected : XenbusStateInitialised;
    uint32_t tx;
    int rc;

    do {
        rc = store_tx_begin(&tx);
        if (rc)
            return rc;
        rc = hs->ops->publish(hs, tx);
        if (!rc)
            rc = hs_switch(hs, tx, state);
        if (rc)
            store_tx_end(tx, false);
        else
            rc = store_tx_end(tx, true);
    } while (rc == -EAGAIN);
    return rc;
}

static void hs_offer(struct handshake *hs)
{
    int rc;

    hs_withdraw(hs); /* a backend that starts anew forgot the old one */
    hs->offered = true;
    rc = hs->ops->offer(hs);
    if (!rc)
        rc = hs_publish(hs);
    if (rc)
        hs_end(hs, rc, "cannot offer the device's ring to its backend");
}

static void hs_connect(struct handshake *hs)
{
    int rc = hs->ops->connect(hs);

    if (!rc && !hs->ops->at_once)
        rc = hs_switch(hs, STORE_NO_TX, XenbusStateConnected);
    hs->connected = rc == 0;
    hs->refusals = 0;
    if (rc)
        hs_end(hs, rc, "cannot use what the backend says");
}

/* The backend let go. Is it going to come back? */
static void hs_closed(struct handshake *hs)
{
    hs_withdraw(hs);
    if (hs->theirs == XenbusStateUnknown ||
        !handshake_number(hs, "online", 1)) {
        hs_end(hs, -ENODEV, "the device was taken away");
        return;
    }
    if (++hs->refusals > MAX_REFUSALS) {
        hs_end(hs, -EIO, "the backend refuses again and again");
        return;
    }
    if (hs->ours != XenbusStateClosed && hs->ours != XenbusStateInitialising)
        hs_switch(hs, STORE_NO_TX, XenbusStateClosed);
    hs_switch(hs, STORE_NO_TX, XenbusStateInitialising);
}

static void hs_act(struct handshake *hs)
{
    bool engaged =
        hs->ours == XenbusStateInitialised || hs->ours == XenbusStateConnected;
    bool awaits = hs->offered && engaged && !hs->connected;

    switch (hs->theirs) {
    case XenbusStateInitWait:
        if (!awaits)
            hs_offer(hs);
        break;
    case XenbusStateConnected:
        if (awaits)
            hs_connect(hs);
        break;
    case XenbusStateClosing:
        if (engaged) {
            hs->ops->stop(hs);
            hs_switch(hs, STORE_NO_TX, XenbusStateClosing);
            hs_switch(hs, STORE_NO_TX, XenbusStateClosed);
        }
        break;
    case XenbusStateUnknown:
    case XenbusStateClosed:
        if (hs->offered || hs->theirs == XenbusStateUnknown)
            hs_closed(hs);
        break;
    default: /* on its way */
        break;
    }
}

static void hs_changed(struct store_watch *watch, const char *path)
{
    struct handshake *hs = watch->context;
    uint64_t state;
    int rc = store_read_u64(STORE_NO_TX, path, &state);

    if (rc == -ENOENT)
        state = XenbusStateUnknown;
    else if (rc || state > XenbusStateReconfigured)
        return; /* no state at all: wait for a better word */

    hs->theirs = (enum xenbus_state)state;
    if (hs->failed && !hs->error)
        hs_end(hs, hs->failure, hs->failed);
    if (!hs->closing && !hs->error)
        hs_act(hs);
    else if (hs->error && (state == XenbusStateClosed || !state))
        hs_withdraw(hs);
    thread_wake_all(&hs->changed);
}

/* Where our backend is, by the words of the toolstack. */
static int hs_find_backend(struct handshake *hs)
{
    char path[96];
    uint64_t id;
    long rc;

    guest_format(path, sizeof path, "%s/backend", hs->node);
    rc = store_read(STORE_NO_TX, path, hs->backend, sizeof hs->backend);
    if (rc < 0)
        return rc == -ENOENT ? -ENODEV : (int)rc;
    guest_format(path, sizeof path, "%s/backend-id", hs->node);
    rc = store_read_u64(STORE_NO_TX, path, &id);
    if (rc || id >= DOMID_FIRST_RESERVED)
        return -ENODEV;
    hs->backend_id = (domid_t)id;
    guest_format(hs->state_path, sizeof hs->state_path, "%s/state",
                 hs->backend);
    return 0;
}

int handshake_open(struct handshake *hs)
{
    uint64_t deadline = clock_system_ns() + CONNECT_TIMEOUT;
    char path[80];
    uint64_t state;
    int rc = hs_find_backend(hs);

    if (rc)
        return rc;

    /* Someone before us (a boot loader) may have left it elsewhere. */
    guest_format(path, sizeof path, "%s/state", hs->node);
    if (store_read_u64(STORE_NO_TX, path, &state) ||
        state != XenbusStateInitialising)
        rc = hs_switch(hs, STORE_NO_TX, XenbusStateInitialising);
    if (rc)
        return rc;
    hs->ours = XenbusStateInitialising;

    hs->watch = (struct store_watch){
        .fn = hs_changed,
        .context = hs,
        .path = hs->state_path,
    };
    rc = store_watch(&hs->watch);
    if (rc)
        return rc;
    while (!hs->connected && !hs->error)
        if (!thread_wait(&hs->changed, deadline))
            break;
    if (hs->connected)
        return 0;
    rc = hs->error ? hs->error : -ETIMEDOUT;
    handshake_close(hs);
    return rc;
}

/* Wait, not for ever, until the backend is in one of (states). */
static bool hs_await(struct handshake *hs, unsigned states)
{
    uint64_t deadline = clock_system_ns() + CLOSE_TIMEOUT;

    while (!(1u << hs->theirs & states))
        if (!thread_wait(&hs->changed, deadline))
            return false;
    return true;
}

void handshake_close(struct handshake *hs)
{
    const unsigned gone = 1u << XenbusStateUnknown | 1u << XenbusStateClosed;
    const unsigned idle =
        gone | 1u << XenbusStateInitialising | 1u << XenbusStateInitWait;

    hs->closing = true;
    if (hs->offered && !hs->error) {
        hs->ops->stop(hs);
        hs_switch(hs, STORE_NO_TX, XenbusStateClosing);
        hs_await(hs, idle | 1u << XenbusStateClosing);
        hs_switch(hs, STORE_NO_TX, XenbusStateClosed);
    }
    if (hs->offered)
        hs_await(hs, idle);
    hs_withdraw(hs);
    if (!hs->error)
        hs_switch(hs, STORE_NO_TX, XenbusStateInitialising);
    store_unwatch(&hs->watch);
}

void handshake_fail(struct handshake *hs, int error, const char *why)
{
    if (!hs->failed) {
        hs->failed = why;
        hs->failure = error;
        store_watch_again(&hs->watch);
    }
}
