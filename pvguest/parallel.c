/*
 * All vCPUs run threads: what starts them, and what each does without any.
 */
#include <pvguest/guest.h>
#include <pvguest/vcpu.h>

#include "schedule.h"

/* Where a vCPU is when the last thread that ran on it has ended. */
static void nothing_to_do(void *arg)
{
    (void)arg;
    for (;;)
        schedule(false);
}

/* The beginning of another vCPU: its idle thread, which nobody switched to. */
static void begin(void *arg)
{
    struct guest_vcpu *self = this_vcpu();
    struct thread *thread = arg;

    lock_take(1);
    self->idle = self->current = thread;
    thread->vcpu = self;
    schedule_load_tls(thread->tls);
    nothing_to_do(NULL);
}

static bool start_one(unsigned id)
{
    struct thread *thread = thread_make(nothing_to_do, NULL, false);
    int rc;

    if (!thread)
        return false;
    rc = vcpu_start(id, begin, thread, thread);
    if (rc)
        guest_print("guest: vCPU %u does not start: error %d\n", id, rc);
    return rc == 0;
}

bool thread_runs_on(unsigned vcpu)
{
    if (vcpu == 0)
        return true;
    return vcpu < VCPU_MAX && guest_vcpus[vcpu] && guest_vcpus[vcpu]->idle;
}

void parallel_start(void)
{
    static bool started;

    if (started)
        return;
    started = true;
    if (vcpu_count() == 1)
        return;
    guest_boot_vcpu.idle = thread_make(nothing_to_do, NULL, false);
    if (!guest_boot_vcpu.idle)
        return;
    for (unsigned id = 1; id < vcpu_count(); id++)
        if (!start_one(id))
            return;
}
