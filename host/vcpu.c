#include "host/vcpu.h"

#include "host/domain.h"
#include "host/port.h"
#include "host/runstate.h"

#define PERIODIC_DEFAULT_NS UINT64_C(10000000)

#define DR6_DEFAULT 0xffff0ff0u
#define DR7_DEFAULT 0x400u

void vcpu_create(struct vcpu *vcpu, struct domain *dom, unsigned id)
{
    uint64_t now = clock_now(&dom->clock);

    vcpu->domain = dom;
    vcpu->id = id;
    vcpu->up = vcpu->initialised = id == 0;
    vcpu->info = &dom->shared->vcpu_info[id];
    if (dom->abi == ABI_PV) { /* a PVH guest has no such things */
        vcpu->info->evtchn_upcall_mask = 1;
        vcpu->periodic_ns = PERIODIC_DEFAULT_NS;
    }
    vcpu->debugreg[6] = DR6_DEFAULT;
    vcpu->debugreg[7] = DR7_DEFAULT;
    vcpu->next_tick_ns = now + PERIODIC_DEFAULT_NS;
    runstate_create(vcpu, now);
    vcpu_publish_time(vcpu);
}

bool vcpu_event_deliverable(const struct vcpu *vcpu)
{
    const struct vcpu_info *info = vcpu->info;

    if (!__atomic_load_n(&info->evtchn_upcall_pending, __ATOMIC_SEQ_CST))
        return false;
    if (vcpu->domain->abi == ABI_PVH)
        return !vcpu->upcall_vector || vcpu->upcall_raised;
    return !__atomic_load_n(&info->evtchn_upcall_mask, __ATOMIC_SEQ_CST);
}

bool vcpu_has_to_wake(const struct vcpu *vcpu)
{
    return (vcpu_event_deliverable(vcpu) && !vcpu->poll_past_upcall) ||
           (vcpu->nmi_pending && !vcpu->nmi_blocked);
}

void vcpu_publish_time(struct vcpu *vcpu)
{
    struct guest_addr area = guest_addr(vcpu->time_area);
    struct vcpu_time_info copy;
    uint32_t version;

    clock_publish(&vcpu->domain->clock, &vcpu->info->time);
    if (!area.va)
        return;

    copy = vcpu->info->time;
    version = copy.version & ~1u; /* the guest may have scribbled on it */
    copy.version = version | 1;
    if (guest_write_area(vcpu, area, &copy.version, sizeof copy.version))
        return;
    if (guest_write_area(vcpu, area, &copy, sizeof copy))
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    (void)guest_write_area(vcpu, area, &version, sizeof version);
}

static bool ticks(const struct vcpu *vcpu)
{
    return vcpu->periodic_ns && vcpu->virq_port[VIRQ_TIMER] &&
           vcpu->runstate.state == RUNSTATE_running;
}

static void take_earlier(uint64_t *deadline, uint64_t other)
{
    if (other && other < *deadline)
        *deadline = other;
}

uint64_t vcpu_next_deadline(const struct vcpu *vcpu)
{
    uint64_t deadline = UINT64_MAX;

    take_earlier(&deadline, vcpu->singleshot_ns);
    if (ticks(vcpu))
        take_earlier(&deadline, vcpu->next_tick_ns);
    for (unsigned i = 0; i < DOMAIN_WATCHDOGS; i++)
        take_earlier(&deadline, vcpu->domain->watchdog_ns[i]);
    return deadline;
}

/* Ticks that were missed merge into one. */
static void run_periodic(struct vcpu *vcpu, uint64_t now_ns)
{
    uint64_t missed;

    if (!ticks(vcpu) || now_ns < vcpu->next_tick_ns)
        return;
    missed = (now_ns - vcpu->next_tick_ns) / vcpu->periodic_ns;
    vcpu->next_tick_ns += (missed + 1) * vcpu->periodic_ns;
    port_raise_virq(vcpu, VIRQ_TIMER);
}

static void run_watchdogs(struct vcpu *vcpu, uint64_t now_ns)
{
    struct domain *dom = vcpu->domain;

    for (unsigned i = 0; i < DOMAIN_WATCHDOGS; i++) {
        if (!dom->watchdog_ns[i] || now_ns < dom->watchdog_ns[i])
            continue;
        dom->watchdog_ns[i] = 0;
        domain_crash(vcpu, "the guest's watchdog %u was not fed in time",
                     i + 1);
    }
}

void vcpu_run_timers(struct vcpu *vcpu, uint64_t now_ns)
{
    if (vcpu->singleshot_ns && now_ns >= vcpu->singleshot_ns) {
        vcpu->singleshot_ns = 0;
        port_raise_virq(vcpu, VIRQ_TIMER);
    }
    run_periodic(vcpu, now_ns);
    run_watchdogs(vcpu, now_ns);
}
