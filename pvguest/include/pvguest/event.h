/*
 * pvguest/event.h: event channels of the running guest.
 *
 * The model. Upcalls stay masked while threads run: an event sets its pending
 * bit and nothing else happens, until some thread of the vCPU that the event is
 * bound to waits, sleeps or yields. Then pending events are dispatched, one at
 * a time, on the waiting thread's stack: a handler never runs beside another or
 * beside a cooperative thread (pvguest/thread.h), and must not block: waiting
 * in a handler ends the guest with a report.
 *
 * A program that wants events between any two instructions (to port a
 * preemptive kernel) turns upcalls on with event_upcalls(true); handlers then
 * run on top of whatever was interrupted, all registers and vector state kept,
 * upcalls masked. The rest of the library knows nothing of being interrupted:
 * while upcalls are on, use only this file, clock_system_ns and clock_wall_ns,
 * and turn them off around anything else.
 */
#ifndef PVGUEST_EVENT_H
#define PVGUEST_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/event_channel.h>

typedef void (*event_fn)(evtchn_port_t port, void *context);

/*
 * Each returns 0 with a new, unmasked port whose events go to (fn), or a
 * negative Xen errno (xen/errno.h) from the hypercall. (remote) is whom the
 * port is for, (remote_port) one that it allocated for us. (context) is handed
 * to (fn) and stays the caller's.
 */
int event_alloc_unbound(domid_t remote, event_fn fn, void *context,
                        evtchn_port_t *port);
int event_bind_interdomain(domid_t remote, evtchn_port_t remote_port,
                           event_fn fn, void *context, evtchn_port_t *port);

/*
 * The same on vCPU (vcpu): for (virq), a VIRQ_ of xen/xen.h, of which vCPUs
 * have some of their own, as VIRQ_TIMER, and vCPU 0 the others; and a port that
 * the guest sends to itself, which interrupts (vcpu). (pvguest/vcpu.h)
 */
int event_bind_virq_on(unsigned virq, unsigned vcpu, event_fn fn, void *context,
                       evtchn_port_t *port);
int event_bind_ipi(unsigned vcpu, event_fn fn, void *context,
                   evtchn_port_t *port);

/*
 * From now on (port) interrupts vCPU (vcpu), on which its handler runs. Ports
 * begin on vCPU 0. 0; -ENOENT for no such vCPU; -EINVAL for a port that cannot
 * move, as those of event_bind_ipi. (EVTCHNOP_bind_vcpu)
 */
int event_move(evtchn_port_t port, unsigned vcpu);

/*
 * For ports that exist already, as those named in start_info: unmasks (port).
 * 0, -EINVAL for a number no port can have, -ENOMEM.
 */
int event_handle(evtchn_port_t port, event_fn fn, void *context);

/*
 * A masked port's events merge into one, which comes when it is unmasked. Both
 * are memory operations, not hypercalls.
 */
void event_mask(evtchn_port_t port);
void event_unmask(evtchn_port_t port);

/*
 * Have events come by the hypervisor's FIFO ABI from now on: in the order in
 * which they were sent, by priority, and up to 131071 channels. 0, also when
 * they do already; -ENOSYS: there is no such ABI here, all stays as it is;
 * -EBUSY: another vCPU has been started; -ENOMEM.
 */
int event_use_fifo(void);

/*
 * Where several events are pending those of the least (priority) come first:
 * from 0 to 15, 7 if nobody said otherwise. It counts from the next one on.
 * -ENOSYS without event_use_fifo, -EINVAL for no such port or priority.
 */
int event_set_priority(evtchn_port_t port, unsigned priority);

/* EVTCHNOP_send: tell the other end. 0, or -EINVAL for no such channel. */
int event_send(evtchn_port_t port);

/* Close the port and forget its handler: 0, or -EINVAL if it is not open. */
int event_close(evtchn_port_t port);

/* Dispatch what is pending now; true if a handler ran. */
bool event_dispatch(void);

/*
 * What happened since the start; with several vCPUs some may be missed. Each
 * sent and each sleep was a hypercall.
 */
struct event_counters {
    uint64_t delivered; /* to a handler */
    uint64_t sent;      /* by event_send */
    uint64_t sleeps;    /* of a vCPU with nothing to run */
};
void event_get_counters(struct event_counters *counters);

/* Upcalls between any two instructions, or (the default) only at waits. */
void event_upcalls(bool on);

#endif
