/*
 * host/store/wire.c: each type of request, from its payload to its answer.
 */
#include "host/store/wire.h"

#include <errno.h> /* before xs_wire.h, for its table of error names */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/store/connection.h"
#include "host/store/number.h"
#include "host/store/server.h"
#include "host/store/trace.h"
#include "host/store/transaction.h"
#include "host/store/view.h"

/* A request, checked so far that its type is known. */
struct request {
    struct connection *conn;
    struct view view;
    const char *payload;
    size_t len;
};

/* Longest token with which every event fits a message. */
#define TOKEN_MAX (XENSTORE_PAYLOAD_MAX - XENSTORE_ABS_PATH_MAX - 2)

static int answer(struct connection *conn, const void *payload, size_t len)
{
    if (len > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    conn->out.header = conn->in.header;
    conn->out.header.len = (uint32_t)len;
    memcpy(conn->out.payload, payload, len);
    conn->out_len = sizeof conn->out.header + len;
    conn->out_sent = 0;
    return 0;
}

static int answer_ok(struct connection *conn)
{
    return answer(conn, "OK", sizeof "OK");
}

static void answer_error(struct connection *conn, int error)
{
    const char *name = "EINVAL"; /* for what the protocol has no name for */

    for (size_t i = 0; i < sizeof xsd_errors / sizeof *xsd_errors; i++)
        if (xsd_errors[i].errnum == error)
            name = xsd_errors[i].errstring;
    answer(conn, name, strlen(name) + 1);
    conn->out.header.type = XS_ERROR;
}

/*
 * Cut the next NUL-terminated string off the payload: it, or NULL if there is
 * none.
 */
static const char *next_string(struct request *req)
{
    const char *string = req->payload;
    const char *end = req->len ? memchr(string, '\0', req->len) : NULL;

    if (!end)
        return NULL;
    req->payload = end + 1;
    req->len -= (size_t)(end + 1 - string);
    return string;
}

/* The payload as exactly one string, or NULL. */
static const char *only_string(struct request *req)
{
    const char *string = next_string(req);

    return req->len == 0 ? string : NULL;
}

static int to_path(const struct request *req, const char *string,
                   char path[PATH_SIZE])
{
    return string ? path_canonical(req->view.domid, string, path) : -EINVAL;
}

/* The payload is one path, and its node one with (right). */
static int find_only(struct request *req, enum right right,
                     const struct node **node)
{
    char path[PATH_SIZE];
    int rc = to_path(req, only_string(req), path);

    return rc ? rc : view_find(&req->view, path, right, node);
}

/*
 * The list of children as the protocol has it, from (offset) on, as much as
 * (room) holds in whole names. Returns its length; *end: nothing is left.
 */
static size_t list_children(const struct node *node, size_t offset, char *buf,
                            size_t room, bool *end)
{
    size_t at = 0, used = 0;

    *end = false;
    for (uint32_t i = 0; i < node->nr_children; i++) {
        const struct node *child = node->children[i];
        const size_t size = child->name_len + 1;
        size_t skip;

        at += size;
        if (at <= offset)
            continue;
        skip = offset > at - size ? offset - (at - size) : 0;
        if (used + size - skip > room)
            return used;
        memcpy(buf + used, child->name + skip, size - skip);
        used += size - skip;
    }
    *end = true;
    return used;
}

static int do_directory(struct request *req)
{
    char names[XENSTORE_PAYLOAD_MAX];
    const struct node *node;
    size_t len;
    bool end;
    int rc;

    rc = find_only(req, RIGHT_READ, &node);
    if (rc)
        return rc;
    len = list_children(node, 0, names, sizeof names, &end);
    return end ? answer(req->conn, names, len) : -E2BIG;
}

/* Answer: generation, names from the offset on, and "" after the last one. */
static int do_directory_part(struct request *req)
{
    const char *text = next_string(req), *number = only_string(req);
    char part[XENSTORE_PAYLOAD_MAX], path[PATH_SIZE];
    const struct node *node;
    uint64_t offset;
    size_t len;
    bool end;
    int rc;

    rc = to_path(req, text, path);
    if (rc)
        return rc;
    if (!number || number_parse(number, strlen(number), &offset))
        return -EINVAL;
    rc = view_find(&req->view, path, RIGHT_READ, &node);
    if (rc)
        return rc;

    len = (size_t)sprintf(part, "%" PRIu64, node->generation) + 1;
    len += list_children(node, offset, part + len, sizeof part - len - 1, &end);
    if (end)
        part[len++] = '\0';
    return answer(req->conn, part, len);
}

static int do_read(struct request *req)
{
    const struct node *node;
    int rc = find_only(req, RIGHT_READ, &node);

    if (rc)
        return rc;
    return answer(req->conn, node->value ? node->value : "", node->value_len);
}

static int do_write(struct request *req)
{
    char path[PATH_SIZE];
    int rc = to_path(req, next_string(req), path);

    if (!rc)
        rc = view_write(&req->view, path, req->payload, req->len);
    return rc ? rc : answer_ok(req->conn);
}

static int do_mkdir(struct request *req)
{
    char path[PATH_SIZE];
    int rc = to_path(req, only_string(req), path);

    if (!rc)
        rc = view_mkdir(&req->view, path);
    return rc ? rc : answer_ok(req->conn);
}

static int do_rm(struct request *req)
{
    char path[PATH_SIZE];
    int rc = to_path(req, only_string(req), path);

    if (!rc)
        rc = view_remove(&req->view, path);
    return rc ? rc : answer_ok(req->conn);
}

static int do_get_perms(struct request *req)
{
    char list[XENSTORE_PAYLOAD_MAX];
    const struct node *node;
    size_t len = 0;
    int rc;

    rc = find_only(req, RIGHT_READ, &node);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < node->perms->nr; i++) {
        if (len + 8 > sizeof list)
            return -E2BIG;
        len += permission_format(&node->perms->list[i], list + len) + 1;
    }
    return answer(req->conn, list, len);
}

