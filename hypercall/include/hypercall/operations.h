/*
 * hypercall/operations.h: calls that fill the structure of one sub-operation.
 * All return 0, a positive answer, or a negative number of xen/errno.h.
 */
#ifndef HYPERCALL_OPERATIONS_H
#define HYPERCALL_OPERATIONS_H

#include <stddef.h>
#include <stdint.h>

#include <hypercall/direct.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

/* Event channels. */

static inline long hypercall_evtchn_send(evtchn_port_t port)
{
    struct evtchn_send op = {.port = port};

    return hypercall_event_channel_op(EVTCHNOP_send, &op);
}

static inline long hypercall_evtchn_close(evtchn_port_t port)
{
    struct evtchn_close op = {.port = port};

    return hypercall_event_channel_op(EVTCHNOP_close, &op);
}

/* Clear the port's mask, and deliver what it held back. */
static inline long hypercall_evtchn_unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = {.port = port};

    return hypercall_event_channel_op(EVTCHNOP_unmask, &op);
}

/* A port of our own that (remote) may bind to. */
static inline long hypercall_evtchn_alloc_unbound(domid_t remote,
                                                  evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = remote};
    long rc = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    if (!rc)
        *port = op.port;
    return rc;
}

static inline long hypercall_evtchn_bind_interdomain(domid_t remote,
                                                     evtchn_port_t remote_port,
                                                     evtchn_port_t *port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote,
                                         .remote_port = remote_port};
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);

    if (!rc)
        *port = op.local_port;
    return rc;
}

static inline long hypercall_evtchn_bind_virq(unsigned virq, unsigned vcpu,
                                              evtchn_port_t *port)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_virq, &op);

    if (!rc)
        *port = op.port;
    return rc;
}

static inline long hypercall_evtchn_bind_ipi(unsigned vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_ipi op = {.vcpu = vcpu};
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op);

    if (!rc)
        *port = op.port;
    return rc;
}

static inline long hypercall_evtchn_bind_vcpu(evtchn_port_t port, unsigned vcpu)
{
    struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};

    return hypercall_event_channel_op(EVTCHNOP_bind_vcpu, &op);
}

/* Fills all of (status) but the (port) of ours it was asked for. */
static inline long hypercall_evtchn_status(evtchn_port_t port,
                                           struct evtchn_status *status)
{
    *status = (struct evtchn_status){.dom = DOMID_SELF, .port = port};
    return hypercall_event_channel_op(EVTCHNOP_status, status);
}

/* Scheduling. */

static inline long hypercall_yield(void)
{
    return hypercall_sched_op(SCHEDOP_yield, NULL);
}

/* Unmask upcalls and sleep until one is pending, as one step. */
static inline long hypercall_block(void)
{
    return hypercall_sched_op(SCHEDOP_block, NULL);
}

/*
 * With upcalls masked: sleep until one of (ports) is pending, or until
 * (timeout), in ns of system time; 0 waits for ever.
 */
static inline long hypercall_poll(evtchn_port_t *ports, unsigned nr_ports,
                                  uint64_t timeout)
{
    struct sched_poll op = {.nr_ports = nr_ports, .timeout = timeout};

    set_xen_guest_handle(op.ports, ports);
    return hypercall_sched_op(SCHEDOP_poll, &op);
}

/* (reason) is a SHUTDOWN_*. Returns only from a suspend, or on error. */
static inline long hypercall_shutdown(unsigned reason)
{
    struct sched_shutdown op = {.reason = reason};

    return hypercall_sched_op(SCHEDOP_shutdown, &op);
}

/* Virtual CPUs. */

/* The runstate of (vcpu) is kept up to date at (area) from now on. */
static inline long hypercall_register_runstate(unsigned vcpu,
                                               struct vcpu_runstate_info *area)
{
    struct vcpu_register_runstate_memory_area op = {.addr.v = area};

    return hypercall_vcpu_op(VCPUOP_register_runstate_memory_area, vcpu, &op);
}

static inline long hypercall_register_vcpu_time(unsigned vcpu,
                                                struct vcpu_time_info *area)
{
    struct vcpu_register_time_memory_area op = {.addr.v = area};

    return hypercall_vcpu_op(VCPUOP_register_vcpu_time_memory_area, vcpu, &op);
}

