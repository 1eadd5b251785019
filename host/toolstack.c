/*
 * host/toolstack.c: the tree a guest finds when it starts, laid out as libxl
 * does: keys the guest may read, and a few places where it may write.
 */
#include "host/toolstack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "host/domain.h"
#include "host/log.h"
#include "host/store/store.h"

#define CONSOLE_LIMIT 1048576 /* bytes a daemon would buffer for a reader */

/* Writes many keys below (base); after the first error, none. */
struct scribe {
    struct store *store;
    char base[64];
    char key[64]; /* the one that failed */
    int rc;
};

__attribute__((format(printf, 2, 3))) static void
scribe_at(struct scribe *scribe, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(scribe->base, sizeof scribe->base, format, args);
    va_end(args);
}

static void put(struct scribe *scribe, const char *key, const char *value)
{
    char path[128];

    if (scribe->rc)
        return;
    stpcpy(stpcpy(stpcpy(path, scribe->base), "/"), key);
    scribe->rc = store_write(scribe->store, path, value);
    if (scribe->rc)
        snprintf(scribe->key, sizeof scribe->key, "%s", key);
}

static void put_number(struct scribe *scribe, const char *key, uint64_t number)
{
    char digits[24], *at = digits + sizeof digits;

    *--at = '\0';
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    put(scribe, key, at);
}

/*
 * Make the base: (owner)'s, readable for (reader). What is put below it after
 * this inherits that.
 */
static void make(struct scribe *scribe, uint16_t owner, uint16_t reader)
{
    if (scribe->rc)
        return;
    scribe->rc = store_write(scribe->store, scribe->base, "");
    if (!scribe->rc)
        scribe->rc =
            store_set_owner(scribe->store, scribe->base, owner, reader);
    if (scribe->rc)
        stpcpy(scribe->key, scribe->base);
}

static void make_uuid(char uuid[37])
{
    uint8_t b[16] = {0};

    /* for a name only: should there be no chance, zeroes do */
    if (getrandom(b, sizeof b, GRND_NONBLOCK) < 0)
        memset(b, 0, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4: random */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(uuid, 37,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
             b[11], b[12], b[13], b[14], b[15]);
}

static void publish_host(struct scribe *scribe)
{
    scribe_at(scribe, "/local/domain/%u", BACKEND_ID);
    put(scribe, "name", "Domain-0");
    put_number(scribe, "domid", BACKEND_ID);
}

static void publish_vm(struct scribe *scribe, const struct domain *dom,
                       const char *uuid)
{
    scribe_at(scribe, "/vm/%s", uuid);
    make(scribe, BACKEND_ID, dom->id);
    put(scribe, "uuid", uuid);
    put(scribe, "name", dom->config->name);
    put(scribe, "image/ostype", "linux"); /* what libxl calls every PV guest */
    put(scribe, "image/kernel", dom->config->image);
    put(scribe, "image/cmdline", dom->config->cmdline);
    put_number(scribe, "start_time", (uint64_t)time(NULL));
}

static void publish_domain(struct scribe *scribe, const struct domain *dom,
                           const char *uuid)
{
    const uint64_t kib = dom->config->memory_bytes >> 10;
    char key[40], vm[48];

    stpcpy(stpcpy(vm, "/vm/"), uuid);
    put(scribe, "vm", vm);
    put(scribe, "name", dom->config->name);
    put_number(scribe, "domid", dom->id);
    put(scribe, "device", "");
    put_number(scribe, "memory/static-max", kib);
    put_number(scribe, "memory/target", kib);
    put(scribe, "memory/videoram", "0");
    put(scribe, "control/platform-feature-multiprocessor-suspend", "1");
    put(scribe, "control/platform-feature-xs_reset_watches", "1");
    for (unsigned i = 0; i < dom->nr_vcpus; i++) {
        snprintf(key, sizeof key, "cpu/%u/availability", i);
        put(scribe, key, "online");
    }
}

static void console_backend(const struct domain *dom, char path[64])
{
    snprintf(path, 64, "/local/domain/%u/backend/console/%u/0", BACKEND_ID,
             dom->id);
}

static void publish_rings(struct scribe *scribe, const struct domain *dom)
{
    char backend[64];

    put_number(scribe, "store/port", dom->rings.store_port);
    put_number(scribe, "store/ring-ref", dom->rings.store_mfn);
    console_backend(dom, backend);
    put(scribe, "console/backend", backend);
    put_number(scribe, "console/backend-id", BACKEND_ID);
    put_number(scribe, "console/limit", CONSOLE_LIMIT);
    put(scribe, "console/type", "xenconsoled");
    put(scribe, "console/output", "pty");
    put(scribe, "console/tty", "");
    put_number(scribe, "console/port", dom->rings.console_port);
    put_number(scribe, "console/ring-ref", dom->rings.console_mfn);
}

static void publish_console_backend(struct scribe *scribe,
                                    const struct domain *dom)
{
    char backend[64], frontend[64];

    console_backend(dom, backend);
    snprintf(frontend, sizeof frontend, "/local/domain/%u/console", dom->id);
    scribe_at(scribe, "%s", backend);
    make(scribe, BACKEND_ID, dom->id);
    put(scribe, "frontend", frontend);
    put_number(scribe, "frontend-id", dom->id);
    put(scribe, "online", "1");
    put(scribe, "state", "1");
    put(scribe, "protocol", "vt100");
}

/* The places that are the guest's own to write. */
static void publish_guest_places(struct scribe *scribe,
                                 const struct domain *dom)
{
    static const char *const places[] = {
        "control/shutdown",
        "control/sysrq",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "device/suspend/event-channel",
        "data",
        "drivers",
        "feature",
        "attr",
        "error",
    };

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        scribe_at(scribe, "/local/domain/%u/%s", dom->id, places[i]);
        make(scribe, dom->id, dom->id);
    }
}

