/*
 * host/store/wire.c: from a message to its handler, and back.
 */
#include "host/store/wire.h"

#include <errno.h> /* before xs_wire.h, for its table of error names */
#include <string.h>

#include "host/store/connection.h"
#include "host/store/request.h"
#include "host/store/server.h"
#include "host/store/trace.h"
#include "host/store/transaction.h"

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

int request_answer(struct request *req, const void *payload, size_t len)
{
    return answer(req->conn, payload, len);
}

int request_answer_ok(struct request *req)
{
    return answer(req->conn, "OK", sizeof "OK");
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

const char *request_string(struct request *req)
{
    const char *string = req->payload;
    const char *end = req->len ? memchr(string, '\0', req->len) : NULL;

    if (!end)
        return NULL;
    req->payload = end + 1;
    req->len -= (size_t)(end + 1 - string);
    return string;
}

const char *request_only_string(struct request *req)
{
    const char *string = request_string(req);

    return req->len == 0 ? string : NULL;
}

int request_path(const struct request *req, const char *text,
                 char path[PATH_SIZE])
{
    return text ? path_canonical(req->view.domid, text, path) : -EINVAL;
}

static const struct request_type {
    int (*serve)(struct request *req); /* NULL: not a request */
    bool no_transaction;               /* tx_id is ignored */
} request_types[XS_TYPE_COUNT] = {
    [XS_CONTROL] = {serve_privileged, true},
    [XS_DIRECTORY] = {serve_directory, false},
    [XS_READ] = {serve_read, false},
    [XS_GET_PERMS] = {serve_get_perms, false},
    [XS_WATCH] = {serve_watch, true},
    [XS_UNWATCH] = {serve_unwatch, true},
    [XS_TRANSACTION_START] = {serve_transaction_start, false},
    [XS_TRANSACTION_END] = {serve_transaction_end, false},
    [XS_INTRODUCE] = {serve_privileged, true},
    [XS_RELEASE] = {serve_privileged, true},
    [XS_GET_DOMAIN_PATH] = {serve_get_domain_path, true},
    [XS_WRITE] = {serve_write, false},
    [XS_MKDIR] = {serve_mkdir, false},
    [XS_RM] = {serve_rm, false},
    [XS_SET_PERMS] = {serve_set_perms, false},
    [XS_IS_DOMAIN_INTRODUCED] = {serve_privileged, true},
    [XS_RESUME] = {serve_privileged, true},
    [XS_SET_TARGET] = {serve_privileged, true},
    [XS_RESET_WATCHES] = {serve_reset_watches, true},
    [XS_DIRECTORY_PART] = {serve_directory_part, false},
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
        req.view.tx = *connection_transaction(conn, header->tx_id);
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
