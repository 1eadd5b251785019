/* event_channel_op: the FIFO ABI, and guests that do not keep to it. */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "event_ops.h"
#include "host/port_fifo.h"

/* Pages of the guest, mapped nowhere. */
#define CONTROL_PAGE (BARE_PAGE + 0)
#define ARRAY_PAGE   (BARE_PAGE + 1) /* and on */

#define BIT(n)  (1u << (n))
#define PENDING BIT(EVTCHN_FIFO_PENDING)
#define MASKED  BIT(EVTCHN_FIFO_MASKED)
#define LINKED  BIT(EVTCHN_FIFO_LINKED)

#define NORMAL EVTCHN_FIFO_PRIORITY_DEFAULT

static struct evtchn_fifo_control_block *block(void)
{
    return page(CONTROL_PAGE);
}

static event_word_t *word(evtchn_port_t port)
{
    event_word_t *words =
        page(ARRAY_PAGE + (unsigned)(port / FIFO_WORDS_PER_PAGE));

    return &words[port % FIFO_WORDS_PER_PAGE];
}

static long init_control(uint32_t vcpu_id, mfn_t mfn, uint32_t offset)
{
    struct evtchn_init_control op = {
        .control_gfn = mfn, .offset = offset, .vcpu = vcpu_id};
    long rc = evtchn(EVTCHNOP_init_control, op);

    get(op);
    if (!rc)
        cr_expect_eq(op.link_bits, EVTCHN_FIFO_LINK_BITS);
    return rc;
}

static long expand(mfn_t mfn)
{
    struct evtchn_expand_array op = {mfn};

    return evtchn(EVTCHNOP_expand_array, op);
}

static long set_priority(evtchn_port_t port, uint32_t priority)
{
    struct evtchn_set_priority op = {port, priority};

    return evtchn(EVTCHNOP_set_priority, op);
}

static void destroy(void)
{
    cr_assert_eq(op_reset(), 0);
    fake_destroy();
}

TestSuite(event_fifo, .init = fake_create, .fini = destroy);

static void begin(void)
{
    cr_assert_eq(init_control(0, page_mfn(CONTROL_PAGE), 0), 0);
    cr_assert_eq(expand(page_mfn(ARRAY_PAGE)), 0);
    vcpu->info->evtchn_upcall_pending = 0;
}

/* What the guest does with a queue: the port at its head, 0 for none. */
static evtchn_port_t take(unsigned priority)
{
    static evtchn_port_t heads[EVTCHN_FIFO_MAX_QUEUES];
    evtchn_port_t port = heads[priority];
    uint32_t old;

    if (port == 0)
        port = block()->head[priority];
    old = *word(port);
    *word(port) &= ~(LINKED | EVTCHN_FIFO_LINK_MASK | PENDING);
    heads[priority] = old & EVTCHN_FIFO_LINK_MASK;
    if (heads[priority] == 0)
        block()->ready &= ~BIT(priority);
    return old & PENDING ? port : 0;
}

Test(event_fifo, is_asked_for_in_order)
{
    evtchn_port_t port = op_bind_ipi();

    cr_expect_eq(expand(page_mfn(ARRAY_PAGE)), -EOPNOTSUPP);
    cr_expect_eq(set_priority(port, 3), -ENOSYS);
    cr_expect_eq(
        init_control(vcpu->domain->nr_vcpus, page_mfn(CONTROL_PAGE), 0),
        -ENOENT);
    cr_expect_eq(init_control(0, page_mfn(CONTROL_PAGE), 4), -EINVAL);
    cr_expect_eq(init_control(0, page_mfn(CONTROL_PAGE), PAGE_SIZE - 64),
                 -EINVAL, "it would cross the page's end");
    cr_expect_eq(init_control(0, ~UINT64_C(0), 0), -EINVAL);
    cr_expect_eq(init_control(0, vcpu->cr3, 0), -EINVAL, "a page table");
    cr_expect_null(vcpu->domain->ports.fifo);

    cr_expect_eq(init_control(0, page_mfn(CONTROL_PAGE), 0), 0);
    cr_expect_eq(init_control(0, page_mfn(CONTROL_PAGE), 0), -EINVAL, "twice");
    cr_expect_eq(expand(~UINT64_C(0)), -EINVAL);
    cr_expect_eq(expand(vcpu->cr3), -EINVAL);
    cr_expect_eq(expand(page_mfn(ARRAY_PAGE)), 0);
    cr_expect_eq(set_priority(port, 16), -EINVAL);
    cr_expect_eq(set_priority(0, 3), 0, "nobody's, and harmless");
    cr_expect_eq(set_priority(vcpu->domain->ports.nr, 3), -EINVAL);
    cr_expect_eq(set_priority(port, 3), 0);
}

Test(event_fifo, queues_in_the_order_of_sending)
{
    evtchn_port_t a = op_bind_ipi(), b = op_bind_ipi(), c = op_bind_ipi();

    begin();
    cr_expect_eq(op_send(b), 0);
    cr_expect_eq(vcpu->info->evtchn_upcall_pending, 1);
    cr_expect_eq(block()->ready, BIT(NORMAL));
    op_send(a);
    op_send(b);
    op_send(c);
    cr_expect_eq(take(NORMAL), b);
    cr_expect_eq(take(NORMAL), a);
    cr_expect_eq(take(NORMAL), c);
    cr_expect_eq(block()->ready, 0);
    op_send(c);
    cr_expect_eq(block()->ready, BIT(NORMAL));
    cr_expect_eq(take(NORMAL), c, "a tail that was taken is no tail");
}

