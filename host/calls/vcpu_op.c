/* vcpu_op: a virtual CPU's life, areas and timers. (xen/vcpu.h) */
#include <errno.h>
#include <stdint.h>

#include <xen/sched.h>
#include <xen/vcpu.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pagetable.h"
#include "host/runstate.h"

void vcpu_bring_up(struct vcpu *vcpu)
{
    if (vcpu->up)
        return;
    vcpu->up = true;
    tell_kick(vcpu);
}

static long go_up(struct vcpu *target)
{
    if (!target->initialised)
        return -EINVAL;
    vcpu_bring_up(target);
    return 0;
}

/* The last vCPU going down is a way to power off. */
void vcpu_take_down(struct vcpu *target)
{
    const struct domain *dom = target->domain;
    bool others = false;

    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        others |= i != target->id && dom->vcpus[i].up;
    if (!others) {
        sched_shut_down(target, SHUTDOWN_poweroff);
        return;
    }
    target->up = false;
    tell_kick(target);
}

static long get_runstate_info(struct vcpu *vcpu, struct vcpu *target,
                              uint64_t arg)
{
    struct vcpu_runstate_info info;

    runstate_watch(target);
    info = runstate_now(target);
    return guest_write(vcpu, guest_addr(arg), &info, sizeof info);
}

static long register_runstate_area(struct vcpu *vcpu, struct vcpu *target,
                                   uint64_t arg)
{
    struct vcpu_register_runstate_memory_area area;

    if (guest_read(vcpu, guest_addr(arg), &area, sizeof area) ||
        !guest_may_hold(vcpu, guest_addr(area.addr.p)))
        return -EFAULT;
    target->runstate_area = area.addr.p;
    runstate_watch(target);
    runstate_publish(target);
    return 0;
}

static long register_time_area(struct vcpu *vcpu, struct vcpu *target,
                               uint64_t arg)
{
    struct vcpu_register_time_memory_area area;

    if (guest_read(vcpu, guest_addr(arg), &area, sizeof area) ||
        !guest_may_hold(vcpu, guest_addr(area.addr.p)))
        return -EFAULT;
    target->time_area = area.addr.p;
    vcpu_publish_time(target);
    return 0;
}

static long set_periodic(struct vcpu *vcpu, struct vcpu *target, uint64_t arg)
{
    struct vcpu_set_periodic_timer op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return timer_set_periodic(target, op.period_ns);
}

static long set_singleshot(struct vcpu *vcpu, struct vcpu *target, uint64_t arg)
{
    struct vcpu_set_singleshot_timer op;

    if (target != vcpu)
        return -EINVAL;
    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    /* VCPU_SSHOTTMR_future or not: one in the past fires at once */
    return timer_set_singleshot(vcpu, op.timeout_abs_ns);
}

static long stop_singleshot(const struct vcpu *vcpu, struct vcpu *target)
{
    if (target != vcpu)
        return -EINVAL;
    target->singleshot_ns = 0;
    return 0;
}

/*
 * The frame stays typed as writable for good: it cannot become a table, nor be
 * released, while the host writes to it. Nobody can tell which events came
 * before and which after the move, so the guest is told to look at all.
 */
static long register_info(struct vcpu *vcpu, struct vcpu *target, uint64_t arg)
{
    struct vcpu_register_vcpu_info op;
    struct vcpu_info *info;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (target->info_registered || (target != vcpu && target->up))
        return -EINVAL;
    if (op.offset > PAGE_SIZE - sizeof *info || op.offset % sizeof(uint64_t))
        return -ENXIO;
    if (!frame_take_type(vcpu->domain, op.mfn, TYPE_WRITABLE))
        return -EINVAL;
    info = (struct vcpu_info *)((uint8_t *)memory_frame(&vcpu->domain->mem,
                                                        op.mfn) +
                                op.offset);
    *info = *target->info;
    target->info = info;
    target->info_registered = true;
    __atomic_store_n(&info->evtchn_pending_sel, ~UINT64_C(0), __ATOMIC_SEQ_CST);
    __atomic_store_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static long send_nmi(struct vcpu *target, uint64_t arg)
{
    if (arg)
        return -EINVAL;
    target->nmi_pending = true;
    tell_kick(target);
    return 0;
}

long call_vcpu_op(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque, *target;
    uint32_t id = (uint32_t)args[1];
    uint64_t arg = args[2];

    if (id >= vcpu->domain->nr_vcpus)
        return -ENOENT;
    target = &vcpu->domain->vcpus[id];
    switch ((int)args[0]) {
    case VCPUOP_initialise:
        return vcpu_initialise(vcpu, target, arg);
    case VCPUOP_up:
        return go_up(target);
    case VCPUOP_down:
        vcpu_take_down(target);
        return 0;
    case VCPUOP_is_up:
        return target->up;
    case VCPUOP_get_runstate_info:
        return get_runstate_info(vcpu, target, arg);
    case VCPUOP_register_runstate_memory_area:
        return register_runstate_area(vcpu, target, arg);
    case VCPUOP_register_vcpu_time_memory_area:
        return register_time_area(vcpu, target, arg);
    case VCPUOP_set_periodic_timer:
        return set_periodic(vcpu, target, arg);
    case VCPUOP_stop_periodic_timer:
        target->periodic_ns = 0;
        return 0;
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(vcpu, target, arg);
    case VCPUOP_stop_singleshot_timer:
        return stop_singleshot(vcpu, target);
    case VCPUOP_register_vcpu_info:
        return register_info(vcpu, target, arg);
    case VCPUOP_send_nmi:
        return send_nmi(target, arg);
    case VCPUOP_get_physid:
        return -EINVAL; /* for a hardware domain that is pinned */
    default:
        return -ENOSYS;
    }
}
