#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/log.h"
#include "host/port.h"
#include "host/port_fifo.h"

/* The table's growth; also the granularity of "was ever allocated". */
#define PORTS_STEP 64

#define BITS_PER_WORD 64

/*
 * The bits below are shared with the guest, which changes them with locked
 * instructions from its own code at any time.
 */
static bool test_and_set_bit(xen_ulong_t *words, unsigned bit)
{
    xen_ulong_t mask = UINT64_C(1) << (bit % BITS_PER_WORD);
    xen_ulong_t *word = &words[bit / BITS_PER_WORD];

    return (__atomic_fetch_or(word, mask, __ATOMIC_SEQ_CST) & mask) != 0;
}

static bool test_and_clear_bit(xen_ulong_t *words, unsigned bit)
{
    xen_ulong_t mask = UINT64_C(1) << (bit % BITS_PER_WORD);
    xen_ulong_t *word = &words[bit / BITS_PER_WORD];

    return (__atomic_fetch_and(word, ~mask, __ATOMIC_SEQ_CST) & mask) != 0;
}

static bool test_bit(const xen_ulong_t *words, unsigned bit)
{
    xen_ulong_t word =
        __atomic_load_n(&words[bit / BITS_PER_WORD], __ATOMIC_SEQ_CST);

    return (word >> (bit % BITS_PER_WORD)) & 1;
}

static void trace_port(const struct domain *dom, const char *what,
                       evtchn_port_t port)
{
    if (dom->config && (dom->config->trace & TRACE_EVENT))
        log_trace("event: %s port %u", what, port);
}

int ports_create(struct domain *dom)
{
    dom->ports.table = calloc(PORTS_STEP, sizeof *dom->ports.table);
    if (!dom->ports.table) {
        log_error("no memory for the guest's %d event channels: close "
                  "something else",
                  PORTS_STEP);
        return -ENOMEM;
    }
    dom->ports.nr = PORTS_STEP;
    dom->ports.lowest = 1;
    return 0;
}

void ports_destroy(struct domain *dom)
{
    fifo_destroy(dom);
    free(dom->ports.table);
    dom->ports = (struct ports){0};
}

struct port *port_find(struct domain *dom, evtchn_port_t port)
{
    if (port == 0 || port >= dom->ports.nr)
        return NULL;
    if (dom->ports.table[port].state == PORT_FREE)
        return NULL;
    return &dom->ports.table[port];
}

uint32_t ports_max(const struct domain *dom)
{
    return dom->ports.fifo ? EVTCHN_FIFO_NR_CHANNELS : PORT_MAX_2LEVEL;
}

static int grow(struct domain *dom)
{
    struct ports *ports = &dom->ports;
    uint32_t nr = ports->nr + PORTS_STEP;
    struct port *table;

    if (nr > ports_max(dom))
        return -ENOSPC;
    table = realloc(ports->table, nr * sizeof *table);
    if (!table)
        return -ENOMEM;
    memset(table + ports->nr, 0, PORTS_STEP * sizeof *table);
    ports->table = table;
    ports->nr = nr;
    return 0;
}

static bool is_free(const struct domain *dom, evtchn_port_t port)
{
    return dom->ports.table[port].state == PORT_FREE &&
           !(dom->ports.fifo && fifo_is_linked(dom, port));
}

int port_alloc(struct domain *dom, enum port_state state, evtchn_port_t *port)
{
    struct ports *ports = &dom->ports;
    uint32_t free_port = ports->lowest;
    const struct port *before;

    while (free_port < ports->nr && ports->table[free_port].state != PORT_FREE)
        free_port++;
    ports->lowest = free_port;
    while (free_port < ports->nr && !is_free(dom, free_port))
        free_port++;
    if (free_port == ports->nr) {
        int rc = grow(dom);

        if (rc)
            return rc;
    }
    before = &ports->table[free_port];
    ports->table[free_port] = (struct port){
        .state = (uint8_t)state,
        .priority = EVTCHN_FIFO_PRIORITY_DEFAULT,
        .last_priority = before->last_priority,
        .last_vcpu = before->last_vcpu,
    };
    *port = free_port;
    return 0;
}

/* The other end learns nothing at once: its next send goes nowhere. */
static void orphan_peer(struct domain *dom, evtchn_port_t peer)
{
    struct port *other = port_find(dom, peer);

    if (!other || other->state != PORT_LOCAL)
        return;
    other->state = PORT_UNBOUND;
    other->remote = dom->id;
    other->peer = 0;
}

