/*
 * A guest that does anything to its xenstore page, while the host goes on
 * using the store.
 *
 * The input is a list of deeds, each a byte and what it needs: whole requests,
 * bare bytes, lies about counters, reading a little or nothing at all.
 */
#include "input.h"

#include "host/store/connection.h"
#include "host/store/server.h"
#include "host/store/store.h"

static struct store *store;
static struct xenstore_domain_interface *page;

static void push(const void *bytes, size_t len)
{
    const char *from = bytes;

    for (size_t i = 0; i < len; i++) {
        if (page->req_prod - page->req_cons >= XENSTORE_RING_SIZE)
            connection_serve(store->guest);
        if (page->req_prod - page->req_cons >= XENSTORE_RING_SIZE)
            return;
        /* The analyser does not know the single bytes of a header's field. */
        /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
        page->req[MASK_XENSTORE_IDX(page->req_prod++)] = from[i];
    }
}

/* A payload of words that mean something, and of bytes that need not. */
static size_t make_payload(struct input *in, char payload[256])
{
    static const char *const words[] = {
        "data",   "/a",    "/b",     "T",      "F",   "n1",
        "b0",     "1",     "device", "/x",     "/1",  "/state",
        "/local", "/data", "/",      "domain", "tok", "@releaseDomain",
    };
    const unsigned nr_words = sizeof words / sizeof *words;
    size_t len = 0;

    for (unsigned nr = input_u8(in) % 12; nr && len + 16 < 256; nr--) {
        const uint8_t pick = input_u8(in);

        if (pick % 64 < nr_words)
            len = (size_t)(stpcpy(payload + len, words[pick % 64]) - payload);
        else if (pick < 200)
            payload[len++] = '\0';
        else
            payload[len++] = (char)input_u8(in);
    }
    return len;
}

static void push_request(struct input *in)
{
    char payload[256] = {0};
    struct xsd_sockmsg header = {
        .type = input_u8(in) % 24,
        .req_id = input_left(in) & 0xff,
    };

    header.tx_id = input_u8(in) % 16;
    header.len = (uint32_t)make_payload(in, payload);
    push(&header, sizeof header);
    push(payload, header.len);
}

static void push_bytes(struct input *in)
{
    char bytes[256];
    const size_t len = input_u8(in);

    input_take(in, bytes, len);
    push(bytes, len);
}

static void lie(struct input *in)
{
    uint32_t *const words[] = {&page->req_cons, &page->req_prod,
                               &page->rsp_cons, &page->rsp_prod,
                               &page->connection};

    uint32_t *word = words[input_u8(in) % 5];

    *word = input_u32(in) & (input_u8(in) % 2 ? 0xf : UINT32_MAX);
}

static void host_acts(struct input *in)
{
    static const char *const paths[] = {
        "/local/domain/1/data/a", "/local/domain/1/data/a/b",
        "/local/domain/1/device/x/1/state", "/local/domain/1"};
    const uint8_t deed = input_u8(in);
    const char *path = paths[deed % 4];

    if (deed & 0x80)
        store_remove(store, path);
    else if (deed & 0x40)
        store_set_owner(store, path, 1, 0);
    else
        store_write(store, path, "value");
}

static void no_kick(void *context)
{
    (void)context;
}

static void host_hears(void *context, const char *path)
{
    ++*(size_t *)context;
    PROMISE(path[0] == '/');
}

static void start(size_t *nr_heard)
{
    static const char *const places[] = {"/local/domain/1/data",
                                         "/local/domain/1/device"};

    page = calloc(1, 4096);
    PROMISE(page && store_create(&store) == 0);
    for (int i = 0; i < 2; i++) {
        store_write(store, places[i], "");
        store_set_owner(store, places[i], 1, 0);
    }
    store_watch(store, "/local", host_hears, nr_heard);
    PROMISE(connection_create(store, 1, page, no_kick, NULL, &store->guest) ==
            0);
}

static void stop(void)
{
    struct connection *conn = store->guest;

    PROMISE(conn->nr_watches <= QUOTA_WATCHES);
    PROMISE(conn->nr_transactions <= QUOTA_TRANSACTIONS);
    PROMISE(conn->events.nr <= EVENTS_MAX);
    connection_destroy(conn);
    store->guest = NULL;
    PROMISE(store->tree.root->refs == 1);
    store_destroy(store);
    free(page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    size_t nr_heard = 0;

    start(&nr_heard);
    while (input_left(&in)) {
        switch (input_u8(&in) % 8) {
        case 0:
        case 1:
        case 2:
            push_request(&in);
            break;
        case 3:
            push_bytes(&in);
            break;
        case 4:
            page->rsp_cons = page->rsp_prod;
            break;
        case 5:
            lie(&in);
            break;
        case 6:
            host_acts(&in);
            break;
        case 7:
            store_run(store);
            break;
        }
        connection_serve(store->guest);
    }
    stop();
    return 0;
}
