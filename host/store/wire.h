/*
 * host/store/wire.h: messages (xen/io/xs_wire.h): requests taken apart and
 * answered, watch events put together.
 */
#ifndef HOST_STORE_WIRE_H
#define HOST_STORE_WIRE_H

struct connection;
struct event;

/* Serve the whole request in conn->in; its one answer is then in conn->out. */
void wire_request(struct connection *conn);

/* Put (event) into conn->out, which is empty. */
void wire_event(struct connection *conn, const struct event *event);

#endif
