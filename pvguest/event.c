/*
 * Event channels: who handles which port, whichever ABI tells of them.
 */
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>

#include <errno.h>

#include "abi.h"
#include "event_abi.h"
#include "internal.h"
#include "this_vcpu.h"
#include <hypercall/calls.h>

#define NR_PORTS EVTCHN_FIFO_NR_CHANNELS
#define NR_FIRST 64 /* handlers that cost nothing to have */
#define PER_PAGE (PAGE_SIZE / sizeof(struct handler))

struct event_counters event_counters;

struct handler {
    event_fn fn;
    void *context;
    unsigned vcpu; /* who is to call it */
};

/* Handlers of the first ports, then a page at a time. */
static struct handler first[NR_FIRST];
static struct handler *more[NR_PORTS / PER_PAGE + 1];

static struct handler *handler_of(evtchn_port_t port)
{
    if (port < NR_FIRST)
        return &first[port];
    if (port >= NR_PORTS || !more[port / PER_PAGE])
        return NULL;
    return &more[port / PER_PAGE][port % PER_PAGE];
}

static evtchn_port_t nr_ports(void)
{
    return event_fifo ? NR_PORTS : LEVEL_NR_PORTS;
}

static int cover(evtchn_port_t port)
{
    GUEST_LOCKED;

    return fifo_cover(port);
}

/* For the handler of (port). Several vCPUs may want it at once. */
static bool make_room(evtchn_port_t port)
{
    struct handler **page = &more[port / PER_PAGE], *before = NULL, *fresh;

    if (__atomic_load_n(page, __ATOMIC_ACQUIRE))
        return true;
    fresh = page_alloc_zeroed(1);
    if (fresh &&
        !__atomic_compare_exchange_n(page, &before, fresh, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        page_free(fresh, 1);
    return fresh || before;
}

static int handle(evtchn_port_t port, unsigned vcpu, event_fn fn, void *context)
{
    struct handler *handler;

    if (port == 0 || port >= nr_ports())
        return -EINVAL;
    if (port >= NR_FIRST && !make_room(port))
        return -ENOMEM;
    if (event_fifo) {
        int rc = cover(port);

        if (rc)
            return rc;
    }
    handler = handler_of(port);
    handler->context = context;
    handler->vcpu = vcpu;
    handler->fn = fn;
    event_unmask(port);
    return 0;
}

int event_handle(evtchn_port_t port, event_fn fn, void *context)
{
    return handle(port, 0, fn, context);
}

/* A port of (vcpu) that is new: handle it or give it back. */
static int adopt(evtchn_port_t port, unsigned vcpu, event_fn fn, void *context)
{
    int rc = handle(port, vcpu, fn, context);

    if (rc)
        hypercall_evtchn_close(port);
    return rc;
}

int event_alloc_unbound(domid_t remote, event_fn fn, void *context,
                        evtchn_port_t *port)
{
    long rc = hypercall_evtchn_alloc_unbound(remote, port);

    return rc ? (int)rc : adopt(*port, 0, fn, context);
}

int event_bind_interdomain(domid_t remote, evtchn_port_t remote_port,
                           event_fn fn, void *context, evtchn_port_t *port)
{
    long rc = hypercall_evtchn_bind_interdomain(remote, remote_port, port);

    return rc ? (int)rc : adopt(*port, 0, fn, context);
}

int event_bind_virq_on(unsigned virq, unsigned vcpu, event_fn fn, void *context,
                       evtchn_port_t *port)
{
    long rc = hypercall_evtchn_bind_virq(virq, vcpu, port);

    return rc ? (int)rc : adopt(*port, vcpu, fn, context);
}

int event_bind_ipi(unsigned vcpu, event_fn fn, void *context,
                   evtchn_port_t *port)
{
    long rc = hypercall_evtchn_bind_ipi(vcpu, port);

    return rc ? (int)rc : adopt(*port, vcpu, fn, context);
}

int event_move(evtchn_port_t port, unsigned vcpu)
{
    struct handler *handler = handler_of(port);
    int rc = (int)hypercall_evtchn_bind_vcpu(port, vcpu);

    if (rc || !handler)
        return rc;
    handler->vcpu = vcpu;
    event_mask(port); /* what was told to the other one, tell again */
    event_unmask(port);
    return 0;
}

void event_mask(evtchn_port_t port)
{
    if (event_fifo)
        fifo_mask(port);
    else if (port < LEVEL_NR_PORTS)
        level_mask(port);
}

void event_force_upcall(void)
{
    if (this_vcpu()->info->evtchn_upcall_pending)
        hypercall_version();
}

void event_unmask(evtchn_port_t port)
{
    if (event_fifo)
        fifo_unmask(port);
    else if (port < LEVEL_NR_PORTS)
        level_unmask(port);
}

int event_use_fifo(void)
{
    int rc;
    GUEST_LOCKED;

    if (event_fifo)
        return 0;
    if (guest_smp)
        return -EBUSY;
    rc = fifo_begin();
    event_fifo = !rc;
    return rc;
}

int event_set_priority(evtchn_port_t port, unsigned priority)
{
    struct evtchn_set_priority op = {port, priority};

    return (int)hypercall_event_channel_op(EVTCHNOP_set_priority, &op);
}

int event_send(evtchn_port_t port)
{
    event_counters.sent++;
    return (int)hypercall_evtchn_send(port);
}

int event_close(evtchn_port_t port)
{
    struct handler *handler = handler_of(port);

    event_mask(port);
    if (handler)
        handler->fn = NULL;
    return (int)hypercall_evtchn_close(port);
}

void event_forget(evtchn_port_t port)
{
    if (event_fifo)
        fifo_forget(port);
    else
        level_forget(port);
}

/*
 * Take the event, before its handler looks for what it announced. The word of
 * bits, or the queue, that told (self) of it may hold others' ports: these are
 * told as well, or, where the port moved while it was in a queue, have to be.
 */
bool event_deliver(const struct guest_vcpu *self, evtchn_port_t port)
{
    struct handler *handler = handler_of(port);

    if (handler && handler->vcpu != self->id) {
        if (event_fifo) {
            event_mask(port);
            event_unmask(port);
        }
        return false;
    }
    event_forget(port);
    if (!handler || !handler->fn)
        return false;
    event_counters.delivered++;
    handler->fn(port, handler->context);
    return true;
}

bool event_dispatch(void)
{
    struct guest_vcpu *self = this_vcpu();
    struct vcpu_info *info = self->info;
    bool handled;

    if (!__atomic_load_n(&info->evtchn_upcall_pending, __ATOMIC_RELAXED))
        return false;
    if (!self->preempt)
        guest_lock();
    __atomic_exchange_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);

    self->in_handler++;
    handled = event_fifo ? fifo_dispatch(self) : level_dispatch(self);
    self->in_handler--;
    if (!self->preempt)
        guest_unlock();
    return handled;
}

void event_get_counters(struct event_counters *counters)
{
    *counters = event_counters;
}

void event_upcalls(bool on)
{
    if (!on) {
        guest_abi->close_upcalls();
        this_vcpu()->preempt = false;
        return;
    }
    this_vcpu()->preempt = true;
    timer_program();
    guest_abi->open_upcalls();
    event_force_upcall();
}
