/* vcpu_op and set_timer_op: areas, runstate, timers. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <xen/vcpu.h>

#include "host/runstate.h"
#include "tests/harness/fake_domain.h"

#define MS UINT64_C(1000000)

static evtchn_port_t timer;

static void with_timer(void)
{
    fake_create();
    cr_assert_eq(port_alloc(dom, PORT_VIRQ, &timer), 0);
    port_find(dom, timer)->virq = VIRQ_TIMER;
    vcpu->virq_port[VIRQ_TIMER] = timer;
}

static void without(void)
{
    port_close(dom, timer);
    fake_destroy();
}

TestSuite(vcpu, .init = with_timer, .fini = without);

#define vcpu_op(cmd, op) call(__HYPERVISOR_vcpu_op, cmd, 0, put(op))
#define vcpu_op_0(cmd)   call(__HYPERVISOR_vcpu_op, cmd, 0)

static uint64_t now(void)
{
    return clock_now(&dom->clock);
}

static bool fired_at(uint64_t when)
{
    bool fired;

    vcpu_run_timers(vcpu, when);
    fired = port_pending(dom, timer);
    dom->shared->evtchn_pending[0] = 0;
    return fired;
}

Test(vcpu, set_timer_fires_once_when_due)
{
    uint64_t when = now() + 3 * MS;

    cr_assert_eq(vcpu_op_0(VCPUOP_stop_periodic_timer), 0);
    cr_expect_eq(call(__HYPERVISOR_set_timer_op, when), 0);
    cr_expect_eq(vcpu_next_deadline(vcpu), when);
    cr_expect(!fired_at(when - 1));
    cr_expect(fired_at(when));
    cr_expect(!fired_at(when + MS));
    cr_expect_eq(vcpu_next_deadline(vcpu), UINT64_MAX);
}

Test(vcpu, set_timer_takes_0_as_never_and_the_past_as_now)
{
    cr_assert_eq(vcpu_op_0(VCPUOP_stop_periodic_timer), 0);
    cr_expect_eq(call(__HYPERVISOR_set_timer_op, now() + MS), 0);
    cr_expect_eq(call(__HYPERVISOR_set_timer_op, 0), 0);
    cr_expect_eq(vcpu_next_deadline(vcpu), UINT64_MAX);

    cr_expect_eq(call(__HYPERVISOR_set_timer_op, 1), 0);
    cr_expect(port_pending(dom, timer));
    dom->shared->evtchn_pending[0] = 0;
}

Test(vcpu, set_timer_looks_again_after_100_ms_at_absurd_times)
{
    const uint64_t absurd[] = {UINT64_MAX, UINT64_C(1) << 63,
                               UINT64_C(1) << 60};

    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        uint64_t start = now();

        cr_expect_eq(call(__HYPERVISOR_set_timer_op, absurd[i]), 0);
        cr_expect_geq(vcpu->singleshot_ns, start + 100 * MS);
        cr_expect_lt(vcpu->singleshot_ns, start + 101 * MS);
    }
}

Test(vcpu, singleshot_and_set_timer_share_one_timer)
{
    struct vcpu_set_singleshot_timer op = {.timeout_abs_ns = now() + 7 * MS};

    cr_expect_eq(call(__HYPERVISOR_set_timer_op, now() + MS), 0);
    cr_expect_eq(vcpu_op(VCPUOP_set_singleshot_timer, op), 0);
    cr_expect_eq(vcpu->singleshot_ns, op.timeout_abs_ns);
    cr_expect_eq(vcpu_op_0(VCPUOP_stop_singleshot_timer), 0);
    cr_expect_eq(vcpu->singleshot_ns, 0);
}

/* The flag that asks for an error instead means nothing to Xen 4.17. */
Test(vcpu, singleshot_in_the_past_fires_at_once)
{
    struct vcpu_set_singleshot_timer op = {1, VCPU_SSHOTTMR_future};

    cr_expect_eq(vcpu_op(VCPUOP_set_singleshot_timer, op), 0);
    cr_expect(port_pending(dom, timer));
    dom->shared->evtchn_pending[0] = 0;
}

