/*
 * tests/unit/store/guest.h: a guest made of bytes: it writes requests into a
 * ring page and takes apart what comes back, knowing nothing of the server.
 *
 * The tree it finds is small: /local/domain/1 is domain 0's and readable,
 * "data" below it is the guest's own.
 */
#ifndef TESTS_UNIT_STORE_GUEST_H
#define TESTS_UNIT_STORE_GUEST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/io/xs_wire.h>

#include "host/store/connection.h"
#include "host/store/server.h"
#include "host/store/store.h"

#define GUEST_ID 1

extern struct store *store;
extern struct connection *conn;
extern struct xenstore_domain_interface *page;
extern unsigned kicks; /* how often the guest was called */

struct reply {
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX + 1]; /* and a NUL */
};

/* Test fixtures: a store with a guest at it. */
void guest_start(void);
void guest_stop(void);

/* Start all four counters there. Before anything was sent. */
void guest_start_at(uint32_t index);

/* Bytes into the request ring, as many as fit; returns how many. */
size_t guest_push(const void *bytes, size_t len);

/* Bytes out of the response ring, at most (len). */
size_t guest_pull(void *bytes, size_t len);

/* One whole message out of the ring, calling the server as needed. */
bool guest_take(struct reply *reply);

/* Put a request into the ring, calling the server whenever the ring is full. */
void guest_send(uint32_t type, uint32_t tx, const void *payload, size_t len);

/* The same, and wait for the reply; events meanwhile are kept. */
const struct reply *guest_call(uint32_t type, uint32_t tx, const void *payload,
                               size_t len);

/* guest_call with one NUL-terminated string; returns the reply's payload. */
const char *ask(uint32_t type, uint32_t tx, const char *text);

/* Requests with two parts. (value) goes without its NUL. */
const char *write_node(uint32_t tx, const char *path, const char *value);
const char *watch(const char *path, const char *token);
const char *unwatch(const char *path, const char *token);
const char *end(uint32_t tx, const char *verdict);
uint32_t start(void); /* a transaction: its id */

/*
 * All events that have come since the last look, as "path token" separated by
 * "; ".
 */
const char *events(void);

#endif
