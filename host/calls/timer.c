/* Timers: set_timer_op and those of vcpu_op share one. (xen/vcpu.h) */
#include <errno.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"

#define NS_PER_MS UINT64_C(1000000)

/* A time so far off, or so negative, is a mistake; Xen looks again soon. */
#define FAR_BITS      50
#define FAR_RETRY_NS  (100 * NS_PER_MS)
#define MIN_PERIOD_NS (1 * NS_PER_MS)
#define MAX_PERIOD_NS (UINT64_MAX >> 2)

/* One in the past fires at once; for others the engine wakes us in time. */
static void arm(struct vcpu *vcpu, uint64_t when, uint64_t now)
{
    vcpu->singleshot_ns = when;
    if (when <= now)
        vcpu_run_timers(vcpu, now);
    else
        tell_kick(vcpu);
}

long call_set_timer_op(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    uint64_t now = clock_now(&vcpu->domain->clock);
    uint64_t timeout = args[0];
    bool negative = timeout >> 63;

    if (timeout == 0)
        vcpu->singleshot_ns = 0;
    else if (negative || (timeout > now && (timeout - now) >> FAR_BITS))
        arm(vcpu, now + FAR_RETRY_NS, now);
    else
        arm(vcpu, timeout, now);
    return 0;
}

long timer_set_singleshot(struct vcpu *vcpu, uint64_t timeout)
{
    uint64_t now = clock_now(&vcpu->domain->clock);

    arm(vcpu, timeout ? timeout : 1, now); /* 0 would mean "off" */
    return 0;
}

long timer_set_periodic(struct vcpu *vcpu, uint64_t period)
{
    if (period < MIN_PERIOD_NS || period > MAX_PERIOD_NS)
        return -EINVAL;
    vcpu->periodic_ns = period;
    vcpu->next_tick_ns = clock_now(&vcpu->domain->clock) + period;
    tell_kick(vcpu);
    return 0;
}