/* Many missed ticks are one event, and the next comes in step. */
Test(vcpu, ticks_every_10_ms_until_told_not_to)
{
    uint64_t first = vcpu_next_deadline(vcpu);

    cr_expect(fired_at(first));
    cr_expect_eq(vcpu_next_deadline(vcpu), first + 10 * MS);
    cr_expect(fired_at(first + 35 * MS));
    cr_expect_eq(vcpu_next_deadline(vcpu), first + 40 * MS);
    cr_expect_eq(vcpu_op_0(VCPUOP_stop_periodic_timer), 0);
    cr_expect(!fired_at(first + 100 * MS));
}

Test(vcpu, does_not_tick_while_it_sleeps)
{
    runstate_set(vcpu, RUNSTATE_blocked);
    cr_expect_eq(vcpu_next_deadline(vcpu), UINT64_MAX);
    runstate_set(vcpu, RUNSTATE_running);
    cr_expect_neq(vcpu_next_deadline(vcpu), UINT64_MAX);
}

Test(vcpu, refuses_a_period_below_a_millisecond)
{
    struct vcpu_set_periodic_timer op = {MS - 1};

    cr_expect_eq(vcpu_op(VCPUOP_set_periodic_timer, op), -EINVAL);
    op.period_ns = UINT64_MAX;
    cr_expect_eq(vcpu_op(VCPUOP_set_periodic_timer, op), -EINVAL);
    op.period_ns = MS;
    cr_expect_eq(vcpu_op(VCPUOP_set_periodic_timer, op), 0);
    cr_expect(fired_at(now() + MS));
}

Test(vcpu, is_the_only_one_and_up)
{
    struct vcpu_get_physid physid = {0};

    cr_expect_eq(vcpu_op_0(VCPUOP_is_up), 1);
    cr_expect_eq(vcpu_op_0(VCPUOP_up), 0);
    cr_expect_eq(vcpu_op_0(VCPUOP_initialise), -EFAULT, "there is no context");
    cr_expect_eq(call(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 0, page_va(32)),
                 -EEXIST);
    cr_expect_eq(vcpu_op(VCPUOP_get_physid, physid), -EINVAL);
    cr_expect_eq(vcpu_op_0(77), -ENOSYS);
    cr_expect_eq(call(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 1), -ENOENT);
    cr_expect_eq(call(__HYPERVISOR_vcpu_op, VCPUOP_up, UINT32_MAX), -ENOENT);
}

Test(vcpu, powers_off_when_the_last_one_goes_down)
{
    cr_expect_eq(vcpu_op_0(VCPUOP_down), 0);
    cr_expect_eq(dom->end, DOMAIN_POWEROFF);
}

Test(vcpu, moves_its_info_once_and_asks_for_a_full_scan)
{
    struct vcpu_register_vcpu_info op = {page_mfn(FREE_PAGE), 64, 0};
    struct vcpu_info *moved = (void *)((uint8_t *)page(FREE_PAGE) + 64);

    vcpu->info->arch.cr2 = 0xabcd;
    cr_expect_eq(vcpu_op(VCPUOP_register_vcpu_info, op), 0);
    cr_expect_eq(vcpu->info, moved);
    cr_expect_eq(moved->arch.cr2, 0xabcd);
    cr_expect_eq(moved->evtchn_upcall_mask, 1);
    cr_expect_eq(moved->evtchn_pending_sel, ~UINT64_C(0));
    cr_expect_eq(moved->evtchn_upcall_pending, 1);
    cr_expect_eq(vcpu_op(VCPUOP_register_vcpu_info, op), -EINVAL);
    cr_expect_eq(memory_release(&dom->mem, page_mfn(FREE_PAGE)), -EBUSY);
}

