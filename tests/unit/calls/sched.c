/* sched_op: who sleeps, until when, and how a domain ends. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>
#include <xen/sched.h>

#include "tests/harness/fake_domain.h"

TestSuite(sched, .init = fake_create, .fini = fake_destroy);

#define PORTS_PAGE FREE_PAGE

#define sched(cmd, op) call(__HYPERVISOR_sched_op, cmd, put(op))

static evtchn_port_t bind_timer(void)
{
    evtchn_port_t port;

    cr_assert_eq(port_alloc(dom, PORT_VIRQ, &port), 0);
    port_find(dom, port)->virq = VIRQ_TIMER;
    vcpu->virq_port[VIRQ_TIMER] = port;
    return port;
}

Test(sched, block_unmasks_and_sleeps)
{
    cr_assert_eq(vcpu->info->evtchn_upcall_mask, 1);
    cr_expect_eq(call(__HYPERVISOR_sched_op, SCHEDOP_block), 0);
    cr_expect_eq(account.sleeps, 1);
    cr_expect_eq(account.slept_until, UINT64_MAX);
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 0);
}

Test(sched, block_returns_at_once_when_an_event_is_pending)
{
    vcpu->info->evtchn_upcall_pending = 1;
    cr_expect_eq(call(__HYPERVISOR_sched_op, SCHEDOP_block), 0);
    cr_expect_eq(account.sleeps, 0);
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 0);
}

Test(sched, yield_lets_others_work)
{
    cr_expect_eq(call(__HYPERVISOR_sched_op, SCHEDOP_yield), 0);
    cr_expect_eq(account.works, 1);
}

static long poll_ports(unsigned nr, const evtchn_port_t *ports,
                       uint64_t timeout)
{
    struct sched_poll op = {.nr_ports = nr, .timeout = timeout};

    memcpy(page(PORTS_PAGE), ports, nr * sizeof *ports);
    op.ports.p = (evtchn_port_t *)page_va(PORTS_PAGE);
    return sched(SCHEDOP_poll, op);
}

static void raise_port_1(struct vcpu *sleeper)
{
    port_raise(sleeper->domain, 1);
}

Test(sched, poll_wakes_for_a_masked_port)
{
    evtchn_port_t port = bind_timer();

    dom->shared->evtchn_mask[0] = ~UINT64_C(0);
    while_asleep = raise_port_1;
    cr_expect_eq(poll_ports(1, &port, 0), 0);
    cr_expect_eq(account.sleeps, 1);
    cr_expect(port_pending(dom, port), "polling does not consume");
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 1, "nor unmask");

    cr_expect_eq(poll_ports(1, &port, 0), 0);
    cr_expect_eq(account.sleeps, 1, "it was pending already");
    port_close(dom, port);
}

Test(sched, poll_ends_with_its_timeout)
{
    uint64_t until = fake_now + 5000;
    evtchn_port_t port = bind_timer();

    cr_expect_eq(poll_ports(1, &port, until), 0);
    cr_expect_eq(account.slept_until, until);
    cr_expect_geq(fake_now, until);
    cr_expect_eq(poll_ports(1, &port, until), 0);
    cr_expect_eq(account.sleeps, 1, "a time in the past does not sleep");
    port_close(dom, port);
}

Test(sched, poll_refuses_bad_ports_and_too_many)
{
    evtchn_port_t ports[129] = {1, 7};

    bind_timer();
    cr_expect_eq(poll_ports(129, ports, 0), -EINVAL);
    cr_expect_eq(poll_ports(2, ports, 1), -EINVAL);
    port_raise(dom, 1);
    cr_expect_eq(poll_ports(2, ports, 1), 0,
                 "the first pending one ends the scan");
    cr_expect_eq(call(__HYPERVISOR_sched_op, SCHEDOP_poll, NOWHERE), -EFAULT);
    port_close(dom, 1);
}

static enum domain_end shut_down(unsigned reason)
{
    struct sched_shutdown op = {reason};

    dom->end = DOMAIN_RUNS;
    cr_expect_eq(sched(SCHEDOP_shutdown, op), 0);
    return dom->end;
}

Test(sched, shuts_down_for_every_reason)
{
    cr_expect_eq(shut_down(SHUTDOWN_poweroff), DOMAIN_POWEROFF);
    cr_expect_eq(shut_down(SHUTDOWN_reboot), DOMAIN_REBOOT);
    cr_expect_eq(shut_down(SHUTDOWN_crash), DOMAIN_CRASHED);
    cr_expect_eq(shut_down(SHUTDOWN_watchdog), DOMAIN_CRASHED);
    cr_expect_eq(shut_down(SHUTDOWN_soft_reset), DOMAIN_CRASHED);
    cr_expect_eq(shut_down(SHUTDOWN_MAX + 1), DOMAIN_CRASHED);
    cr_expect_eq(shut_down(~0u), DOMAIN_CRASHED);
    cr_expect_eq(account.crashes, 5);
    cr_expect_eq(shut_down(0x100 + SHUTDOWN_reboot), DOMAIN_REBOOT,
                 "eight bits tell the reason");
}

static long latch(unsigned reason)
{
    struct sched_shutdown op = {reason};

    return sched(SCHEDOP_shutdown_code, op);
}

Test(sched, the_first_code_that_was_latched_is_the_one)
{
    cr_expect_eq(call(__HYPERVISOR_sched_op, SCHEDOP_shutdown_code, HOLE),
                 -EFAULT);
    cr_expect_eq(shut_down(SHUTDOWN_poweroff), DOMAIN_POWEROFF);
    cr_expect_eq(latch(0x100 + SHUTDOWN_reboot), 0);
    cr_expect_eq(latch(SHUTDOWN_crash), 0);
    cr_expect_eq(shut_down(SHUTDOWN_poweroff), DOMAIN_REBOOT);
    cr_expect_eq(account.crashes, 0);
}

Test(sched, cancels_a_suspend)
{
    struct sched_shutdown op = {SHUTDOWN_suspend};

    cr_expect_eq(sched(SCHEDOP_shutdown, op), 1);
    cr_expect_eq(dom->end, DOMAIN_RUNS);
    cr_expect_eq(call(__HYPERVISOR_sched_op, SCHEDOP_shutdown, HOLE), -EFAULT);
}

Test(sched, keeps_other_domains_out_of_reach)
{
    struct sched_remote_shutdown op = {.domain_id = BACKEND_ID};

    cr_expect_eq(sched(SCHEDOP_remote_shutdown, op), -EPERM);
    op.domain_id = 99;
    cr_expect_eq(sched(SCHEDOP_remote_shutdown, op), -ESRCH);
    cr_expect_eq(call(__HYPERVISOR_sched_op, SCHEDOP_pin_override), -EPERM);
    cr_expect_eq(call(__HYPERVISOR_sched_op, 42), -ENOSYS);
}

static long watchdog(uint32_t id, uint32_t timeout)
{
    struct sched_watchdog op = {id, timeout};

    return sched(SCHEDOP_watchdog, op);
}

Test(sched, crashes_a_domain_that_does_not_feed_its_watchdog)
{
    cr_expect_eq(watchdog(0, 10), 1);
    cr_expect_eq(watchdog(0, 20), 2);
    cr_expect_eq(watchdog(0, 30), (uint32_t)-ENOSPC);
    cr_expect_eq(watchdog(3, 1), -EINVAL);

    fake_now += UINT64_C(9000000000);
    cr_expect_eq(watchdog(1, 10), 0); /* fed */
    fake_now += UINT64_C(9000000000);
    vcpu_run_timers(vcpu, fake_now);
    cr_expect_eq(account.crashes, 0);

    cr_expect_eq(watchdog(1, 0), 0); /* disarmed */
    cr_expect_eq(watchdog(1, 5), -EINVAL);
    fake_now += UINT64_C(3000000000);
    cr_expect_leq(vcpu_next_deadline(vcpu), fake_now);
    vcpu_run_timers(vcpu, fake_now);
    cr_expect_eq(account.crashes, 1);
    cr_expect_eq(watchdog(0, 0), 1, "one that bites at once");
    vcpu_run_timers(vcpu, fake_now + 1);
    cr_expect_eq(account.crashes, 2);
}

Test(sched, understands_the_form_of_2006)
{
    cr_expect_eq(call(__HYPERVISOR_sched_op_compat, SCHEDOP_yield), 0);
    cr_expect_eq(call(__HYPERVISOR_sched_op_compat, SCHEDOP_block), 0);
    cr_expect_eq(call(__HYPERVISOR_sched_op_compat, SCHEDOP_poll), -ENOSYS);
    cr_expect_eq(
        call(__HYPERVISOR_sched_op_compat, SCHEDOP_shutdown, SHUTDOWN_reboot),
        0);
    cr_expect_eq(dom->end, DOMAIN_REBOOT);
}
