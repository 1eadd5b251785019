/* One hypercall from the engine's door to its handler and back. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <hypercall/dispatch.h>
#include <hypercall/trace.h>

#include "host/calls/calls.h"
#include "host/config.h"
#include "host/domain.h"
#include "host/log.h"

#define LINE 512

#define NS_PER_S UINT64_C(1000000000)

bool call_breathe(struct vcpu *vcpu)
{
    domain_work(vcpu);
    turn_pass(&vcpu->domain->turn);
    return vcpu->domain->end == DOMAIN_RUNS;
}

bool domid_is_self(const struct domain *dom, domid_t domid)
{
    return domid == DOMID_SELF || domid == dom->id;
}

static const struct hypercall_handlers *handlers_of(const struct vcpu *vcpu)
{
    if (vcpu->domain->abi == ABI_PV)
        return &call_handlers;
    return vcpu->in_32bit ? &call_handlers_narrow : &call_handlers_pvh;
}

static int read_guest(void *opaque, uint64_t va, void *buf, size_t len)
{
    return guest_read(opaque, guest_addr(va), buf, len);
}

static uint64_t monotonic_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/*
 * Arguments are shown as they were before the call, and after its result what
 * it stored for the caller: "... = 0 {port=5} <...>".
 */
static long serve_traced(struct vcpu *vcpu, uint64_t nr, const uint64_t *args)
{
    char call[LINE], outcome[64], answer[LINE], who[24] = "";
    size_t answered = 0;
    uint64_t start, duration;
    long result;

    hypercall_format(call, sizeof call, nr, args, read_guest, vcpu);
    start = monotonic_ns();
    result = hypercall_dispatch(handlers_of(vcpu), vcpu, nr, args);
    duration = monotonic_ns() - start;
    hypercall_format_result(outcome, sizeof outcome, nr, args, result);
    if (result >= 0)
        answered = hypercall_format_answer(answer, sizeof answer, nr, args,
                                           read_guest, vcpu);
    if (vcpu->domain->nr_vcpus > 1)
        snprintf(who, sizeof who, "vcpu %u: ", vcpu->id);
    log_trace("hypercall: %s%s = %s%s%s <%llu.%09llu>", who, call, outcome,
              answered ? " " : "", answered ? answer : "",
              (unsigned long long)(duration / NS_PER_S),
              (unsigned long long)(duration % NS_PER_S));
    return result;
}

long domain_hypercall(struct vcpu *vcpu, uint64_t nr, const uint64_t *args)
{
    struct domain *dom = vcpu->domain;
    const unsigned nr_slots = sizeof dom->last_calls / sizeof *dom->last_calls;
    const unsigned call = dom->nr_last_calls++, slot = call % nr_slots;
    long result;

    dom->last_calls[slot].nr = nr;
    memcpy(dom->last_calls[slot].args, args, sizeof dom->last_calls->args);
    dom->last_calls[slot].result = 0;
    if (dom->config && (dom->config->trace & TRACE_HYPERCALL))
        result = serve_traced(vcpu, nr, args);
    else
        result = hypercall_dispatch(handlers_of(vcpu), vcpu, nr, args);
    if (dom->nr_last_calls - call <= nr_slots) /* others may have called */
        dom->last_calls[slot].result = result;
    return result;
}
