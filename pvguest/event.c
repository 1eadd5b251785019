/*
 * Event channels: who handles which port, and the two-level bitmap.
 */
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/thread.h>

#include <errno.h>

#include "abi.h"
#include "internal.h"
#include "this_vcpu.h"
#include <hypercall/calls.h>

#define NR_PORTS  4096
#define NR_FIRST  64 /* handlers that cost nothing to have */
#define PER_PAGE  (PAGE_SIZE / sizeof(struct handler))
#define WORD_BITS 64

struct event_counters event_counters;

struct handler {
    event_fn fn;
    void *context;
    unsigned vcpu; /* who is to call it */
};

/* Handlers of the first ports, then a page at a time. */
static struct handler first[NR_FIRST];
static struct handler *more[NR_PORTS / PER_PAGE];

static struct handler *handler_of(evtchn_port_t port)
{
    if (port < NR_FIRST)
        return &first[port];
    if (port >= NR_PORTS || !more[port / PER_PAGE])
        return NULL;
    return &more[port / PER_PAGE][port % PER_PAGE];
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

    if (port == 0 || port >= NR_PORTS)
        return -EINVAL;
    if (port >= NR_FIRST && !make_room(port))
        return -ENOMEM;
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

int event_bind_virq(unsigned virq, event_fn fn, void *context,
                    evtchn_port_t *port)
{
    return event_bind_virq_on(virq, 0, fn, context, port);
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

static void set_bit(xen_ulong_t *word, unsigned bit)
{
    __atomic_fetch_or(word, 1ul << bit, __ATOMIC_SEQ_CST);
}

static void clear_bit(xen_ulong_t *word, unsigned bit)
{
    __atomic_fetch_and(word, ~(1ul << bit), __ATOMIC_SEQ_CST);
}

void event_mask(evtchn_port_t port)
{
    if (port < NR_PORTS)
        set_bit(&guest_shared_info->evtchn_mask[port / WORD_BITS],
                port % WORD_BITS);
}

/* Anything pending and not masked: have the hypervisor deliver it. */
static void force_upcall(void)
{
    if (this_vcpu()->info->evtchn_upcall_pending)
        hypercall_version();
}

/*
 * An event that came while the port was masked set its pending bit and nothing
 * above it: those are ours to set now.
 */
void event_unmask(evtchn_port_t port)
{
    struct vcpu_info *vcpu = this_vcpu()->info;
    unsigned word = port / WORD_BITS, bit = port % WORD_BITS;

    if (port >= NR_PORTS)
        return;
    if (guest_smp) {
        hypercall_evtchn_unmask(port); /* it may be another vCPU's */
        return;
    }
    clear_bit(&guest_shared_info->evtchn_mask[word], bit);
    if (!(__atomic_load_n(&guest_shared_info->evtchn_pending[word],
                          __ATOMIC_SEQ_CST) &
          1ul << bit))
        return;
    set_bit(&vcpu->evtchn_pending_sel, word);
    __atomic_store_n(&vcpu->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    if (guest_boot_vcpu.preempt && !vcpu->evtchn_upcall_mask)
        force_upcall();
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
    clear_bit(&guest_shared_info->evtchn_pending[port / WORD_BITS],
              port % WORD_BITS);
}

/*
 * Take (port)'s event, before its handler looks for what it announced. In the
 * word that told (self) of it may be others' ports, who are told as well.
 */
static bool deliver(const struct guest_vcpu *self, evtchn_port_t port)
{
    struct handler *handler = handler_of(port);

    if (handler && handler->vcpu != self->id)
        return false;

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
    struct vcpu_info *vcpu = self->info;
    uint64_t words, bits;
    bool handled = false;

    if (!__atomic_load_n(&vcpu->evtchn_upcall_pending, __ATOMIC_RELAXED))
        return false;
    if (!self->preempt)
        guest_lock();
    __atomic_exchange_n(&vcpu->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    words = __atomic_exchange_n(&vcpu->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    self->in_handler++;
    for (; words; words &= words - 1) {
        unsigned word = (unsigned)__builtin_ctzll(words);

        bits = __atomic_load_n(&guest_shared_info->evtchn_pending[word],
                               __ATOMIC_SEQ_CST) &
               ~guest_shared_info->evtchn_mask[word];
        for (; bits; bits &= bits - 1)
            handled |= deliver(self, word * WORD_BITS +
                                         (unsigned)__builtin_ctzll(bits));
    }
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
    force_upcall();
}
