/*
 * tests/unit/calls/event_ops.h: event_channel_op as a guest calls it, with the
 * answers that it gives.
 */
#ifndef TESTS_UNIT_CALLS_EVENT_OPS_H
#define TESTS_UNIT_CALLS_EVENT_OPS_H

#include <stdint.h>

#include <xen/event_channel.h>

#include "tests/harness/fake_domain.h"

/* For any (cmd); (op) is left as it is: get() fetches what became of it. */
#define evtchn(cmd, op) call(__HYPERVISOR_event_channel_op, cmd, put(op))

/* A port, or the test fails. */
evtchn_port_t op_bind_ipi(void);

long op_send(evtchn_port_t port);
long op_unmask(evtchn_port_t port);
long op_close(evtchn_port_t port);

/* All of the caller's ports closed, and the 2-level ABI again. */
long op_reset(void);

#endif