static int do_set_perms(struct request *req)
{
    /* no entry is shorter than two letters and a NUL */
    struct permission list[XENSTORE_PAYLOAD_MAX / 3];
    const char *text = next_string(req), *entry;
    char path[PATH_SIZE];
    size_t nr = 0;
    int rc;

    rc = to_path(req, text, path);
    if (rc)
        return rc;
    while (req->len) {
        entry = next_string(req);
        rc = entry ? permission_parse(entry, &list[nr++]) : -EINVAL;
        if (rc)
            return rc;
    }
    if (nr == 0)
        return -EINVAL;
    rc = view_set_permissions(&req->view, path, list, nr);
    return rc ? rc : answer_ok(req->conn);
}

/* What WATCH and UNWATCH have in common: the path and the token. */
static int take_watch(struct request *req, char path[PATH_SIZE],
                      const char **token, bool *relative)
{
    const char *text = next_string(req);

    *token = only_string(req);
    if (!text || !*token || strlen(*token) > TOKEN_MAX)
        return -EINVAL;
    if (strcmp(text, "@introduceDomain") == 0 ||
        strcmp(text, "@releaseDomain") == 0)
        return -EACCES; /* domains coming and going: not for a guest */
    *relative = text[0] != '/';
    return to_path(req, text, path);
}

static int do_watch(struct request *req)
{
    struct connection *conn = req->conn;
    struct watch_list *list = &conn->store->watches;
    struct store_watch *watch;
    char path[PATH_SIZE];
    const char *token;
    bool relative;
    int rc;

    rc = take_watch(req, path, &token, &relative);
    if (rc)
        return rc;
    if (watch_find(list, &conn->events, path, token))
        return -EEXIST;
    if (conn->nr_watches >= QUOTA_WATCHES)
        return -ENOSPC;
    watch = watch_add(list, &conn->events, conn->domid, path, token);
    if (!watch)
        return -ENOMEM;
    if (relative)
        watch->home_len = path_home_length(conn->domid);
    conn->nr_watches++;
    return answer_ok(conn);
}

static int do_unwatch(struct request *req)
{
    struct connection *conn = req->conn;
    struct watch_list *list = &conn->store->watches;
    struct store_watch *watch;
    char path[PATH_SIZE];
    const char *token;
    bool relative;
    int rc;

    rc = take_watch(req, path, &token, &relative);
    if (rc)
        return rc;
    watch = watch_find(list, &conn->events, path, token);
    if (!watch)
        return -ENOENT;
    watch_remove(list, watch);
    conn->nr_watches--;
    return answer_ok(conn);
}

static int do_reset_watches(struct request *req)
{
    connection_reset(req->conn);
    return answer_ok(req->conn);
}

/* The link that leads to transaction (id); to NULL if there is none. */
static struct transaction **find_transaction(struct connection *conn,
                                             uint32_t id)
{
    struct transaction **link = &conn->transactions;

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    return link;
}

static uint32_t new_transaction_id(struct connection *conn)
{
    do
        conn->last_transaction++;
    while (conn->last_transaction == 0 ||
           *find_transaction(conn, conn->last_transaction));
    return conn->last_transaction;
}

