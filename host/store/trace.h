/*
 * host/store/trace.h: --trace xenstore: a line on stderr for each request and
 * each event.
 */
#ifndef HOST_STORE_TRACE_H
#define HOST_STORE_TRACE_H

#include <stddef.h>

struct connection;
struct store;

/* A sentence, if (store) is traced; control characters are not let through. */
void trace_line(const struct store *store, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The request in conn->in and its answer in conn->out. */
void trace_request(const struct connection *conn);

#endif
