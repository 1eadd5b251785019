/* event_channel_op: both ABIs. (xen/event_channel.h) */
#include <errno.h>
#include <stddef.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/port_fifo.h"

/* Numbers of interrupts that a toolstack leaves room for; none is wired. */
#define NR_PIRQS 48

/* Xen's own way to go on with a reset. */
#define RESET_CONT 14

static bool is_per_vcpu(uint32_t virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF ||
           virq == VIRQ_XENPMU;
}

static bool domain_exists(const struct domain *dom, domid_t domid)
{
    return domid_is_self(dom, domid) || domid == BACKEND_ID;
}

/* Give the guest its new port's number, or take the port back. */
static long give_port(struct vcpu *vcpu, struct guest_addr to,
                      evtchn_port_t port)
{
    int rc = guest_write(vcpu, to, &port, sizeof port);

    if (rc)
        port_close(vcpu->domain, port);
    return rc;
}

static long alloc_unbound(struct vcpu *vcpu, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct evtchn_alloc_unbound op;
    evtchn_port_t port;
    int rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (!domain_exists(dom, op.dom))
        return -ESRCH;
    if (!domid_is_self(dom, op.dom))
        return -EPERM;
    rc = port_alloc(dom, PORT_UNBOUND, &port);
    if (rc)
        return rc;
    port_find(dom, port)->remote =
        op.remote_dom == DOMID_SELF ? dom->id : op.remote_dom;
    return give_port(vcpu, guest_addr(arg + offsetof(typeof(op), port)), port);
}

/*
 * Only an own port can be waiting for us: the backend waits for nobody, it
 * connects to ports that the guest offers.
 */
static long bind_interdomain(struct vcpu *vcpu, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct evtchn_bind_interdomain op;
    struct port *remote, *local;
    evtchn_port_t port;
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (!domain_exists(dom, op.remote_dom))
        return -ESRCH;
    if (!domid_is_self(dom, op.remote_dom))
        return -EINVAL;
    remote = port_find(dom, op.remote_port);
    if (!remote || remote->state != PORT_UNBOUND || remote->remote != dom->id)
        return -EINVAL;
    rc = port_alloc(dom, PORT_LOCAL, &port);
    if (rc)
        return rc;
    rc = give_port(vcpu, guest_addr(arg + offsetof(typeof(op), local_port)),
                   port);
    if (rc)
        return rc;

    local = port_find(dom, port);
    local->remote = dom->id;
    local->peer = op.remote_port;
    remote = port_find(dom, op.remote_port); /* the table may have moved */
    remote->state = PORT_LOCAL;
    remote->peer = port;
    port_raise(dom, port); /* stands for what was sent before we came */
    return 0;
}

static long bind_virq(struct vcpu *vcpu, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct evtchn_bind_virq op;
    struct vcpu *target;
    evtchn_port_t port;
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.virq >= NR_VIRQS || (!is_per_vcpu(op.virq) && op.vcpu != 0))
        return -EINVAL;
    if (op.vcpu >= dom->nr_vcpus)
        return -ENOENT;
    target = &dom->vcpus[op.vcpu];
    if (target->virq_port[op.virq])
        return -EEXIST;
    rc = port_alloc(dom, PORT_VIRQ, &port);
    if (rc)
        return rc;
    port_find(dom, port)->vcpu = (uint16_t)op.vcpu;
    port_find(dom, port)->virq = (uint16_t)op.virq;
    target->virq_port[op.virq] = port;
    return give_port(vcpu, guest_addr(arg + offsetof(typeof(op), port)), port);
}

static long bind_ipi(struct vcpu *vcpu, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct evtchn_bind_ipi op;
    evtchn_port_t port;
    int rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.vcpu >= dom->nr_vcpus)
        return -ENOENT;
    rc = port_alloc(dom, PORT_IPI, &port);
    if (rc)
        return rc;
    port_find(dom, port)->vcpu = (uint16_t)op.vcpu;
    return give_port(vcpu, guest_addr(arg + offsetof(typeof(op), port)), port);
}

/*
 * The domain was given no physical interrupts. Xen looks at the permission
 * before it looks for the interrupt, unless the number is none at all.
 */
static long bind_pirq(struct vcpu *vcpu, uint64_t arg)
{
    struct evtchn_bind_pirq op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return op.pirq < NR_PIRQS ? -EPERM : -EINVAL;
}

static long close_port(struct vcpu *vcpu, uint64_t arg)
{
    struct evtchn_close op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return port_close(vcpu->domain, op.port);
}

static long send_port(struct vcpu *vcpu, uint64_t arg)
{
    struct evtchn_send op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return port_send(vcpu->domain, op.port);
}

