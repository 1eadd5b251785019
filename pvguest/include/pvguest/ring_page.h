/*
 * pvguest/ring_page.h: the pages the domain builder shared with the daemons of
 * xenstore and the console, and their event channels.
 */
#ifndef PVGUEST_RING_PAGE_H
#define PVGUEST_RING_PAGE_H

#include <stdint.h>

#include <xen/xen.h>

#include <xen/event_channel.h>

enum builder_ring { RING_STORE, RING_CONSOLE };

/* The port of (ring); 0 if there is no such ring, as in the initial domain. */
evtchn_port_t ring_port(enum builder_ring ring);

/* Where its page is mapped, once and for all; NULL if nowhere. */
void *ring_page(enum builder_ring ring);

#endif
