/*
 * host/runstate.c: running, waiting for a CPU, blocked, offline. A thread of
 * the host that wants to run and does not is not told so, but the kernel counts
 * for how long: that is asked for when a state ends, and now and then in
 * between, once the guest has shown that it looks.
 */
#include "host/runstate.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/domain.h"

/* While a vCPU runs on and on. */
#define REFRESH_NS UINT64_C(10000000)

void runstate_create(struct vcpu *vcpu, uint64_t now_ns)
{
    vcpu->runstate.state = vcpu->up ? RUNSTATE_running : RUNSTATE_offline;
    vcpu->runstate.state_entry_time = now_ns;
}

void runstate_begin(struct vcpu *vcpu)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/self/task/%d/schedstat",
             (int)vcpu->turn.tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd <= 0)
        return; /* this kernel does not count it */
    vcpu->schedstat_fd = fd;
    sandbox_allow_arg(&vcpu->domain->sandbox, SYS_pread64, fd);
}

void runstate_end(struct vcpu *vcpu)
{
    if (vcpu->schedstat_fd)
        close(vcpu->schedstat_fd);
    vcpu->schedstat_fd = 0;
}

/*
 * How long its thread has waited for a CPU so far: the second number of
 * schedstat. 0 where the kernel does not say.
 */
static uint64_t waited_so_far(const struct vcpu *vcpu)
{
    char text[64], *end;
    ssize_t len = -1;

    if (vcpu->schedstat_fd)
        len = pread(vcpu->schedstat_fd, text, sizeof text - 1, 0);
    if (len <= 0)
        return 0;
    text[len] = 0;
    strtoull(text, &end, 10);
    return strtoull(end, NULL, 10);
}

void runstate_watch(struct vcpu *vcpu)
{
    if (vcpu->runstate_watched)
        return;
    vcpu->runstate_watched = true;
    vcpu->waited_ns = waited_so_far(vcpu);
}

/* The time since the state began goes to it, but for what was waited. */
static void account(const struct vcpu *vcpu, struct vcpu_runstate_info *info,
                    uint64_t now, uint64_t waited_ns)
{
    const uint64_t spent = now - info->state_entry_time;
    uint64_t waited = 0;

    if (waited_ns > vcpu->waited_ns)
        waited = waited_ns - vcpu->waited_ns;
    if (waited > spent)
        waited = spent;
    info->time[RUNSTATE_runnable] += waited;
    info->time[info->state] += spent - waited;
    info->state_entry_time = now;
}

static uint64_t look(const struct vcpu *vcpu)
{
    return vcpu->runstate_watched ? waited_so_far(vcpu) : 0;
}

static void change(struct vcpu *vcpu, int state, uint64_t now)
{
    const uint64_t waited_ns = look(vcpu);

    account(vcpu, &vcpu->runstate, now, waited_ns);
    vcpu->waited_ns = waited_ns;
    vcpu->runstate.state = state;
    runstate_publish(vcpu);
}

void runstate_set(struct vcpu *vcpu, int state)
{
    if (vcpu->runstate.state != state)
        change(vcpu, state, clock_now(&vcpu->domain->clock));
}

void runstate_refresh(struct vcpu *vcpu, uint64_t now_ns)
{
    if (vcpu->runstate_watched &&
        now_ns - vcpu->runstate.state_entry_time >= REFRESH_NS)
        change(vcpu, vcpu->runstate.state, now_ns);
}

/* What (vcpu)'s thread keeps is left to that. */
struct vcpu_runstate_info runstate_now(const struct vcpu *vcpu)
{
    struct vcpu_runstate_info info = vcpu->runstate;

    account(vcpu, &info, clock_now(&vcpu->domain->clock), look(vcpu));
    info.state_entry_time = vcpu->runstate.state_entry_time;
    return info;
}

static bool wants_update_flag(const struct domain *dom)
{
    return dom->vm_assist & (UINT64_C(1) << VMASST_TYPE_runstate_update_flag);
}

/*
 * A guest may read the area from a trap handler that interrupted nothing of
 * ours, but also from another mapping: the flag goes first and leaves last.
 * An address that is not mapped (any more) is the guest's loss.
 */
void runstate_publish(struct vcpu *vcpu)
{
    struct vcpu_runstate_info copy = vcpu->runstate;
    struct guest_addr area = guest_addr(vcpu->runstate_area);
    struct guest_addr entry_time = guest_addr(
        area.va + offsetof(struct vcpu_runstate_info, state_entry_time));
    uint64_t updating = copy.state_entry_time | XEN_RUNSTATE_UPDATE;

    if (!area.va)
        return;
    if (!wants_update_flag(vcpu->domain)) {
        (void)guest_write_area(vcpu, area, &copy, sizeof copy);
        return;
    }
    if (guest_write_area(vcpu, entry_time, &updating, sizeof updating))
        return;
    copy.state_entry_time = updating;
    if (guest_write_area(vcpu, area, &copy, sizeof copy))
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    (void)guest_write_area(vcpu, entry_time, &vcpu->runstate.state_entry_time,
                           sizeof updating);
}