static void describe(const struct domain *dom, const struct port *port,
                     struct evtchn_status *status)
{
    status->vcpu = port->vcpu;
    switch (port->state) {
    case PORT_UNBOUND:
        status->status = EVTCHNSTAT_unbound;
        status->u.unbound.dom = port->remote;
        break;
    case PORT_BACKEND:
        status->status = EVTCHNSTAT_interdomain;
        status->u.interdomain.dom = port->remote;
        /* the backend's own number: it has none, and the guest no use */
        status->u.interdomain.port = 0;
        break;
    case PORT_LOCAL:
        status->status = EVTCHNSTAT_interdomain;
        status->u.interdomain.dom = dom->id;
        status->u.interdomain.port = port->peer;
        break;
    case PORT_VIRQ:
        status->status = EVTCHNSTAT_virq;
        status->u.virq = port->virq;
        break;
    case PORT_IPI:
        status->status = EVTCHNSTAT_ipi;
        break;
    default:
        status->status = EVTCHNSTAT_closed;
    }
}

static long status_port(struct vcpu *vcpu, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct evtchn_status op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (!domain_exists(dom, op.dom))
        return -ESRCH;
    if (!domid_is_self(dom, op.dom))
        return op.port < ports_max(dom) ? -EPERM : -EINVAL;
    if (op.port >= dom->ports.nr)
        return -EINVAL;
    describe(dom, &dom->ports.table[op.port], &op);
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

static bool may_move(const struct port *port)
{
    return port->state == PORT_UNBOUND || port->state == PORT_BACKEND ||
           port->state == PORT_LOCAL ||
           (port->state == PORT_VIRQ && !is_per_vcpu(port->virq));
}

static long bind_vcpu(struct vcpu *vcpu, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct evtchn_bind_vcpu op;
    struct port *port;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.vcpu >= dom->nr_vcpus)
        return -ENOENT;
    port = port_find(dom, op.port);
    if (!port || !may_move(port))
        return -EINVAL;
    if (port->state == PORT_VIRQ) {
        dom->vcpus[port->vcpu].virq_port[port->virq] = 0;
        dom->vcpus[op.vcpu].virq_port[port->virq] = op.port;
    }
    port->vcpu = (uint16_t)op.vcpu;
    return 0;
}

static long unmask_port(struct vcpu *vcpu, uint64_t arg)
{
    struct evtchn_unmask op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.port == 0)
        return 0; /* it is there, and never used */
    return port_unmask(vcpu->domain, op.port);
}

static long reset(struct vcpu *vcpu, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct evtchn_reset op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (!domain_exists(dom, op.dom))
        return -ESRCH;
    if (!domid_is_self(dom, op.dom))
        return -EPERM;
    for (evtchn_port_t port = 1; port < dom->ports.nr; port++)
        port_close(dom, port);
    fifo_destroy(dom);
    return 0;
}

static long init_control(struct vcpu *vcpu, uint64_t arg)
{
    struct evtchn_init_control op;
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    rc = fifo_init_control(vcpu->domain, op.vcpu, op.control_gfn, op.offset);
    if (rc)
        return rc;
    op.link_bits = EVTCHN_FIFO_LINK_BITS;
    return guest_write(vcpu, guest_addr(arg), &op, sizeof op);
}

static long expand_array(struct vcpu *vcpu, uint64_t arg)
{
    struct evtchn_expand_array op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return fifo_expand(vcpu->domain, op.array_gfn);
}

static long set_priority(struct vcpu *vcpu, uint64_t arg)
{
    struct evtchn_set_priority op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return port_set_priority(vcpu->domain, op.port, op.priority);
}

long call_event_channel_op(void *opaque, const uint64_t *args)
{
    typedef long (*op_fn)(struct vcpu * vcpu, uint64_t arg);
    static const op_fn ops[] = {
        [EVTCHNOP_bind_interdomain] = bind_interdomain,
        [EVTCHNOP_bind_virq] = bind_virq,
        [EVTCHNOP_bind_pirq] = bind_pirq,
        [EVTCHNOP_close] = close_port,
        [EVTCHNOP_send] = send_port,
        [EVTCHNOP_status] = status_port,
        [EVTCHNOP_alloc_unbound] = alloc_unbound,
        [EVTCHNOP_bind_ipi] = bind_ipi,
        [EVTCHNOP_bind_vcpu] = bind_vcpu,
        [EVTCHNOP_unmask] = unmask_port,
        [EVTCHNOP_reset] = reset,
        [EVTCHNOP_init_control] = init_control,
        [EVTCHNOP_expand_array] = expand_array,
        [EVTCHNOP_set_priority] = set_priority,
    };
    uint32_t cmd = (uint32_t)args[0];

    if (cmd == RESET_CONT)
        return -EPERM;
    if (cmd >= sizeof ops / sizeof *ops || !ops[cmd])
        return -ENOSYS;
    return ops[cmd](opaque, args[1]);
}

/* The form of before 2006: command and structure in one. */
long call_event_channel_op_compat(void *opaque, const uint64_t *args)
{
    uint64_t inner[HYPERCALL_NR_ARGS] = {0};
    struct evtchn_op op;

    if (guest_read(opaque, guest_addr(args[0]), &op, sizeof op))
        return -EFAULT;
    inner[0] = op.cmd;
    inner[1] = args[0] + offsetof(struct evtchn_op, u);
    return op.cmd <= EVTCHNOP_unmask ? call_event_channel_op(opaque, inner)
                                     : -ENOSYS;
}
