/*
 * host/sleep.c: what a vCPU's thread does beside the guest: serve what is due,
 * and sleep.
 */
#include <stdbool.h>
#include <stdint.h>

#include "host/backend/block.h"
#include "host/domain.h"
#include "host/runstate.h"
#include "host/store/store.h"

static void serve_others(struct domain *dom)
{
    block_poll_all(dom);
    store_run(dom->store);
}

/*
 * A vCPU that reads the clock by the new line and tells another one, which
 * still has the old, could be answered from its past: so no line can be read
 * until all are written.
 */
static void publish_time(struct domain *dom)
{
    if (dom->nr_vcpus > 1)
        for (unsigned i = 0; i < dom->nr_vcpus; i++)
            clock_withdraw(&dom->vcpus[i].info->time);
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        vcpu_publish_time(&dom->vcpus[i]);
}

static void set_clock(struct domain *dom)
{
    if (!clock_is_stale(&dom->clock, clock_now(&dom->clock)))
        return;
    clock_steer(&dom->clock);
    publish_time(dom);
}

void domain_work(struct vcpu *vcpu)
{
    struct domain *dom = vcpu->domain;
    uint64_t now;

    if (!turn_is_polled(&dom->turn)) {
        wait_for(&dom->wait, 0);
        turn_hand_on(vcpu);
    }
    serve_others(dom);
    set_clock(dom);
    now = clock_now(&dom->clock);
    vcpu_run_timers(vcpu, now);
    runstate_refresh(vcpu, now);
}

/* While all sleep is the time to set the clock right. */
static void serve_asleep(struct vcpu *vcpu, uint64_t wake_ns)
{
    struct domain *dom = vcpu->domain;
    const uint64_t before = clock_now(&dom->clock);
    uint64_t wait_ns = UINT64_MAX;

    if (wake_ns != UINT64_MAX)
        wait_ns = wake_ns > before ? wake_ns - before : 0;
    wait_for(&dom->wait, wait_ns);
    serve_others(dom);
    if (clock_is_stale(&dom->clock, clock_now(&dom->clock))) {
        clock_set_right(&dom->clock, before);
        publish_time(dom);
    }
}

static void serve_asleep_among_others(struct vcpu *vcpu, uint64_t wake_ns)
{
    struct domain *dom = vcpu->domain;

    if (!turn_sleep(vcpu, wake_ns))
        return;
    serve_others(dom);
    set_clock(dom);
}

static void sleep_once(struct vcpu *vcpu, uint64_t wake_ns)
{
    struct domain *dom = vcpu->domain;

    runstate_set(vcpu, RUNSTATE_blocked);
    if (dom->turn.shared)
        serve_asleep_among_others(vcpu, wake_ns);
    else
        serve_asleep(vcpu, wake_ns);
    vcpu_run_timers(vcpu, clock_now(&dom->clock));
}

void domain_sleep(struct vcpu *vcpu, uint64_t until_ns,
                  bool (*woken)(struct vcpu *vcpu))
{
    struct domain *dom = vcpu->domain;

    store_run(dom->store);
    vcpu->turn.woken = woken;
    while (dom->end == DOMAIN_RUNS && vcpu->up && !vcpu_has_to_wake(vcpu) &&
           !(woken && woken(vcpu))) {
        const uint64_t now = clock_now(&dom->clock);
        const uint64_t deadline = vcpu_next_deadline(vcpu);

        sleep_once(vcpu, until_ns < deadline ? until_ns : deadline);
        if (now >= until_ns)
            break;
    }
    vcpu->turn.woken = NULL;
    vcpu->reload = true;
    runstate_set(vcpu, RUNSTATE_running);
}
