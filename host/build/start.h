/*
 * host/build/start.h: what every domain has at its start, whatever its ABI:
 * shared_info, the first frame of the grant table, two ports.
 */
#ifndef HOST_BUILD_START_H
#define HOST_BUILD_START_H

#include <stddef.h>
#include <stdint.h>

#include <xen/event_channel.h>
#include <xen/xen.h>

#include "host/memory.h"

struct domain;

/*
 * A frame for dom->shared, whose vCPUs' parts are theirs from now on; *index
 * is the frame's. 0, or -ENOMEM with a sentence logged.
 */
int start_shared_info(struct domain *dom, size_t *index);

/* An unbound port for BACKEND_ID: 0, or -errno with a sentence logged. */
int start_port(struct domain *dom, evtchn_port_t *port);

/*
 * The grant table's first frame, with the console's and the store's ring lent
 * to BACKEND_ID by the references that tools reserve: 0, or -ENOMEM with a
 * sentence logged.
 */
int start_grants(struct domain *dom, mfn_t console, mfn_t store);

#endif
