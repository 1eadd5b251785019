#include "fake_store.h"

#include <ring/bytes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"

#define NR_NODES   128
#define NR_WATCHES 32
#define NR_CHANGES 32

struct fake_store fake_store;

static struct {
    char path[128], value[4096];
    bool used;
} nodes[NR_NODES];

static struct {
    char path[128], token[32];
    bool used;
} watches[NR_WATCHES];

/* What the transaction wrote; reads see only what was committed. */
static struct {
    char path[128], value[256];
} changes[NR_CHANGES];
static unsigned nr_changes;

static struct ring_bytes in, out;
static char request[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX + 1];
static size_t request_len;
static char queue[1 << 20]; /* answers not in the ring yet */
static size_t queue_len;

void fake_store_send(uint32_t type, uint32_t req_id, const void *payload,
                     uint32_t len)
{
    struct xsd_sockmsg header = {type, req_id, 0, len};

    memcpy(queue + queue_len, &header, sizeof header);
    if (len <= XENSTORE_PAYLOAD_MAX)
        memcpy(queue + queue_len + sizeof header, payload, len);
    queue_len += sizeof header + (len <= XENSTORE_PAYLOAD_MAX ? len : 0);
}

static void fire(const char *watched, const char *token)
{
    char event[256];
    int len = snprintf(event, sizeof event, "%s%c%s", watched, 0, token);

    fake_store_send(XS_WATCH_EVENT, 0, event, (uint32_t)len + 1);
}

static int find(const char *path)
{
    for (int i = 0; i < NR_NODES; i++)
        if (nodes[i].used && !strcmp(nodes[i].path, path))
            return i;
    return -1;
}

void fake_store_write(const char *path, const char *value)
{
    int i = find(path);

    for (int free = 0; i < 0 && free < NR_NODES; free++)
        if (!nodes[free].used)
            i = free;
    nodes[i].used = value != NULL;
    snprintf(nodes[i].path, sizeof nodes[i].path, "%s", path);
    snprintf(nodes[i].value, sizeof nodes[i].value, "%s", value ? value : "");
    for (int w = 0; w < NR_WATCHES; w++)
        if (watches[w].used &&
            !strncmp(path, watches[w].path, strlen(watches[w].path)))
            fire(path, watches[w].token);
}

const char *fake_store_read(const char *path)
{
    int i = find(path);

    return i < 0 ? NULL : nodes[i].value;
}

static void reply(const struct xsd_sockmsg *h, const void *data, size_t len)
{
    fake_store_send(h->type, h->req_id, data, (uint32_t)len);
}

static void reply_error(const struct xsd_sockmsg *h, const char *name)
{
    fake_store_send(XS_ERROR, h->req_id, name, (uint32_t)strlen(name) + 1);
}

static void directory(const struct xsd_sockmsg *h, const char *path)
{
    char names[4096];
    size_t len = 0, prefix = strlen(path);

    for (int i = 0; i < NR_NODES; i++) {
        const char *name = nodes[i].path + prefix + 1;
        size_t n = strcspn(name, "/");

        if (!nodes[i].used || strncmp(nodes[i].path, path, prefix) != 0 ||
            nodes[i].path[prefix] != '/')
            continue;
        if (len >= n + 1 && !strncmp(names + len - n - 1, name, n))
            continue; /* the one just named */
        memcpy(names + len, name, n);
        names[len + n] = '\0';
        len += n + 1;
    }
    if (len)
        reply(h, names, len);
    else
        reply_error(h, "ENOENT");
}

static void watch(const struct xsd_sockmsg *h, const char *path,
                  const char *token)
{
    int w = 0;

    while (watches[w].used)
        w++;
    snprintf(watches[w].path, sizeof watches[w].path, "%s", path);
    snprintf(watches[w].token, sizeof watches[w].token, "%s", token);
    watches[w].used = true;
    reply(h, "OK", 3);
    fire(path, token);
}

static void unwatch(const struct xsd_sockmsg *h, const char *token)
{
    for (int w = 0; w < NR_WATCHES; w++)
        if (watches[w].used && !strcmp(watches[w].token, token))
            watches[w].used = false;
    reply(h, "OK", 3);
}

