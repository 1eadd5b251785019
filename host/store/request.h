/*
 * host/store/request.h: one request on its way through its handler.
 *
 * A handler takes its payload apart, acts, and calls request_answer once: 0;
 * or returns -errno, which becomes the error's name for the guest.
 */
#ifndef HOST_STORE_REQUEST_H
#define HOST_STORE_REQUEST_H

#include <stddef.h>

#include "host/store/connection.h"
#include "host/store/path.h"
#include "host/store/view.h"

struct request {
    struct connection *conn;
    struct view view;    /* the guest's, in the transaction it named */
    const char *payload; /* what is left of it */
    size_t len;
};

/* Put the answer into conn->out: 0, or -E2BIG if it cannot be sent. */
int request_answer(struct request *req, const void *payload, size_t len);
int request_answer_ok(struct request *req);

/*
 * Cut the next NUL-terminated string off the payload: it, or NULL if there is
 * none.
 */
const char *request_string(struct request *req);

/* The payload as exactly one string, or NULL. */
const char *request_only_string(struct request *req);

/* (text), which may be NULL, as a canonical path: 0 or -EINVAL. */
int request_path(const struct request *req, const char *text,
                 char path[PATH_SIZE]);

/* Handlers of what concerns nodes: node_requests.c */
int serve_directory(struct request *req);
int serve_directory_part(struct request *req);
int serve_read(struct request *req);
int serve_write(struct request *req);
int serve_mkdir(struct request *req);
int serve_rm(struct request *req);
int serve_get_perms(struct request *req);
int serve_set_perms(struct request *req);

/* ... and the guest's connection: session_requests.c */
int serve_watch(struct request *req);
int serve_unwatch(struct request *req);
int serve_reset_watches(struct request *req);
int serve_transaction_start(struct request *req);
int serve_transaction_end(struct request *req);
int serve_get_domain_path(struct request *req);
int serve_privileged(struct request *req);

#endif
