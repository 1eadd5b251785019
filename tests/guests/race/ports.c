/* Event channels, all of one vCPU's or another's. */
#include "race.h"

#include <pvguest/clock.h>

#define NR_PORTS 12

static evtchn_port_t ports[NR_PORTS]; /* 0: none */

evtchn_port_t a_port(struct racer *self)
{
    return __atomic_load_n(&ports[any(self, NR_PORTS)], __ATOMIC_SEQ_CST);
}

/* What was there before is closed, unless somebody has been faster. */
static void keep_port(struct racer *self, long rc, evtchn_port_t port)
{
    if (!note(&nr_opened, rc == 0))
        return;
    port = __atomic_exchange_n(&ports[any(self, NR_PORTS)], port,
                               __ATOMIC_SEQ_CST);
    if (port)
        hypercall_evtchn_close(port);
}

void open_a_port(struct racer *self)
{
    evtchn_port_t port = 0;
    long rc;

    switch (any(self, 4)) {
    case 0:
        rc = hypercall_evtchn_alloc_unbound(DOMID_SELF, &port);
        break;
    case 1:
        rc = hypercall_evtchn_bind_interdomain(DOMID_SELF, a_port(self), &port);
        break;
    case 2:
        rc = hypercall_evtchn_bind_ipi(any_vcpu(self), &port);
        break;
    default:
        rc = hypercall_evtchn_bind_virq(VIRQ_DEBUG, any_vcpu(self), &port);
        break;
    }
    keep_port(self, rc, port);
}

void use_a_port(struct racer *self)
{
    evtchn_port_t port = a_port(self);
    struct evtchn_status status;

    if (!port)
        return;
    switch (any(self, 8)) {
    case 0:
        hypercall_evtchn_close(port);
        break;
    case 1:
        hypercall_evtchn_unmask(port);
        break;
    case 2:
        hypercall_evtchn_bind_vcpu(port, any_vcpu(self));
        break;
    case 3:
        hypercall_evtchn_status(port, &status);
        break;
    case 4:
        hypercall_poll(&port, 1, clock_system_ns() + any(self, 200 * US));
        break;
    default:
        hypercall_evtchn_send(port);
        break;
    }
}

evtchn_port_t next_port(void)
{
    evtchn_port_t port = 0;

    if (!hypercall_evtchn_alloc_unbound(DOMID_SELF, &port))
        hypercall_evtchn_close(port);
    return port;
}

bool close_all_ports(void)
{
    for (unsigned i = 0; i < NR_PORTS; i++)
        if (ports[i])
            hypercall_evtchn_close(ports[i]);
    for (unsigned i = 0; i < NR_PORTS; i++) {
        struct evtchn_status status;

        if (ports[i] && (hypercall_evtchn_status(ports[i], &status) ||
                         status.status != EVTCHNSTAT_closed))
            return false;
    }
    return true;
}
