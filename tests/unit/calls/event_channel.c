/* event_channel_op: every operation, and what it says to wrong questions. */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "event_ops.h"

TestSuite(event_channel, .init = fake_create, .fini = fake_destroy);

static evtchn_port_t alloc_unbound(domid_t remote)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = remote};

    cr_assert_eq(evtchn(EVTCHNOP_alloc_unbound, op), 0);
    get(op);
    return op.port;
}

static evtchn_port_t bind_virq(uint32_t virq)
{
    struct evtchn_bind_virq op = {.virq = virq};

    cr_assert_eq(evtchn(EVTCHNOP_bind_virq, op), 0);
    get(op);
    return op.port;
}

static long bind_interdomain(domid_t remote, evtchn_port_t remote_port,
                             evtchn_port_t *port)
{
    struct evtchn_bind_interdomain op = {remote, remote_port, 0};
    long rc = evtchn(EVTCHNOP_bind_interdomain, op);

    get(op);
    *port = op.local_port;
    return rc;
}

static long status(evtchn_port_t port, struct evtchn_status *op)
{
    long rc;

    *op = (struct evtchn_status){.dom = DOMID_SELF, .port = port};
    rc = evtchn(EVTCHNOP_status, *op);
    get(*op);
    return rc;
}

static void reset(void)
{
    cr_assert_eq(op_reset(), 0);
}

Test(event_channel, gives_the_lowest_free_port_and_never_port_0)
{
    cr_expect_eq(alloc_unbound(BACKEND_ID), 1);
    cr_expect_eq(alloc_unbound(BACKEND_ID), 2);
    cr_expect_eq(op_close(1), 0);
    cr_expect_eq(alloc_unbound(BACKEND_ID), 1);
    cr_expect_eq(op_close(0), -EINVAL);
    reset();
}

Test(event_channel, allocates_for_the_caller_only)
{
    struct evtchn_alloc_unbound op = {.dom = BACKEND_ID};

    cr_expect_eq(evtchn(EVTCHNOP_alloc_unbound, op), -EPERM);
    op.dom = 77;
    cr_expect_eq(evtchn(EVTCHNOP_alloc_unbound, op), -ESRCH);
    op.dom = DOMAIN_ID;
    cr_expect_eq(evtchn(EVTCHNOP_alloc_unbound, op), 0);
    reset();
}

/* A port whose number the guest could not be told does not stay open. */
Test(event_channel, takes_the_port_back_when_its_number_cannot_be_written)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF};
    uint64_t end = page_va(ARGS_PAGE + 1) - sizeof op + sizeof op.port;

    memcpy((uint8_t *)page(ARGS_PAGE + 1) - sizeof op + sizeof op.port, &op,
           sizeof op - sizeof op.port);
    cr_assert_eq(call(__HYPERVISOR_update_va_mapping, page_va(ARGS_PAGE + 1),
                      page_mfn(ARGS_PAGE + 1) << PAGE_SHIFT | 1, 0),
                 0);
    cr_expect_eq(
        call(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, end),
        -EFAULT);
    cr_expect_null(port_find(dom, 1));
}

Test(event_channel, runs_out_of_ports_with_ENOSPC)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF};

    for (unsigned i = 1; i < PORT_MAX_2LEVEL; i++)
        cr_assert_eq(alloc_unbound(BACKEND_ID), i);
    cr_expect_eq(evtchn(EVTCHNOP_alloc_unbound, op), -ENOSPC);
    reset();
}

Test(event_channel, connects_a_port_to_another_of_its_own)
{
    evtchn_port_t a = alloc_unbound(DOMID_SELF), b;
    struct evtchn_status st;

    cr_assert_eq(bind_interdomain(DOMID_SELF, a, &b), 0);
    cr_expect(port_pending(dom, b), "what was sent before must not be lost");
    cr_expect_eq(op_send(b), 0);
    cr_expect(port_pending(dom, a));

    cr_expect_eq(status(a, &st), 0);
    cr_expect_eq(st.status, EVTCHNSTAT_interdomain);
    cr_expect_eq(st.u.interdomain.dom, DOMAIN_ID);
    cr_expect_eq(st.u.interdomain.port, b);

    /* b goes: a waits for somebody else, and is told nothing */
    dom->shared->evtchn_pending[0] = 0;
    cr_expect_eq(op_close(b), 0);
    cr_expect(!port_pending(dom, a));
    cr_expect_eq(status(a, &st), 0);
    cr_expect_eq(st.status, EVTCHNSTAT_unbound);
    cr_expect_eq(st.u.unbound.dom, DOMAIN_ID);
    cr_expect_eq(bind_interdomain(DOMAIN_ID, a, &b), 0);
    reset();
}

Test(event_channel, connects_only_to_ports_reserved_for_it)
{
    evtchn_port_t theirs = alloc_unbound(BACKEND_ID), port;

    cr_expect_eq(bind_interdomain(DOMID_SELF, theirs, &port), -EINVAL);
    cr_expect_eq(bind_interdomain(DOMID_SELF, 9, &port), -EINVAL);
    cr_expect_eq(bind_interdomain(BACKEND_ID, 1, &port), -EINVAL);
    cr_expect_eq(bind_interdomain(42, 1, &port), -ESRCH);
    reset();
}

