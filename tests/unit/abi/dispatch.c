/*
 * From a number to a handler, and lists of calls.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <xen/xen.h>

#include <hypercall/dispatch.h>

static struct {
    void *vcpu;
    uint64_t args[HYPERCALL_NR_ARGS];
    int times;
} called;

static long record(void *vcpu, const uint64_t *args)
{
    called.vcpu = vcpu;
    memcpy(called.args, args, sizeof called.args);
    called.times++;
    return 42;
}

static const struct hypercall_handlers handlers = {
    .fn =
        {
            [__HYPERVISOR_set_trap_table] = record,
            [__HYPERVISOR_update_va_mapping] = record,
            [__HYPERVISOR_console_io] = record,
            [HYPERCALL_NR_MAX - 1] = record,
        },
};

Test(dispatch, hands_over_all_five_arguments)
{
    const uint64_t args[] = {1, 2, 3, 4, 5};
    int vcpu;

    cr_expect_eq(
        hypercall_dispatch(&handlers, &vcpu, __HYPERVISOR_set_trap_table, args),
        42);
    cr_expect_eq(called.vcpu, &vcpu);
    cr_expect_eq(called.args[0], 1);
    cr_expect_eq(called.times, 1);
}

Test(dispatch, answers_unknown_numbers_with_enosys)
{
    const uint64_t numbers[] = {
        __HYPERVISOR_iret, 11,         HYPERCALL_NR_MAX, HYPERCALL_NR_MAX + 1,
        UINT32_MAX,        1ull << 32, UINT64_MAX};
    const uint64_t args[HYPERCALL_NR_ARGS] = {0};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        cr_expect_eq(hypercall_dispatch(&handlers, NULL, numbers[i], args),
                     -ENOSYS, "%#lx", numbers[i]);
    cr_expect_eq(called.times, 0);
}

/* An int argument is the low half of its register. */
Test(dispatch, does_not_look_at_the_upper_half_of_an_int)
{
    const uint64_t args[HYPERCALL_NR_ARGS] = {
        0xdeadbeef00000001, 0xdeadbeeffffffff0, 0x1234567812345678};

    hypercall_dispatch(&handlers, NULL, __HYPERVISOR_console_io, args);
    cr_expect_eq(called.args[0], 1);
    cr_expect_eq(called.args[1], 0xfffffff0);
    cr_expect_eq(called.args[2], 0x1234567812345678);

    hypercall_dispatch(&handlers, NULL, __HYPERVISOR_update_va_mapping, args);
    cr_expect_arr_eq(called.args, args, 3 * sizeof args[0]);
}

/* Lists: memory of eight entries at some guest address. */

#define LIST 0x7000

static struct multicall_entry list[8];
static struct {
    uint64_t nr;
    uint64_t args[HYPERCALL_NR_ARGS];
} calls[8];
static int nr_calls;
static bool readonly;

static bool in_list(uint64_t va, size_t len)
{
    return va >= LIST && len <= sizeof list && va - LIST <= sizeof list - len;
}

static int read_list(void *vcpu, uint64_t va, void *buf, size_t len)
{
    (void)vcpu;
    if (!in_list(va, len))
        return -EFAULT;
    memcpy(buf, (uint8_t *)list + (va - LIST), len);
    return 0;
}

static int write_list(void *vcpu, uint64_t va, const void *buf, size_t len)
{
    (void)vcpu;
    if (!in_list(va, len) || readonly)
        return -EFAULT;
    memcpy((uint8_t *)list + (va - LIST), buf, len);
    return 0;
}

static long count_call(void *vcpu, uint64_t nr, const uint64_t *args)
{
    cr_assert_eq(vcpu, &nr_calls);
    calls[nr_calls].nr = nr;
    memcpy(calls[nr_calls].args, args, sizeof calls[nr_calls].args);
    nr_calls++;
    return nr == __HYPERVISOR_sched_op ? -EINVAL : 100 + nr_calls;
}

static long run(uint64_t va, uint64_t count)
{
    return hypercall_run_list(&nr_calls, va, count, read_list, write_list,
                              count_call);
}

Test(multicall, runs_in_order_and_stores_each_result)
{
    list[0] = (struct multicall_entry){.op = 17, .args = {1, 2, 3, 4, 5, 6}};
    list[1] = (struct multicall_entry){.op = 29};
    list[2] = (struct multicall_entry){.op = 18};

    cr_expect_eq(run(LIST, 3), 0);
    cr_expect_eq(nr_calls, 3);
    cr_expect_eq(calls[0].nr, 17);
    for (uint64_t i = 0; i < HYPERCALL_NR_ARGS; i++)
        cr_expect_eq(calls[0].args[i], i + 1);
    cr_expect_eq(calls[2].nr, 18);
    cr_expect_eq(list[0].result, 101);
    cr_expect_eq((long)list[1].result, -EINVAL, "and the list goes on");
    cr_expect_eq(list[2].result, 103);
}

Test(multicall, of_nothing_does_nothing)
{
    cr_expect_eq(run(LIST, 0), 0);
    cr_expect_eq(run(0, 0), 0);
    cr_expect_eq(nr_calls, 0);
}

Test(multicall, inside_a_multicall_is_an_error_of_that_entry)
{
    list[0].op = __HYPERVISOR_multicall;
    list[1].op = 17;
    cr_expect_eq(run(LIST, 2), 0);
    cr_expect_eq((long)list[0].result, -EINVAL);
    cr_expect_eq(nr_calls, 1);
}

Test(multicall, stops_where_the_list_cannot_be_read)
{
    cr_expect_eq(run(LIST, 9), -EFAULT);
    cr_expect_eq(nr_calls, 8);
    cr_expect_eq(run(LIST - 1, 1), -EFAULT);
    cr_expect_eq(run(0, 1), -EFAULT);
    cr_expect_eq(nr_calls, 8);
}

Test(multicall, stops_where_a_result_cannot_be_written)
{
    readonly = true;
    cr_expect_eq(run(LIST, 3), -EFAULT);
    cr_expect_eq(nr_calls, 1);
}

Test(multicall, does_not_wrap_round_the_address_space)
{
    cr_expect_eq(run(UINT64_MAX - 63, 2), -EFAULT);
    cr_expect_eq(run(UINT64_MAX - 64 * 1000, UINT32_MAX), -EFAULT);
    cr_expect_eq(nr_calls, 0);
}

Test(multicall, counts_with_the_low_half_of_its_register)
{
    cr_expect_eq(run(LIST, 0x100000002), 0);
    cr_expect_eq(nr_calls, 2);
}
