/*
 * host/store/session_requests.c: requests about the connection itself: its
 * watches, its transactions, and what is not for guests.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/store/number.h"
#include "host/store/request.h"
#include "host/store/server.h"
#include "host/store/transaction.h"

/* Longest token with which every event fits a message. */
#define TOKEN_MAX (XENSTORE_PAYLOAD_MAX - XENSTORE_ABS_PATH_MAX - 2)

/* What WATCH and UNWATCH have in common: the path and the token. */
static int take_watch(struct request *req, char path[PATH_SIZE],
                      const char **token, bool *relative)
{
    const char *text = request_string(req);

    *token = request_only_string(req);
    if (!text || !*token || strlen(*token) > TOKEN_MAX)
        return -EINVAL;
    if (strcmp(text, "@introduceDomain") == 0 ||
        strcmp(text, "@releaseDomain") == 0)
        return -EACCES; /* domains coming and going: not for a guest */
    *relative = text[0] != '/';
    return request_path(req, text, path);
}

int serve_watch(struct request *req)
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
    return request_answer_ok(req);
}

int serve_unwatch(struct request *req)
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
    return request_answer_ok(req);
}

int serve_reset_watches(struct request *req)
{
    connection_reset(req->conn);
    return request_answer_ok(req);
}

static uint32_t new_transaction_id(struct connection *conn)
{
    do
        conn->last_transaction++;
    while (conn->last_transaction == 0 ||
           *connection_transaction(conn, conn->last_transaction));
    return conn->last_transaction;
}

int serve_transaction_start(struct request *req)
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
    return request_answer(req, id, (size_t)sprintf(id, "%" PRIu32, tx->id) + 1);
}

int serve_transaction_end(struct request *req)
{
    const char *verdict = request_only_string(req);
    struct connection *conn = req->conn;
    struct transaction *tx = req->view.tx;
    int rc = 0;

    if (!verdict || (strcmp(verdict, "T") != 0 && strcmp(verdict, "F") != 0))
        return -EINVAL;
    if (!tx)
        return -ENOENT;

    if (verdict[0] == 'T')
        rc = transaction_commit(conn->store, tx);
    *connection_transaction(conn, tx->id) = tx->next;
    conn->nr_transactions--;
    transaction_free(tx);
    return rc ? rc : request_answer_ok(req);
}

int serve_get_domain_path(struct request *req)
{
    const char *text = request_only_string(req);
    uint64_t domid;
    char path[40];

    if (!text || number_parse(text, strlen(text), &domid) || domid > UINT16_MAX)
        return -EINVAL;
    return request_answer(
        req, path, (size_t)sprintf(path, "/local/domain/%" PRIu64, domid) + 1);
}

int serve_privileged(struct request *req)
{
    (void)req;
    return -EACCES;
}