static void guest_write(const struct xsd_sockmsg *h, const char *path,
                        const char *value)
{
    reply(h, "OK", 3);
    if (h->tx_id) {
        snprintf(changes[nr_changes].path, sizeof changes->path, "%s", path);
        snprintf(changes[nr_changes].value, sizeof changes->value, "%s", value);
        nr_changes++;
        return;
    }
    fake_store_write(path, value);
    if (fake_store.wrote)
        fake_store.wrote(path, value);
}

static void tx_end(const struct xsd_sockmsg *h, bool commit)
{
    unsigned nr = nr_changes;

    nr_changes = 0;
    if (commit && fake_store.interfere) {
        fake_store.interfere--;
        reply_error(h, "EAGAIN");
        return;
    }
    reply(h, "OK", 3);
    if (!commit)
        return;
    fake_store.nr_commits++;
    for (unsigned i = 0; i < nr; i++) {
        fake_store_write(changes[i].path, changes[i].value);
        if (fake_store.wrote)
            fake_store.wrote(changes[i].path, changes[i].value);
    }
}

static void serve(const struct xsd_sockmsg *h, char *payload)
{
    const char *second = payload + strlen(payload) + 1;
    const char *value;

    fake_store.nr_messages++;
    payload[h->len] = '\0';
    switch (h->type) {
    case XS_READ:
        value = fake_store_read(payload);
        if (value)
            reply(h, value, strlen(value));
        else
            reply_error(h, "ENOENT");
        break;
    case XS_WRITE:
        guest_write(h, payload, second);
        break;
    case XS_RM:
        if (fake_store_read(payload))
            fake_store_write(payload, NULL);
        reply(h, "OK", 3);
        break;
    case XS_DIRECTORY:
        directory(h, payload);
        break;
    case XS_WATCH:
        watch(h, payload, second);
        break;
    case XS_UNWATCH:
        unwatch(h, second);
        break;
    case XS_TRANSACTION_START:
        reply(h, "7", 2);
        break;
    case XS_TRANSACTION_END:
        tx_end(h, *payload == 'T');
        break;
    default:
        reply_error(h, "ENOSYS");
    }
}

static bool receive(void)
{
    const struct xsd_sockmsg *h = (const struct xsd_sockmsg *)request;
    size_t want = sizeof *h;
    ssize_t n;
    bool any = false;

    for (;;) {
        if (request_len >= sizeof *h)
            want = sizeof *h + h->len;
        if (request_len >= sizeof *h && request_len == want) {
            serve(h, request + sizeof *h);
            request_len = 0;
            want = sizeof *h;
        }
        n = ring_bytes_read(&in, request + request_len, want - request_len);
        if (n <= 0)
            return any;
        request_len += (size_t)n;
        any = true;
    }
}

static bool answer(void)
{
    ssize_t n = ring_bytes_write(&out, queue, queue_len);

    if (n <= 0)
        return false;
    memmove(queue, queue + n, queue_len - (size_t)n);
    queue_len -= (size_t)n;
    return true;
}

bool fake_store_run(void)
{
    bool any = receive();

    any |= answer();
    if (any)
        fake_raise(FAKE_STORE_PORT);
    return any;
}

static void notified(void)
{
    if (!fake_store.late)
        fake_store_run();
}

void fake_store_init(void)
{
    struct xenstore_domain_interface *page = fake.store_page;

    memset(&fake_store, 0, sizeof fake_store);
    memset(nodes, 0, sizeof nodes);
    memset(watches, 0, sizeof watches);
    request_len = queue_len = nr_changes = 0;
    /* Somebody used the ring before: it does not begin at 0. */
    page->req_cons = page->req_prod = 0xfffffc18;
    page->rsp_cons = page->rsp_prod = 1000;
    ring_bytes_attach_consumer(&in, page->req, XENSTORE_RING_SIZE,
                               &page->req_prod, &page->req_cons);
    ring_bytes_attach_producer(&out, page->rsp, XENSTORE_RING_SIZE,
                               &page->rsp_prod, &page->rsp_cons);
    fake_on_send(FAKE_STORE_PORT, notified);
    fake.world = fake_store_run;
}
