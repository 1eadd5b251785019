/*
 * host/port.h: event channels of one domain, by the 2-level ABI
 * (xen/event_channel.h) until the guest asks for the other one
 * (host/port_fifo.h), and the host's own ends of them.
 *
 * A port connected to a *backend* of ours is, to the guest, an interdomain
 * channel to the backend's domid; sending to it calls the backend's function
 * at once, on the vCPU's thread.
 */
#ifndef HOST_PORT_H
#define HOST_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/event_channel.h>

struct domain;
struct fifo;
struct vcpu;

#define PORT_MAX_2LEVEL 4096 /* 64 words of 64 bits */

enum port_state {
    PORT_FREE,
    PORT_UNBOUND, /* waits for (remote) to bind */
    PORT_BACKEND, /* interdomain, the other end is ours */
    PORT_LOCAL,   /* interdomain, the other end is this domain's (peer) */
    PORT_VIRQ,
    PORT_IPI,
};

typedef void (*port_fn)(void *context);

struct port {
    uint8_t state;   /* enum port_state */
    uint16_t remote; /* domid of the other end */
    uint16_t vcpu;   /* who is told */
    uint16_t virq;
    uint8_t priority;      /* these of the FIFO ABI: its queue, */
    uint8_t last_priority; /* the one it was last in, */
    uint16_t last_vcpu;
    bool early;         /* raised before it had a word */
    evtchn_port_t peer; /* PORT_LOCAL */
    port_fn notify;     /* PORT_BACKEND: the guest sent */
    port_fn closed;     /* PORT_BACKEND: the guest closed it; may be NULL */
    void *context;
};

struct ports {
    struct port *table; /* grows in steps; [0] is never valid */
    uint32_t nr;        /* allocated length of table */
    uint32_t lowest;    /* none below is free */
    struct fifo *fifo;  /* NULL: the 2-level ABI */
};

/* One more than the highest port that there can be. */
uint32_t ports_max(const struct domain *dom);

int ports_create(struct domain *dom);
void ports_destroy(struct domain *dom);

/* The port's record, or NULL for 0, beyond the table, or free. */
struct port *port_find(struct domain *dom, evtchn_port_t port);

/* Lowest free port, as (state): 0 or -ENOSPC. */
int port_alloc(struct domain *dom, enum port_state state, evtchn_port_t *port);

/* Free it, tell the other end, clear pending. 0 or -EINVAL. */
int port_close(struct domain *dom, evtchn_port_t port);

/*
 * A backend of domain (remote) takes the host's end of the guest's unbound
 * (port): 0, or -EINVAL if that port is not reserved for (remote). The guest
 * is not notified (port_raise is the caller's).
 */
int port_bind_backend(struct domain *dom, evtchn_port_t port, uint16_t remote,
                      port_fn notify, port_fn closed, void *context);

/* The backend lets go; the guest's port becomes unbound again. */
void port_unbind_backend(struct domain *dom, evtchn_port_t port);

/*
 * Make (port) pending for the guest and wake or interrupt its vCPU as the
 * masks say. Harmless for a port that was closed meanwhile.
 */
void port_raise(struct domain *dom, evtchn_port_t port);

/* Raise the port bound to (virq) on (vcpu), if any. */
void port_raise_virq(struct vcpu *vcpu, unsigned virq);

/* What EVTCHNOP_send does: 0 or -EINVAL. */
int port_send(struct domain *dom, evtchn_port_t port);

/* EVTCHNOP_set_priority: 0, -EINVAL, -ENOSYS with the 2-level ABI. */
int port_set_priority(struct domain *dom, evtchn_port_t port,
                      uint32_t priority);

/* Some port of (vcpu) wants attention: raise its upcall. */
void port_upcall(struct vcpu *vcpu);

/* EVTCHNOP_unmask. */
int port_unmask(struct domain *dom, evtchn_port_t port);

bool port_pending(const struct domain *dom, evtchn_port_t port);

#endif
