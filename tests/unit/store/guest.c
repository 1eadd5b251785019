#include "tests/unit/store/guest.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

struct store *store;
struct connection *conn;
struct xenstore_domain_interface *page;
unsigned kicks;

static char heard[1 << 20];
static uint32_t next_id;

static void kick(void *context)
{
    (void)context;
    kicks++;
}

static void connect_guest(void)
{
    cr_assert_eq(
        connection_create(store, GUEST_ID, page, kick, NULL, &store->guest), 0);
    conn = store->guest;
}

void guest_start(void)
{
    heard[0] = '\0';
    next_id = 1000;
    page = calloc(1, 4096);
    cr_assert_eq(store_create(&store), 0);
    store_write(store, "/local/domain/1", "");
    store_set_owner(store, "/local/domain/1", 0, GUEST_ID);
    store_write(store, "/local/domain/1/name", "tester");
    store_write(store, "/local/domain/1/data", "");
    store_set_owner(store, "/local/domain/1/data", GUEST_ID, GUEST_ID);
    store_write(store, "/secret/plan", "none");
    connect_guest();
}

void guest_stop(void)
{
    connection_destroy(conn);
    store->guest = NULL;
    store_destroy(store);
    free(page);
}

void guest_start_at(uint32_t index)
{
    connection_destroy(conn);
    page->req_cons = page->req_prod = index;
    page->rsp_cons = page->rsp_prod = index;
    connect_guest();
}

size_t guest_push(const void *bytes, size_t len)
{
    const char *from = bytes;
    size_t n = 0;

    for (; n < len && page->req_prod - page->req_cons < XENSTORE_RING_SIZE; n++)
        /* The analyser does not know the single bytes of a header's field. */
        /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
        page->req[MASK_XENSTORE_IDX(page->req_prod++)] = from[n];
    return n;
}

size_t guest_pull(void *bytes, size_t len)
{
    size_t n = 0;

    for (; n < len && page->rsp_cons != page->rsp_prod; n++)
        ((char *)bytes)[n] = page->rsp[MASK_XENSTORE_IDX(page->rsp_cons++)];
    return n;
}

static bool pull_all(void *bytes, size_t len)
{
    size_t got = 0;

    for (int tries = 0; got < len && tries < 20; tries++) {
        got += guest_pull((char *)bytes + got, len - got);
        if (got < len)
            connection_serve(conn);
    }
    return got == len;
}

bool guest_take(struct reply *reply)
{
    if (!pull_all(&reply->header, sizeof reply->header))
        return false;
    cr_assert_leq(reply->header.len, XENSTORE_PAYLOAD_MAX);
    cr_assert(pull_all(reply->payload, reply->header.len));
    reply->payload[reply->header.len] = '\0';
    return true;
}

static void push_all(const void *bytes, size_t len)
{
    size_t put = 0;

    while (put < len) {
        const size_t n = guest_push((const char *)bytes + put, len - put);

        put += n;
        connection_serve(conn);
        cr_assert(n > 0 || page->req_prod - page->req_cons < XENSTORE_RING_SIZE,
                  "the server takes no more");
    }
}

void guest_send(uint32_t type, uint32_t tx, const void *payload, size_t len)
{
    const struct xsd_sockmsg header = {
        .type = type,
        .req_id = ++next_id,
        .tx_id = tx,
        .len = (uint32_t)len,
    };

    push_all(&header, sizeof header);
    push_all(payload, len);
    connection_serve(conn);
}

/* An event is path NUL token NUL. */
static void hear(const struct reply *event)
{
    const char *path = event->payload;
    const char *token = path + strlen(path) + 1;

    cr_assert_eq(event->header.req_id, 0);
    cr_assert_eq(event->header.tx_id, 0);
    cr_assert_eq(event->header.len, strlen(path) + strlen(token) + 2);
    if (heard[0])
        strcat(heard, "; ");
    strcat(heard, path);
    strcat(heard, " ");
    strcat(heard, token);
}

const struct reply *guest_call(uint32_t type, uint32_t tx, const void *payload,
                               size_t len)
{
    static struct reply reply;

    guest_send(type, tx, payload, len);
    for (;;) {
        cr_assert(guest_take(&reply), "no reply to request type %u", type);
        if (reply.header.type != XS_WATCH_EVENT)
            break;
        hear(&reply);
    }
    cr_assert_eq(reply.header.req_id, next_id);
    cr_assert_eq(reply.header.tx_id, tx);
    cr_assert(reply.header.type == type || reply.header.type == XS_ERROR);
    return &reply;
}

const char *ask(uint32_t type, uint32_t tx, const char *text)
{
    return guest_call(type, tx, text, strlen(text) + 1)->payload;
}

static const char *ask_two(uint32_t type, uint32_t tx, const char *first,
                           const char *second, bool nul)
{
    char payload[XENSTORE_PAYLOAD_MAX];
    const size_t one = strlen(first) + 1, two = strlen(second) + nul;

    cr_assert_leq(one + two, sizeof payload);
    memcpy(payload, first, one);
    /* The last NUL is the caller's to ask for. */
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
    memcpy(payload + one, second, two);
    return guest_call(type, tx, payload, one + two)->payload;
}

const char *write_node(uint32_t tx, const char *path, const char *value)
{
    return ask_two(XS_WRITE, tx, path, value, false);
}

const char *watch(const char *path, const char *token)
{
    return ask_two(XS_WATCH, 0, path, token, true);
}

const char *unwatch(const char *path, const char *token)
{
    return ask_two(XS_UNWATCH, 0, path, token, true);
}

const char *end(uint32_t tx, const char *verdict)
{
    return ask(XS_TRANSACTION_END, tx, verdict);
}

uint32_t start(void)
{
    const char *id = ask(XS_TRANSACTION_START, 0, "");

    return (uint32_t)strtoul(id, NULL, 10);
}

const char *events(void)
{
    static char last[sizeof heard];
    struct reply event;

    while (guest_take(&event)) {
        cr_assert_eq(event.header.type, XS_WATCH_EVENT);
        hear(&event);
    }
    strcpy(last, heard);
    heard[0] = '\0';
    return last;
}
