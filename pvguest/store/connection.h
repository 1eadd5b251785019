/*
 * pvguest/store/connection.h: the one connection to xenstore, shared by the
 * calls and the watches.
 */
#ifndef PVGUEST_STORE_CONNECTION_H
#define PVGUEST_STORE_CONNECTION_H

#include "wire.h"

/*
 * Send a request of (type) and wait for its reply, whose payload goes to
 * (buf). Returns the payload's length; -E2BIG when it exceeds (size); the
 * error the server named; -EIO when there is no server or it is broken.
 */
long store_request(uint32_t type, uint32_t tx, const struct wire_part *parts,
                   unsigned nr_parts, char *buf, size_t size);

/* A watch event for (token) came; called between messages, must not block. */
void store_watch_event(const char *token);

#endif
