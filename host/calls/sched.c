/* sched_op: waiting and ending. (xen/sched.h) */
#include <errno.h>
#include <stdint.h>

#include <xen/sched.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/log.h"

#define POLL_MAX_PORTS 128

#define NS_PER_S UINT64_C(1000000000)

/* Others get their turn, then the caller has its own again. */
static long yield(struct vcpu *vcpu)
{
    domain_work(vcpu);
    turn_pass(&vcpu->domain->turn);
    return 0;
}

/*
 * The unmasking and the look at what is pending are one step for the guest:
 * nobody else runs in between, and domain_sleep looks again before it sleeps.
 */
static long block(struct vcpu *vcpu)
{
    __atomic_store_n(&vcpu->info->evtchn_upcall_mask, 0, __ATOMIC_SEQ_CST);
    if (vcpu_event_deliverable(vcpu))
        return 0;
    domain_sleep(vcpu, UINT64_MAX, NULL);
    return 0;
}

/* Is one of the polled ports pending? Masked ones count. */
static bool poll_is_over(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < vcpu->nr_poll_ports; i++)
        if (port_pending(vcpu->domain, vcpu->poll_ports[i]))
            return true;
    return false;
}

/* 1 if a port is pending, 0 if none is, -EINVAL at one that is not ours. */
static int scan(struct domain *dom, const evtchn_port_t *ports, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++) {
        if (!port_find(dom, ports[i]))
            return -EINVAL;
        if (port_pending(dom, ports[i]))
            return 1; /* later ones are not looked at */
    }
    return 0;
}

/*
 * A PVH guest may poll with interrupts off: an upcall that was pending before
 * ends nothing then, a new one does, as on Xen.
 */
static long poll_ports(struct vcpu *vcpu, uint64_t arg)
{
    const bool pending = vcpu_event_deliverable(vcpu);
    evtchn_port_t ports[POLL_MAX_PORTS];
    struct sched_poll op;
    uint64_t until;
    int rc;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.nr_ports > POLL_MAX_PORTS)
        return -EINVAL;
    if (guest_read(vcpu, guest_addr((uint64_t)op.ports.p), ports,
                   op.nr_ports * sizeof *ports))
        return -EFAULT;
    rc = scan(vcpu->domain, ports, op.nr_ports);
    if (rc || (pending && !vcpu->interrupts_off))
        return rc < 0 ? rc : 0;

    until = op.timeout ? op.timeout : UINT64_MAX;
    if (until <= clock_now(&vcpu->domain->clock))
        return 0;
    vcpu->poll_ports = ports;
    vcpu->nr_poll_ports = op.nr_ports;
    vcpu->poll_past_upcall = pending;
    domain_sleep(vcpu, until, poll_is_over);
    vcpu->poll_past_upcall = false;
    vcpu->poll_ports = NULL;
    vcpu->nr_poll_ports = 0;
    return 0;
}

/*
 * To suspend is to be saved, and there is nobody here to save it: the guest
 * is told what Xen tells it when the toolstack changes its mind, 1, and goes
 * on.
 */
static long refuse_suspend(void)
{
    static bool said;

    if (!said)
        log_warning(
            "the guest asked to be suspended: this host cannot save it, "
            "so it goes on as after a cancelled suspend");
    said = true;
    return 1;
}

long sched_shut_down(struct vcpu *vcpu, uint8_t reason)
{
    struct domain *dom = vcpu->domain;

    if (dom->code_latched)
        reason = dom->shutdown_code;
    switch (reason) {
    case SHUTDOWN_poweroff:
        domain_end(dom, DOMAIN_POWEROFF);
        return 0;
    case SHUTDOWN_reboot:
        domain_end(dom, DOMAIN_REBOOT);
        return 0;
    case SHUTDOWN_suspend:
        return refuse_suspend();
    case SHUTDOWN_crash:
        domain_crash(vcpu, "the guest says that it crashed");
        return 0;
    case SHUTDOWN_watchdog:
        domain_crash(vcpu, "the guest says that its watchdog expired");
        return 0;
    case SHUTDOWN_soft_reset:
        domain_crash(vcpu, "the guest asked for a soft reset, which only a "
                           "domain with a device model could get");
        return 0;
    default:
        domain_crash(vcpu, "the guest shut down for reason %u, which is none",
                     reason);
        return 0;
    }
}

/* The first stays, and is not looked at before it counts. */
static long latch_code(struct vcpu *vcpu, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct sched_shutdown op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (!dom->code_latched)
        dom->shutdown_code = (uint8_t)op.reason;
    dom->code_latched = true;
    return 0;
}

static long arm_watchdog(struct domain *dom, unsigned index, uint32_t timeout)
{
    dom->watchdog_ns[index] =
        timeout ? clock_now(&dom->clock) + timeout * NS_PER_S : 0;
    return 0;
}

static long watchdog(struct vcpu *vcpu, uint64_t arg)
{
    struct domain *dom = vcpu->domain;
    struct sched_watchdog op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (op.id > DOMAIN_WATCHDOGS)
        return -EINVAL;
    if (op.id > 0) {
        if (!dom->watchdog_ns[op.id - 1])
            return -EINVAL;
        return arm_watchdog(dom, op.id - 1, op.timeout);
    }
    for (unsigned i = 0; i < DOMAIN_WATCHDOGS; i++) {
        if (dom->watchdog_ns[i])
            continue;
        /* one without a time bites at once */
        dom->watchdog_ns[i] = clock_now(&dom->clock) + op.timeout * NS_PER_S;
        return (long)i + 1;
    }
    return (uint32_t)-ENOSPC; /* in 32 bits, as Xen says it */
}

/* Of other domains; DOMID_SELF is none of these. */
static long remote_shutdown(struct vcpu *vcpu, uint64_t arg)
{
    struct sched_remote_shutdown op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    return op.domain_id == vcpu->domain->id || op.domain_id == BACKEND_ID
               ? -EPERM
               : -ESRCH;
}

long call_sched_op(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    struct sched_shutdown op;

    switch ((int)args[0]) {
    case SCHEDOP_yield:
        return yield(vcpu);
    case SCHEDOP_block:
        return block(vcpu);
    case SCHEDOP_shutdown:
        if (guest_read(vcpu, guest_addr(args[1]), &op, sizeof op))
            return -EFAULT;
        return sched_shut_down(vcpu, (uint8_t)op.reason);
    case SCHEDOP_poll:
        return poll_ports(vcpu, args[1]);
    case SCHEDOP_watchdog:
        return watchdog(vcpu, args[1]);
    case SCHEDOP_remote_shutdown:
        return remote_shutdown(vcpu, args[1]);
    case SCHEDOP_shutdown_code:
        return latch_code(vcpu, args[1]);
    case SCHEDOP_pin_override:
        return -EPERM;
    default:
        return -ENOSYS;
    }
}

/* The form of before 2006: the reason itself instead of its address. */
long call_sched_op_compat(void *opaque, const uint64_t *args)
{
    switch ((int)args[0]) {
    case SCHEDOP_yield:
        return yield(opaque);
    case SCHEDOP_block:
        return block(opaque);
    case SCHEDOP_shutdown:
        return sched_shut_down(opaque, (uint8_t)args[1]);
    default:
        return -ENOSYS;
    }
}
