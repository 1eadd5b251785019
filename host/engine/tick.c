#include "host/engine/tick.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host/domain.h"

#define TICK_NS 10000000u

/* glibc has no name for it. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

int tick_create(struct vcpu *vcpu)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = TICK_SIGNAL};

    vcpu->tick = (struct tick){.timer = -1};
    if (vcpu->domain->turn.shared) {
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_notify_thread_id = vcpu->turn.tid;
    }
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &vcpu->tick.timer))
        return -errno;
    vcpu->tick.exists = true;
    sandbox_allow_arg(&vcpu->domain->sandbox, SYS_timer_settime,
                      vcpu->tick.timer);
    return 0;
}

void tick_destroy(struct vcpu *vcpu)
{
    if (vcpu->tick.exists)
        syscall(SYS_timer_delete, vcpu->tick.timer);
    vcpu->tick.exists = false;
}

void tick_arm(struct vcpu *vcpu)
{
    const uint64_t deadline = vcpu_next_deadline(vcpu);
    struct itimerspec when = {0};
    uint64_t now, at;

    if (vcpu->tick.at && vcpu->tick.at <= deadline)
        return; /* it comes in time */
    now = clock_now(&vcpu->domain->clock);
    at = now + TICK_NS < deadline ? now + TICK_NS : deadline;
    vcpu->tick.at = at;
    at = at > now ? at - now : 1;
    when.it_value.tv_sec = (time_t)(at / 1000000000);
    when.it_value.tv_nsec = (long)(at % 1000000000);
    syscall(SYS_timer_settime, vcpu->tick.timer, 0, &when, NULL);
}

UNSANITIZED void tick_rang(struct vcpu *vcpu)
{
    vcpu->tick.at = 0;
}
