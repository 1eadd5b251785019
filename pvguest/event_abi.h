/*
 * pvguest/event_abi.h: the two ABIs of event channels, and what event.c is to
 * them. (private)
 */
#ifndef PVGUEST_EVENT_ABI_H
#define PVGUEST_EVENT_ABI_H

#include <stdbool.h>

#include <xen/xen.h>

#include <xen/event_channel.h>

struct guest_vcpu;

#define LEVEL_NR_PORTS 4096

/* event_level.c, for ports below LEVEL_NR_PORTS */
bool level_is_masked(evtchn_port_t port);
void level_mask(evtchn_port_t port);
void level_unmask(evtchn_port_t port);
void level_forget(evtchn_port_t port);
bool level_dispatch(struct guest_vcpu *self);

/* event_fifo.c: harmless for ports it has no word for */
extern bool event_fifo; /* it is in use */
int fifo_begin(void);
void fifo_mask(evtchn_port_t port);
void fifo_unmask(evtchn_port_t port);
void fifo_forget(evtchn_port_t port);
bool fifo_dispatch(struct guest_vcpu *self);

/* Queues for a vCPU before it is up; a word for (port). 0 or -errno. */
int fifo_add_vcpu(struct guest_vcpu *vcpu);
int fifo_cover(evtchn_port_t port);

/* event.c: call (port)'s handler on (self); true if there is one. */
bool event_deliver(const struct guest_vcpu *self, evtchn_port_t port);

/* Anything pending and not masked: have the hypervisor deliver it. */
void event_force_upcall(void);

#endif