Test(event_channel, binds_each_virq_once)
{
    struct evtchn_bind_virq op = {.virq = VIRQ_TIMER};
    evtchn_port_t port = bind_virq(VIRQ_TIMER);

    cr_expect_eq(evtchn(EVTCHNOP_bind_virq, op), -EEXIST);
    port_raise_virq(vcpu, VIRQ_TIMER);
    cr_expect(port_pending(dom, port));
    cr_expect_eq(op_send(port), -EINVAL);

    cr_expect_eq(op_close(port), 0);
    cr_expect(!port_pending(dom, port), "closing clears what is pending");
    cr_expect_eq(bind_virq(VIRQ_TIMER), port);
    reset();
    port_raise_virq(vcpu, VIRQ_TIMER);
    cr_expect(!port_pending(dom, port));
}

Test(event_channel, refuses_virqs_and_vcpus_that_do_not_exist)
{
    struct evtchn_bind_virq virq = {.virq = NR_VIRQS};
    struct evtchn_bind_ipi ipi = {.vcpu = 1};
    struct evtchn_bind_pirq pirq = {.pirq = 3};

    cr_expect_eq(evtchn(EVTCHNOP_bind_virq, virq), -EINVAL);
    virq.virq = VIRQ_TIMER;
    virq.vcpu = 1;
    cr_expect_eq(evtchn(EVTCHNOP_bind_virq, virq), -ENOENT);
    virq.virq = VIRQ_CONSOLE; /* a global one starts on vCPU 0 */
    cr_expect_eq(evtchn(EVTCHNOP_bind_virq, virq), -EINVAL);
    cr_expect_eq(evtchn(EVTCHNOP_bind_ipi, ipi), -ENOENT);
    cr_expect_eq(evtchn(EVTCHNOP_bind_pirq, pirq), -EPERM);
}

Test(event_channel, drops_what_is_sent_to_nobody)
{
    evtchn_port_t port = alloc_unbound(BACKEND_ID);

    cr_expect_eq(op_send(port), 0);
    cr_expect(!port_pending(dom, port));
    cr_expect_eq(op_send(port + 1), -EINVAL);
    cr_expect_eq(op_send(0), -EINVAL);
    cr_expect_eq(op_send(UINT32_MAX), -EINVAL);
    reset();
}

/* Pending, selector, upcall, kick: each only on its own first edge. */
Test(event_channel, raises_in_the_order_of_the_two_level_abi)
{
    evtchn_port_t port = op_bind_ipi();

    fake_engine(0, UINT64_C(1) << 47);
    cr_expect_eq(op_send(port), 0);
    cr_expect_eq(dom->shared->evtchn_pending[0], UINT64_C(1) << port);
    cr_expect_eq(vcpu->info->evtchn_pending_sel, 1);
    cr_expect_eq(vcpu->info->evtchn_upcall_pending, 1);
    cr_expect_eq(account.kicks, 1);

    cr_expect_eq(op_send(port), 0);
    cr_expect_eq(account.kicks, 1, "a second event merges with the first");
    reset();
}

Test(event_channel, holds_masked_events_back_until_unmasked)
{
    evtchn_port_t port = op_bind_ipi();

    dom->shared->evtchn_mask[0] = ~UINT64_C(0);
    cr_expect_eq(op_send(port), 0);
    cr_expect(port_pending(dom, port));
    cr_expect_eq(vcpu->info->evtchn_upcall_pending, 0);

    cr_expect_eq(op_unmask(port), 0);
    cr_expect_eq(vcpu->info->evtchn_pending_sel, 1);
    cr_expect_eq(vcpu->info->evtchn_upcall_pending, 1);

    vcpu->info->evtchn_upcall_pending = 0;
    vcpu->info->evtchn_pending_sel = 0;
    cr_expect_eq(op_unmask(port), 0);
    cr_expect_eq(vcpu->info->evtchn_upcall_pending, 0,
                 "unmasking what is not masked raises nothing");
    cr_expect_eq(op_unmask(0), 0);
    cr_expect_eq(op_unmask(PORT_MAX_2LEVEL), -EINVAL);
    reset();
}

static unsigned notified, closed;

static void on_notify(void *context)
{
    cr_expect_eq(context, &notified);
    notified++;
}

static void on_close(void *context)
{
    cr_expect_eq(context, &notified);
    closed++;
}