int port_close(struct domain *dom, evtchn_port_t port)
{
    struct port *found = port_find(dom, port);
    struct port old;

    if (!found)
        return -EINVAL;
    old = *found;
    *found = (struct port){.state = PORT_FREE,
                           .last_priority = old.last_priority,
                           .last_vcpu = old.last_vcpu};
    if (port < dom->ports.lowest)
        dom->ports.lowest = port;
    if (dom->ports.fifo)
        fifo_clear(dom, port);
    else
        test_and_clear_bit(dom->shared->evtchn_pending, port);
    trace_port(dom, "close", port);

    if (old.state == PORT_LOCAL)
        orphan_peer(dom, old.peer);
    else if (old.state == PORT_VIRQ)
        dom->vcpus[old.vcpu].virq_port[old.virq] = 0;
    else if (old.state == PORT_BACKEND && old.closed)
        old.closed(old.context);
    return 0;
}

int port_bind_backend(struct domain *dom, evtchn_port_t port, uint16_t remote,
                      port_fn notify, port_fn closed, void *context)
{
    struct port *found = port_find(dom, port);

    if (!found || found->state != PORT_UNBOUND || found->remote != remote)
        return -EINVAL;
    found->state = PORT_BACKEND;
    found->notify = notify;
    found->closed = closed;
    found->context = context;
    return 0;
}

void port_unbind_backend(struct domain *dom, evtchn_port_t port)
{
    struct port *found = port_find(dom, port);

    if (!found || found->state != PORT_BACKEND)
        return;
    found->state = PORT_UNBOUND;
    found->notify = NULL;
    found->closed = NULL;
    found->context = NULL;
}

void port_upcall(struct vcpu *vcpu)
{
    if (__atomic_exchange_n(&vcpu->info->evtchn_upcall_pending, 1,
                            __ATOMIC_SEQ_CST))
        return;
    vcpu->upcall_raised = true;
    tell_kick(vcpu);
}

/* (port) of (vcpu) wants attention, and its mask is clear. */
static void announce(struct vcpu *vcpu, evtchn_port_t port)
{
    struct vcpu_info *info = vcpu->info;

    if (!test_and_set_bit(&info->evtchn_pending_sel, port / BITS_PER_WORD))
        port_upcall(vcpu);
}

void port_raise(struct domain *dom, evtchn_port_t port)
{
    const struct port *found = port_find(dom, port);

    if (!found)
        return;
    trace_port(dom, "raise", port);
    if (dom->ports.fifo)
        fifo_raise(dom, port);
    else if (test_and_set_bit(dom->shared->evtchn_pending, port))
        return;
    else if (!test_bit(dom->shared->evtchn_mask, port))
        announce(&dom->vcpus[found->vcpu], port);
    turn_kick_polls(dom); /* these look at the pending bits themselves */
}

void port_raise_virq(struct vcpu *vcpu, unsigned virq)
{
    if (virq < NR_VIRQS && vcpu->virq_port[virq])
        port_raise(vcpu->domain, vcpu->virq_port[virq]);
}

int port_send(struct domain *dom, evtchn_port_t port)
{
    const struct port *found = port_find(dom, port);

    if (!found)
        return -EINVAL;
    trace_port(dom, "send", port);
    switch (found->state) {
    case PORT_BACKEND:
        found->notify(found->context);
        return 0;
    case PORT_LOCAL:
        port_raise(dom, found->peer);
        return 0;
    case PORT_IPI:
        port_raise(dom, port);
        return 0;
    case PORT_UNBOUND:
        return 0; /* nobody there to hear it */
    default:
        return -EINVAL;
    }
}

int port_unmask(struct domain *dom, evtchn_port_t port)
{
    const struct port *found;

    if (port == 0 || port >= dom->ports.nr)
        return -EINVAL;
    found = &dom->ports.table[port];
    if (dom->ports.fifo)
        fifo_unmask(dom, port);
    else if (test_and_clear_bit(dom->shared->evtchn_mask, port) &&
             test_bit(dom->shared->evtchn_pending, port))
        announce(&dom->vcpus[found->vcpu], port);
    return 0;
}

bool port_pending(const struct domain *dom, evtchn_port_t port)
{
    if (dom->ports.fifo)
        return fifo_pending(dom, port);
    return port < PORT_MAX_2LEVEL &&
           test_bit(dom->shared->evtchn_pending, port);
}

int port_set_priority(struct domain *dom, evtchn_port_t port, uint32_t priority)
{
    if (port >= dom->ports.nr)
        return -EINVAL;
    if (!dom->ports.fifo)
        return -ENOSYS;
    if (priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    dom->ports.table[port].priority = (uint8_t)priority;
    return 0;
}