int toolstack_publish(struct domain *dom)
{
    struct scribe scribe = {.store = dom->store};
    char uuid[37];

    make_uuid(uuid);
    publish_host(&scribe);
    publish_vm(&scribe, dom, uuid);
    scribe_at(&scribe, "/local/domain/%u", dom->id);
    make(&scribe, BACKEND_ID, dom->id);
    publish_domain(&scribe, dom, uuid);
    publish_rings(&scribe, dom);
    publish_console_backend(&scribe, dom);
    publish_guest_places(&scribe, dom);

    if (scribe.rc)
        log_error("cannot write %s of domain %u to xenstore: %s; free some "
                  "memory",
                  scribe.key, dom->id, strerror(-scribe.rc));
    return scribe.rc;
}

int toolstack_request_shutdown(struct domain *dom, const char *reason)
{
    char path[64];

    snprintf(path, sizeof path, "/local/domain/%u/control/shutdown", dom->id);
    return store_write(dom->store, path, reason);
}

int toolstack_set_target(struct domain *dom, uint64_t bytes)
{
    char path[64];

    snprintf(path, sizeof path, "/local/domain/%u/memory/target", dom->id);
    return store_printf(dom->store, path, "%" PRIu64, bytes >> 10);
}

int toolstack_send_sysrq(struct domain *dom, char key)
{
    char path[64];

    snprintf(path, sizeof path, "/local/domain/%u/control/sysrq", dom->id);
    return store_printf(dom->store, path, "%c", key);
}

int toolstack_exit_status(struct domain *dom, int *status)
{
    char path[64];
    uint64_t value = 0;
    int rc;

    if (!store_was_used(dom->store)) {
        *status = 0; /* nobody wrote anything */
        return 0;
    }
    snprintf(path, sizeof path, "/local/domain/%u/data/exit-status", dom->id);
    rc = store_read_u64(dom->store, path, &value);
    if (rc == -ENOENT)
        value = 0;
    else if (rc || value > 255) {
        log_error("the guest left no number from 0 to 255 in its xenstore key "
                  "data/exit-status; it must write one in decimal digits");
        return -EINVAL;
    }
    *status = (int)value;
    return 0;
}