Test(event_channel, calls_the_backend_that_took_the_other_end)
{
    evtchn_port_t port = alloc_unbound(BACKEND_ID);
    struct evtchn_status st;

    cr_expect_eq(port_bind_backend(dom, port, 5, on_notify, on_close, NULL),
                 -EINVAL);
    cr_assert_eq(port_bind_backend(dom, port, BACKEND_ID, on_notify, on_close,
                                   &notified),
                 0);
    cr_expect_eq(port_bind_backend(dom, port, BACKEND_ID, on_notify, on_close,
                                   &notified),
                 -EINVAL);
    cr_expect_eq(op_send(port), 0);
    cr_expect_eq(notified, 1);
    cr_expect_eq(status(port, &st), 0);
    cr_expect_eq(st.status, EVTCHNSTAT_interdomain);
    cr_expect_eq(st.u.interdomain.dom, BACKEND_ID);

    port_unbind_backend(dom, port);
    cr_expect_eq(op_send(port), 0);
    cr_expect_eq(notified, 1);
    cr_assert_eq(port_bind_backend(dom, port, BACKEND_ID, on_notify, on_close,
                                   &notified),
                 0);
    cr_expect_eq(op_close(port), 0);
    cr_expect_eq(closed, 1);
    port_raise(dom, port); /* too late, and harmless */
    cr_expect(!port_pending(dom, port));
}

Test(event_channel, moves_only_ports_that_may_move)
{
    evtchn_port_t unbound = alloc_unbound(BACKEND_ID), ipi = op_bind_ipi(),
                  timer = bind_virq(VIRQ_TIMER),
                  global = bind_virq(VIRQ_CONSOLE);
    struct evtchn_bind_vcpu op = {unbound, 0};

    cr_expect_eq(evtchn(EVTCHNOP_bind_vcpu, op), 0);
    op.port = global;
    cr_expect_eq(evtchn(EVTCHNOP_bind_vcpu, op), 0);
    op.port = ipi;
    cr_expect_eq(evtchn(EVTCHNOP_bind_vcpu, op), -EINVAL);
    op.port = timer;
    cr_expect_eq(evtchn(EVTCHNOP_bind_vcpu, op), -EINVAL);
    op.port = 50;
    cr_expect_eq(evtchn(EVTCHNOP_bind_vcpu, op), -EINVAL);
    op = (struct evtchn_bind_vcpu){unbound, 1};
    cr_expect_eq(evtchn(EVTCHNOP_bind_vcpu, op), -ENOENT);
    reset();
}

Test(event_channel, tells_the_status_of_free_ports_too)
{
    evtchn_port_t ipi = op_bind_ipi(), timer = bind_virq(VIRQ_TIMER);
    struct evtchn_status st;

    cr_expect_eq(status(ipi, &st), 0);
    cr_expect_eq(st.status, EVTCHNSTAT_ipi);
    cr_expect_eq(status(timer, &st), 0);
    cr_expect_eq(st.status, EVTCHNSTAT_virq);
    cr_expect_eq(st.u.virq, VIRQ_TIMER);
    cr_expect_eq(status(40, &st), 0);
    cr_expect_eq(st.status, EVTCHNSTAT_closed);
    cr_expect_eq(status(0, &st), 0);
    cr_expect_eq(status(PORT_MAX_2LEVEL, &st), -EINVAL);

    st = (struct evtchn_status){.dom = BACKEND_ID, .port = 1};
    cr_expect_eq(evtchn(EVTCHNOP_status, st), -EPERM);
    st.dom = 99;
    cr_expect_eq(evtchn(EVTCHNOP_status, st), -ESRCH);
    reset();
}

Test(event_channel, resets_itself_but_nobody_else)
{
    struct evtchn_reset op = {BACKEND_ID};

    op_bind_ipi();
    bind_virq(VIRQ_DEBUG);
    cr_expect_eq(evtchn(EVTCHNOP_reset, op), -EPERM);
    op.dom = 3;
    cr_expect_eq(evtchn(EVTCHNOP_reset, op), -ESRCH);
    reset();
    cr_expect_null(port_find(dom, 1));
    cr_expect_eq(vcpu->virq_port[VIRQ_DEBUG], 0);
}

Test(event_channel, has_no_unknown_operation)
{
    struct evtchn_init_control op = {0};

    cr_expect_eq(evtchn(EVTCHNOP_set_priority + 2, op), -ENOSYS);
    cr_expect_eq(evtchn(99, op), -ENOSYS);
}

Test(event_channel, faults_on_arguments_it_cannot_read)
{
    for (unsigned cmd = 0; cmd <= EVTCHNOP_set_priority; cmd++) {
        cr_expect_eq(call(__HYPERVISOR_event_channel_op, cmd, NOWHERE),
                     -EFAULT);
        cr_expect_eq(call(__HYPERVISOR_event_channel_op, cmd, HOLE), -EFAULT);
    }
}

Test(event_channel, understands_the_form_of_2006)
{
    struct evtchn_op op = {.cmd = EVTCHNOP_bind_ipi};

    cr_expect_eq(call(__HYPERVISOR_event_channel_op_compat, put(op)), 0);
    get(op);
    cr_expect_eq(op.u.bind_ipi.port, 1);
    op.cmd = EVTCHNOP_reset;
    cr_expect_eq(call(__HYPERVISOR_event_channel_op_compat, put(op)), -ENOSYS);
    reset();
}