/* VIRQ_TIMER every (period_ns). */
static inline long hypercall_set_periodic_timer(unsigned vcpu,
                                                uint64_t period_ns)
{
    struct vcpu_set_periodic_timer op = {.period_ns = period_ns};

    return hypercall_vcpu_op(VCPUOP_set_periodic_timer, vcpu, &op);
}

static inline long hypercall_stop_periodic_timer(unsigned vcpu)
{
    return hypercall_vcpu_op(VCPUOP_stop_periodic_timer, vcpu, NULL);
}

/* VIRQ_TIMER once at (timeout), ns of system time; flags VCPU_SSHOTTMR_*. */
static inline long
hypercall_set_singleshot_timer(unsigned vcpu, uint64_t timeout, unsigned flags)
{
    struct vcpu_set_singleshot_timer op = {.timeout_abs_ns = timeout,
                                           .flags = flags};

    return hypercall_vcpu_op(VCPUOP_set_singleshot_timer, vcpu, &op);
}

static inline long hypercall_stop_singleshot_timer(unsigned vcpu)
{
    return hypercall_vcpu_op(VCPUOP_stop_singleshot_timer, vcpu, NULL);
}

/* Memory. */

/* Our pages: now, and at most. */
static inline long hypercall_current_reservation(void)
{
    domid_t self = DOMID_SELF;

    return hypercall_memory_op(XENMEM_current_reservation, &self);
}

static inline long hypercall_maximum_reservation(void)
{
    domid_t self = DOMID_SELF;

    return hypercall_memory_op(XENMEM_maximum_reservation, &self);
}

/* The e820 map into (entries), of which there is room for (*nr_entries). */
static inline long hypercall_memory_map(void *entries, unsigned *nr_entries)
{
    struct xen_memory_map op = {.nr_entries = *nr_entries};
    long rc;

    set_xen_guest_handle(op.buffer, entries);
    rc = hypercall_memory_op(XENMEM_memory_map, &op);
    if (!rc)
        *nr_entries = op.nr_entries;
    return rc;
}

/* Grant table. */

/*
 * Grow the table to (nr_frames) and learn their numbers, in (frames). It went
 * well if 0 is returned and (*status) is GNTST_okay.
 */
static inline long hypercall_grant_setup_table(unsigned nr_frames,
                                               xen_pfn_t *frames,
                                               int16_t *status)
{
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = nr_frames};
    long rc;

    set_xen_guest_handle(op.frame_list, frames);
    rc = hypercall_grant_table_op(GNTTABOP_setup_table, &op, 1);
    *status = op.status;
    return rc;
}

static inline long hypercall_grant_query_size(struct gnttab_query_size *size)
{
    *size = (struct gnttab_query_size){.dom = DOMID_SELF};
    return hypercall_grant_table_op(GNTTABOP_query_size, size, 1);
}

/* Small ones. */

/* major << 16 | minor. Also the cheapest way to have events delivered now. */
static inline long hypercall_version(void)
{
    return hypercall_xen_version(XENVER_version, NULL);
}

/* The XENFEAT_* bits of submap 0 in (*features). */
static inline long hypercall_features(uint32_t *features)
{
    struct xen_feature_info op = {.submap_idx = 0};
    long rc = hypercall_xen_version(XENVER_get_features, &op);

    if (!rc)
        *features = op.submap;
    return rc;
}

/* Emergency console: the host's log, not the console ring. */
static inline long hypercall_console_write(const char *bytes, size_t count)
{
    return HYPERCALL_3(__HYPERVISOR_console_io, CONSOLEIO_write, count, bytes);
}

static inline long hypercall_register_callback(uint16_t type, uint16_t flags,
                                               unsigned long address)
{
    struct callback_register op = {
        .type = type, .flags = flags, .address = address};

    return hypercall_callback_op(CALLBACKOP_register, &op);
}

static inline long hypercall_hvm_get_param(uint32_t index, uint64_t *value)
{
    struct xen_hvm_param op = {.domid = DOMID_SELF, .index = index};
    long rc = hypercall_hvm_op(HVMOP_get_param, &op);

    if (!rc)
        *value = op.value;
    return rc;
}

static inline long hypercall_hvm_set_param(uint32_t index, uint64_t value)
{
    struct xen_hvm_param op = {
        .domid = DOMID_SELF, .index = index, .value = value};

    return hypercall_hvm_op(HVMOP_set_param, &op);
}

#endif