Test(vcpu, keeps_its_info_when_the_new_place_is_no_place)
{
    struct vcpu_register_vcpu_info op = {page_mfn(FREE_PAGE), 4, 0};
    const struct vcpu_info *before = vcpu->info;

    cr_expect_eq(vcpu_op(VCPUOP_register_vcpu_info, op), -ENXIO);
    op.offset = PAGE_SIZE - 56;
    cr_expect_eq(vcpu_op(VCPUOP_register_vcpu_info, op), -ENXIO);
    op.offset = UINT32_MAX - 7;
    cr_expect_eq(vcpu_op(VCPUOP_register_vcpu_info, op), -ENXIO);
    op = (struct vcpu_register_vcpu_info){page_mfn(L1_PAGE), 0, 0};
    cr_expect_eq(vcpu_op(VCPUOP_register_vcpu_info, op), -EINVAL);
    op.mfn = 5;
    cr_expect_eq(vcpu_op(VCPUOP_register_vcpu_info, op), -EINVAL);
    cr_expect_eq(vcpu->info, before);
}

Test(vcpu, accounts_where_its_time_went)
{
    struct vcpu_runstate_info info = {0};
    struct vcpu_register_runstate_memory_area area;
    const struct vcpu_runstate_info *shown = page(FREE_PAGE);
    uint64_t sum = 0, start = vcpu->runstate.state_entry_time;

    area.addr.p = page_va(FREE_PAGE);
    cr_expect_eq(vcpu_op(VCPUOP_register_runstate_memory_area, area), 0);
    cr_expect_eq(shown->state, RUNSTATE_running);

    fake_now += 5 * MS;
    runstate_set(vcpu, RUNSTATE_blocked);
    cr_expect_eq(shown->state, RUNSTATE_blocked);
    fake_now += 20 * MS;
    runstate_set(vcpu, RUNSTATE_running);
    cr_expect_geq(shown->time[RUNSTATE_running], 5 * MS);
    cr_expect_geq(shown->time[RUNSTATE_blocked], 20 * MS);
    fake_now += 2 * MS;

    cr_expect_eq(vcpu_op(VCPUOP_get_runstate_info, info), 0);
    get(info);
    for (int i = 0; i < 4; i++)
        sum += info.time[i];
    cr_expect_geq(sum, 27 * MS);
    cr_expect_leq(sum, now() - start);
}

/* Whose tables have nothing of the kernel's. */
Test(vcpu, tells_the_kernel_while_user_mode_runs)
{
    struct vcpu_register_runstate_memory_area area;
    struct vcpu_register_time_memory_area time;
    const struct vcpu_runstate_info *shown = page(FREE_PAGE);
    const struct vcpu_time_info *line = (const void *)(shown + 1);
    uint32_t version;

    area.addr.p = page_va(FREE_PAGE);
    time.addr.p = page_va(FREE_PAGE) + sizeof *shown;
    cr_expect_eq(vcpu_op(VCPUOP_register_runstate_memory_area, area), 0);
    cr_expect_eq(vcpu_op(VCPUOP_register_vcpu_time_memory_area, time), 0);
    version = line->version;
    vcpu->user_mode = true;
    runstate_set(vcpu, RUNSTATE_blocked);
    clock_steer(&dom->clock);
    vcpu_publish_time(vcpu);
    cr_expect_eq(shown->state, RUNSTATE_blocked);
    cr_expect_neq(line->version, version);
    cr_expect(vcpu->user_mode);
    vcpu->user_mode = false;
}

/* What /proc/self/task/N/schedstat would say: ran, waited, turns. */
static void thread_waited(uint64_t ns)
{
    char text[64];
    const int len = snprintf(text, sizeof text, "12345 %lu 7\n", ns);

    cr_assert_eq(pwrite(vcpu->schedstat_fd, text, (size_t)len, 0), len);
}

