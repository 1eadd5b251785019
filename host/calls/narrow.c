/*
 * Hypercalls of 32-bit code, which a PVH guest may be made of: longs and
 * addresses in its structures are 32 bits wide. What is served is widened here
 * and then the same as for others.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/log.h"

/* Structures as i386 lays them out. (xen/memory.h,
 * xen/grant_table.h) */
struct narrow_memory_map {
    uint32_t nr_entries;
    uint32_t buffer;
};

struct narrow_add_to_physmap {
    domid_t domid;
    uint16_t size;
    uint32_t space;
    uint32_t idx;
    uint32_t gpfn;
};

struct narrow_setup_table {
    domid_t dom;
    uint32_t nr_frames;
    int16_t status;
    uint32_t frame_list;
};

struct narrow_remove_from_physmap {
    domid_t domid;
    uint32_t gpfn;
};

static long refuse(const char *call, uint64_t cmd)
{
    static bool said;

    if (!said)
        log_warning("%s %lu is not served to 32-bit code, whose structures "
                    "differ: the guest should make it from 64-bit code",
                    call, cmd);
    said = true;
    return -ENOSYS;
}

static long memory_map(struct vcpu *vcpu, uint64_t arg)
{
    struct narrow_memory_map narrow;
    struct xen_memory_map map;
    long rc;

    if (guest_read(vcpu, guest_addr(arg), &narrow, sizeof narrow))
        return -EFAULT;
    map.nr_entries = narrow.nr_entries;
    map.buffer.p = (void *)(uintptr_t)narrow.buffer;
    rc = memory_map_give(vcpu, &map);
    if (rc)
        return rc;
    narrow.nr_entries = map.nr_entries;
    return guest_write(vcpu, guest_addr(arg), &narrow, sizeof narrow);
}

static long add_to_physmap(struct vcpu *vcpu, uint64_t arg)
{
    struct narrow_add_to_physmap narrow;
    struct xen_add_to_physmap op;

    if (guest_read(vcpu, guest_addr(arg), &narrow, sizeof narrow))
        return -EFAULT;
    op.domid = narrow.domid;
    op.size = narrow.size;
    op.space = narrow.space;
    op.idx = narrow.idx;
    op.gpfn = narrow.gpfn;
    return physmap_add(vcpu, &op);
}

static long setup_table(struct vcpu *vcpu, uint64_t arg)
{
    struct narrow_setup_table narrow;
    struct gnttab_setup_table op;
    xen_pfn_t frames[GRANT_MAX_FRAMES];

    if (guest_read(vcpu, guest_addr(arg), &narrow, sizeof narrow))
        return -EFAULT;
    op.dom = narrow.dom;
    op.nr_frames = narrow.nr_frames;
    op.status = grant_table_frames(vcpu->domain, op.dom, op.nr_frames, frames);
    for (uint32_t i = 0; op.status == GNTST_okay && i < op.nr_frames; i++) {
        const uint32_t frame = (uint32_t)frames[i];

        if (guest_write(vcpu, guest_addr(narrow.frame_list + i * sizeof frame),
                        &frame, sizeof frame))
            return -EFAULT;
    }
    narrow.status = op.status;
    return guest_write(vcpu, guest_addr(arg), &narrow, sizeof narrow);
}

static long remove_from_physmap(struct vcpu *vcpu, uint64_t arg)
{
    struct narrow_remove_from_physmap narrow;
    struct xen_remove_from_physmap op;

    if (guest_read(vcpu, guest_addr(arg), &narrow, sizeof narrow))
        return -EFAULT;
    op.domid = narrow.domid;
    op.gpfn = narrow.gpfn;
    return physmap_remove_ram(vcpu, &op);
}

static long narrow_memory_op(void *opaque, const uint64_t *args)
{
    const uint64_t cmd = (uint32_t)args[0], arg = args[1];

    switch (cmd) {
    case XENMEM_memory_map:
        return memory_map(opaque, arg);
    case XENMEM_add_to_physmap:
        return add_to_physmap(opaque, arg);
    case XENMEM_remove_from_physmap:
        return remove_from_physmap(opaque, arg);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
    case XENMEM_maximum_ram_page:
    case XENMEM_set_memory_map: /* not for the guest: nobody reads it */
        return call_memory_op(opaque, args);
    default:
        return refuse("memory_op", cmd);
    }
}

/* The time is in two registers. */
static long narrow_set_timer_op(void *opaque, const uint64_t *args)
{
    const uint64_t timeout = (uint32_t)args[0] | args[1] << 32;

    return call_set_timer_op(opaque, &timeout);
}

static long narrow_xen_version(void *opaque, const uint64_t *args)
{
    if ((uint32_t)args[0] == XENVER_platform_parameters)
        return refuse("xen_version", XENVER_platform_parameters);
    return call_xen_version(opaque, args);
}

static long narrow_sched_op(void *opaque, const uint64_t *args)
{
    if ((uint32_t)args[0] == SCHEDOP_poll)
        return refuse("sched_op", SCHEDOP_poll);
    return call_sched_op(opaque, args);
}

static long narrow_grant_table_op(void *opaque, const uint64_t *args)
{
    switch ((uint32_t)args[0]) {
    case GNTTABOP_query_size:
    case GNTTABOP_get_version:
    case GNTTABOP_set_version:
    case GNTTABOP_map_grant_ref:
    case GNTTABOP_unmap_grant_ref:
    case GNTTABOP_dump_table:
        return call_grant_table_op(opaque, args);
    case GNTTABOP_setup_table:
        return (uint32_t)args[2] == 1 ? setup_table(opaque, args[1]) : -EINVAL;
    default:
        return refuse("grant_table_op", (uint32_t)args[0]);
    }
}

static long narrow_vcpu_op(void *opaque, const uint64_t *args)
{
    switch ((uint32_t)args[0]) {
    case VCPUOP_is_up:
    case VCPUOP_stop_periodic_timer:
    case VCPUOP_stop_singleshot_timer:
    case VCPUOP_set_periodic_timer:
    case VCPUOP_register_vcpu_info:
        return call_vcpu_op(opaque, args);
    default:
        return refuse("vcpu_op", (uint32_t)args[0]);
    }
}

static long narrow_multicall(void *opaque, const uint64_t *args)
{
    (void)opaque;
    return refuse("multicall of", args[1]);
}

const struct hypercall_handlers call_handlers_narrow = {
    .fn =
        {
            [__HYPERVISOR_platform_op] = call_privileged,
            [__HYPERVISOR_memory_op] = narrow_memory_op,
            [__HYPERVISOR_multicall] = narrow_multicall,
            [__HYPERVISOR_set_timer_op] = narrow_set_timer_op,
            [__HYPERVISOR_xen_version] = narrow_xen_version,
            [__HYPERVISOR_console_io] = call_console_io,
            [__HYPERVISOR_grant_table_op] = narrow_grant_table_op,
            [__HYPERVISOR_vm_assist] = call_vm_assist,
            [__HYPERVISOR_vcpu_op] = narrow_vcpu_op,
            [__HYPERVISOR_sched_op] = narrow_sched_op,
            [__HYPERVISOR_event_channel_op] = call_event_channel_op,
            [__HYPERVISOR_hvm_op] = call_hvm_op,
            [__HYPERVISOR_sysctl] = call_privileged,
            [__HYPERVISOR_domctl] = call_privileged,
        },
};
