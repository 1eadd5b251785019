/*
 * The guest inside of paravane that tries each instruction where guests live,
 * and says a line for each.
 */
#include <pvguest/guest.h>
#include <pvguest/trap.h>

#include <xen/sched.h>

#include "host/probe/probe.h"

extern char guest_stack_top[], guest_end[];

static bool on_trap(struct trap_frame *frame)
{
    return probe_caught((unsigned)frame->vector, frame->error, &frame->rip,
                        &frame->rsp);
}

/* Interrupts are on for moments: then nothing may be there to interrupt. */
static void mask_all_events(void)
{
    const unsigned nr = sizeof guest_shared_info->evtchn_mask /
                        sizeof *guest_shared_info->evtchn_mask;

    for (unsigned i = 0; i < nr; i++)
        guest_shared_info->evtchn_mask[i] = ~0ul;
    guest_shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
}

void guest_main(void)
{
    const struct probe_world world = {
        .ring0 = guest_is_pvh(),
        .start = (uintptr_t)guest_stack_top,
        .end = (uintptr_t)guest_end,
    };
    struct probe_result result;

    for (unsigned vector = 0; vector < TRAP_NR; vector++)
        trap_handle(vector, on_trap);
    mask_all_events();
    for (unsigned i = 0; i < probe_count(); i++) {
        probe_try(i, &world, &result);
        guest_print(PROBE_LINE, i, (unsigned)result.outcome, result.vector,
                    (unsigned long)result.error, (unsigned long)result.value);
    }
    guest_shutdown(SHUTDOWN_poweroff);
}