Test(event_fifo, has_a_queue_for_each_priority)
{
    evtchn_port_t a = op_bind_ipi(), b = op_bind_ipi();

    begin();
    cr_expect_eq(set_priority(a, 15), 0);
    cr_expect_eq(set_priority(b, 0), 0);
    op_send(a);
    op_send(b);
    cr_expect_eq(block()->ready, BIT(0) | BIT(15));
    cr_expect_eq(take(0), b);
    cr_expect_eq(take(15), a);

    set_priority(a, 0);
    op_send(b);
    op_send(a);
    cr_expect_eq(take(0), b);
    cr_expect_eq(take(0), a, "the one it was last in has forgotten it");
    op_send(b);
    cr_expect_eq(take(0), b);
}

Test(event_fifo, keeps_masked_ports_out_of_the_queues)
{
    evtchn_port_t port = op_bind_ipi();

    begin();
    *word(port) = MASKED;
    op_send(port);
    cr_expect_eq(*word(port), MASKED | PENDING);
    cr_expect_eq(block()->ready, 0);
    cr_expect_eq(vcpu->info->evtchn_upcall_pending, 0);
    cr_expect_eq(op_unmask(port), 0);
    cr_expect_eq(*word(port), PENDING | LINKED);
    cr_expect_eq(vcpu->info->evtchn_upcall_pending, 1);
    cr_expect_eq(take(NORMAL), port);
    *word(port) = MASKED;
    op_unmask(port);
    cr_expect_eq(*word(port), 0, "nothing was pending");
}

Test(event_fifo, brings_what_was_sent_before)
{
    evtchn_port_t before = op_bind_ipi(), early = op_bind_ipi();

    op_send(before);
    cr_assert_eq(init_control(0, page_mfn(CONTROL_PAGE), 0), 0);
    op_send(early);
    cr_expect_eq(block()->ready, 0);
    cr_assert_eq(expand(page_mfn(ARRAY_PAGE)), 0);
    cr_expect_eq(take(NORMAL), before);
    cr_expect_eq(take(NORMAL), early);
}

Test(event_fifo, gives_no_number_away_that_is_in_a_queue)
{
    evtchn_port_t port = op_bind_ipi();

    begin();
    op_send(port);
    op_close(port);
    cr_expect_neq(op_bind_ipi(), port);
    cr_expect_eq(take(NORMAL), 0, "it is linked, but not pending");
    cr_expect_eq(op_bind_ipi(), port);
}

Test(event_fifo, has_more_ports_until_it_is_reset)
{
    evtchn_port_t port = 0;

    begin();
    for (unsigned i = 1; i < 5; i++)
        cr_assert_eq(expand(page_mfn(ARRAY_PAGE + i)), 0);
    while (port < PORT_MAX_2LEVEL + 100)
        port = op_bind_ipi();
    op_send(port);
    cr_expect_eq(take(NORMAL), port);

    cr_expect_eq(op_reset(), 0);
    cr_expect_eq(expand(page_mfn(ARRAY_PAGE)), -EOPNOTSUPP);
    cr_expect_eq(op_bind_ipi(), 1);
    for (unsigned i = 0; i < 5; i++)
        cr_expect_eq(
            memory_record(&vcpu->domain->mem, page_mfn(ARRAY_PAGE + i))->uses,
            0);
    vcpu->domain->shared->evtchn_mask[0] = 0;
    op_send(1);
    cr_expect_eq(vcpu->domain->shared->evtchn_pending[0], 2);
}

Test(event_fifo, has_room_for_131072_words)
{
    begin();
    for (unsigned i = 1; i < FIFO_MAX_PAGES; i++)
        cr_assert_eq(expand(page_mfn(ARRAY_PAGE)), 0, "page %u", i);
    cr_expect_eq(expand(page_mfn(ARRAY_PAGE)), -ENOSPC);
}

/* Links that lead anywhere, heads that lie: nothing of it is followed. */
Test(event_fifo, does_not_care_what_the_guest_writes)
{
    evtchn_port_t ports[8];
    uint32_t noise = 1;

    for (unsigned i = 0; i < 8; i++)
        ports[i] = op_bind_ipi();
    begin();
    for (unsigned round = 0; round < 20000; round++) {
        noise = noise * 1664525 + 1013904223;
        switch (noise >> 29) {
        case 0:
            *word(ports[noise >> 8 & 7]) = noise * 2654435761u;
            break;
        case 1:
            block()->head[noise >> 8 & 15] = noise;
            break;
        case 2:
            block()->ready = noise;
            break;
        case 3:
            set_priority(ports[noise >> 8 & 7], noise >> 12 & 15);
            break;
        case 4:
            op_unmask(ports[noise >> 8 & 7]);
            break;
        case 5:
            op_close(ports[noise >> 8 & 7]);
            ports[noise >> 8 & 7] = op_bind_ipi();
            break;
        default:
            cr_expect_eq(op_send(ports[noise >> 8 & 7]), 0);
        }
    }
}
