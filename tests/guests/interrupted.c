/*
 * A hypercall is made once and answered once, wherever an interrupt of the
 * hypervisor's falls: also while the call is on its way in. Timers go off as
 * densely as can be; every call's effect is looked at.
 *
 * (A tick between the hypercall page and the shim once turned any call into
 * xen_version: a lost notification every few minutes.)
 */
#include "verdict.h"

#include <hypercall/calls.h>
#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/guest.h>

#include <xen/version.h>

#define SECONDS 2

static void ignore(evtchn_port_t port, void *context)
{
    (void)port;
    (void)context;
}

/* Is (port) pending? It is not, afterwards. */
static bool take_pending(evtchn_port_t port)
{
    xen_ulong_t *word = &guest_shared_info->evtchn_pending[port / 64];
    const xen_ulong_t bit = 1ul << port % 64;

    return __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit;
}

int main(void)
{
    const uint64_t end = clock_system_ns() + SECONDS * 1000000000ull;
    unsigned long lost_sends = 0, wrong_answers = 0, calls = 0;
    evtchn_port_t near, far;
    uint32_t seed = 1;

    if (!promise(
            !event_alloc_unbound(DOMID_SELF, ignore, NULL, &near) &&
                !event_bind_interdomain(DOMID_SELF, near, ignore, NULL, &far),
            "a channel to ourselves can be made"))
        return verdict();
    event_mask(near);
    take_pending(near);
    while (clock_system_ns() < end) {
        /* at no fixed place in what follows */
        seed = seed * 1664525 + 1013904223;
        hypercall_set_timer_op(clock_system_ns() + 2000 + seed % 8192);
        for (unsigned i = 0; i < 50; i++, calls++) {
            wrong_answers +=
                hypercall_xen_version(XENVER_pagesize, NULL) != 4096;
            hypercall_evtchn_send(far);
            lost_sends += !take_pending(near);
        }
    }
    hypercall_set_timer_op(0);
    promise(calls > 0 && wrong_answers == 0, "every call has its own answer");
    promise(lost_sends == 0, "and its effect");
    return verdict();
}
