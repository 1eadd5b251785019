#include "host/engine/tick.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host/domain.h"

#define TICK_NS 10000000u

static int timer = -1;
static uint64_t tick_at; /* system time the timer is set for; 0: not set */

int tick_create(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = TICK_SIGNAL};

    tick_at = 0;
    return syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) ? -errno
                                                                      : 0;
}

void tick_destroy(void)
{
    if (timer >= 0)
        syscall(SYS_timer_delete, timer);
    timer = -1;
}

int tick_timer(void)
{
    return timer;
}

void tick_arm(struct vcpu *vcpu)
{
    const uint64_t deadline = vcpu_next_deadline(vcpu);
    struct itimerspec when = {0};
    uint64_t now, at;

    if (tick_at && tick_at <= deadline)
        return; /* it comes in time */
    now = clock_now(&vcpu->domain->clock);
    at = now + TICK_NS < deadline ? now + TICK_NS : deadline;
    tick_at = at;
    at = at > now ? at - now : 1;
    when.it_value.tv_sec = (time_t)(at / 1000000000);
    when.it_value.tv_nsec = (long)(at % 1000000000);
    syscall(SYS_timer_settime, timer, 0, &when, NULL);
}

void tick_rang(void)
{
    tick_at = 0;
}