Test(vcpu, is_runnable_while_its_thread_waits)
{
    struct vcpu_runstate_info info;

    vcpu->schedstat_fd = memfd_create("schedstat", 0);
    thread_waited(1000 * MS); /* before anybody looked */
    cr_expect_eq(vcpu_op_0(VCPUOP_is_up), 1);
    runstate_watch(vcpu);
    info = runstate_now(vcpu);
    cr_expect_eq(info.time[RUNSTATE_runnable], 0);

    fake_now += 5 * MS;
    thread_waited(1002 * MS);
    info = runstate_now(vcpu);
    cr_expect_eq(info.time[RUNSTATE_runnable], 2 * MS);
    runstate_set(vcpu, RUNSTATE_blocked);
    cr_expect_eq(vcpu->runstate.time[RUNSTATE_runnable], 2 * MS);
    cr_expect_geq(vcpu->runstate.time[RUNSTATE_running], 3 * MS);

    fake_now += 20 * MS;
    thread_waited(1003 * MS); /* when it was woken */
    runstate_set(vcpu, RUNSTATE_running);
    cr_expect_eq(vcpu->runstate.time[RUNSTATE_runnable], 3 * MS);
    cr_expect_geq(vcpu->runstate.time[RUNSTATE_blocked], 19 * MS);
    cr_expect_lt(vcpu->runstate.time[RUNSTATE_blocked], 20 * MS);

    fake_now += 1 * MS;
    thread_waited(9000 * MS); /* more than there was */
    runstate_refresh(vcpu, now());
    cr_expect_eq(vcpu->runstate.time[RUNSTATE_runnable], 3 * MS, "too soon");
    fake_now += 10 * MS;
    runstate_refresh(vcpu, now());
    cr_expect_geq(vcpu->runstate.time[RUNSTATE_runnable], 14 * MS);
    runstate_end(vcpu);
}

Test(vcpu, flags_the_runstate_while_it_writes_only_if_asked)
{
    struct vcpu_register_runstate_memory_area area;
    const struct vcpu_runstate_info *shown = page(FREE_PAGE);

    area.addr.p = page_va(FREE_PAGE);
    cr_assert_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                      VMASST_TYPE_runstate_update_flag),
                 0);
    cr_expect_eq(vcpu_op(VCPUOP_register_runstate_memory_area, area), 0);
    cr_expect_eq(shown->state_entry_time & XEN_RUNSTATE_UPDATE, 0);
    cr_expect_eq(shown->state_entry_time, vcpu->runstate.state_entry_time);
}

Test(vcpu, shows_time_in_a_second_area)
{
    struct vcpu_register_time_memory_area area;
    const struct vcpu_time_info *shown = page(FREE_PAGE);

    area.addr.p = page_va(FREE_PAGE);
    cr_expect_eq(vcpu_op(VCPUOP_register_vcpu_time_memory_area, area), 0);
    cr_expect_neq(shown->version, 0);
    cr_expect_eq(shown->version % 2, 0);
    cr_expect_eq(shown->tsc_to_system_mul, dom->clock.mul);

    area.addr.p = HOLE;
    cr_expect_eq(vcpu_op(VCPUOP_register_vcpu_time_memory_area, area), -EFAULT);
    cr_expect_eq(vcpu_op(VCPUOP_register_runstate_memory_area, area), -EFAULT);
}

Test(vcpu, notes_an_nmi_for_the_engine)
{
    fake_engine(0, UINT64_C(1) << 47);
    cr_expect_eq(call(__HYPERVISOR_vcpu_op, VCPUOP_send_nmi, 0, 1), -EINVAL);
    cr_expect(!vcpu->nmi_pending);
    cr_expect_eq(vcpu_op_0(VCPUOP_send_nmi), 0);
    cr_expect(vcpu->nmi_pending);
    cr_expect_eq(account.kicks, 1);
}