static int do_transaction_start(struct request *req)
{
    struct connection *conn = req->conn;
    struct transaction *tx;
    char id[16];
    int rc;

    if (req->view.tx)
        return -EBUSY;
    if (conn->nr_transactions >= QUOTA_TRANSACTIONS)
        return -ENOSPC;
    rc = transaction_start(conn->store, new_transaction_id(conn), &tx);
    if (rc)
        return rc;
    tx->next = conn->transactions;
    conn->transactions = tx;
    conn->nr_transactions++;
    return answer(conn, id, (size_t)sprintf(id, "%" PRIu32, tx->id) + 1);
}

static int do_transaction_end(struct request *req)
{
    const char *verdict = only_string(req);
    struct connection *conn = req->conn;
    struct transaction *tx = req->view.tx;
    int rc = 0;

    if (!verdict || (strcmp(verdict, "T") && strcmp(verdict, "F")))
        return -EINVAL;
    if (!tx)
        return -ENOENT;

    if (verdict[0] == 'T')
        rc = transaction_commit(conn->store, tx);
    *find_transaction(conn, tx->id) = tx->next;
    conn->nr_transactions--;
    transaction_free(tx);
    return rc ? rc : answer_ok(conn);
}

static int do_get_domain_path(struct request *req)
{
    const char *text = only_string(req);
    uint64_t domid;
    char path[40];

    if (!text || number_parse(text, strlen(text), &domid) || domid > UINT16_MAX)
        return -EINVAL;
    return answer(req->conn, path,
                  (size_t)sprintf(path, "/local/domain/%" PRIu64, domid) + 1);
}

static int do_privileged(struct request *req)
{
    (void)req;
    return -EACCES;
}

static const struct request_type {
    int (*serve)(struct request *req); /* NULL: not a request */
    bool no_transaction;               /* tx_id is ignored */
} request_types[XS_TYPE_COUNT] = {
    [XS_CONTROL] = {do_privileged, true},
    [XS_DIRECTORY] = {do_directory, false},
    [XS_READ] = {do_read, false},
    [XS_GET_PERMS] = {do_get_perms, false},
    [XS_WATCH] = {do_watch, true},
    [XS_UNWATCH] = {do_unwatch, true},
    [XS_TRANSACTION_START] = {do_transaction_start, false},
    [XS_TRANSACTION_END] = {do_transaction_end, false},
    [XS_INTRODUCE] = {do_privileged, true},
    [XS_RELEASE] = {do_privileged, true},
    [XS_GET_DOMAIN_PATH] = {do_get_domain_path, true},
    [XS_WRITE] = {do_write, false},
    [XS_MKDIR] = {do_mkdir, false},
    [XS_RM] = {do_rm, false},
    [XS_SET_PERMS] = {do_set_perms, false},
    [XS_IS_DOMAIN_INTRODUCED] = {do_privileged, true},
    [XS_RESUME] = {do_privileged, true},
    [XS_SET_TARGET] = {do_privileged, true},
    [XS_RESET_WATCHES] = {do_reset_watches, true},
    [XS_DIRECTORY_PART] = {do_directory_part, false},
};

static int serve(struct connection *conn)
{
    const struct xsd_sockmsg *header = &conn->in.header;
    struct request req = {
        .conn = conn,
        .view = {.store = conn->store, .domid = conn->domid},
        .payload = conn->in.payload,
        .len = header->len,
    };
    const struct request_type *type;

    if (header->type >= XS_TYPE_COUNT)
        return -ENOSYS;
    type = &request_types[header->type];
    if (!type->serve)
        return -ENOSYS;
    if (!type->no_transaction && header->tx_id) {
        req.view.tx = *find_transaction(conn, header->tx_id);
        if (!req.view.tx)
            return -ENOENT;
    }
    return type->serve(&req);
}

void wire_request(struct connection *conn)
{
    const int rc = serve(conn);

    if (rc)
        answer_error(conn, -rc);
    trace_request(conn);
}

void wire_event(struct connection *conn, const struct event *event)
{
    const struct store_watch *watch = event->watch;
    const char *path = event->path + watch->home_len;
    const size_t path_size = strlen(path) + 1;
    const size_t token_size = strlen(watch->token) + 1;

    conn->out.header = (struct xsd_sockmsg){
        .type = XS_WATCH_EVENT,
        .len = (uint32_t)(path_size + token_size),
    };
    memcpy(conn->out.payload, path, path_size);
    memcpy(conn->out.payload + path_size, watch->token, token_size);
    conn->out_len = sizeof conn->out.header + path_size + token_size;
    conn->out_sent = 0;
    trace_line(conn->store, "d%u event %s token %s", conn->domid, path,
               watch->token);
}
