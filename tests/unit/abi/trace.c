/*
 * Hypercalls as text, word for word.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include <hypercall/trace.h>

#include "hypercall/decode.h"

/* A page of guest memory at 0x1000; everything else is not there. */
#define PAGE 0x1000ul
static _Alignas(16) uint8_t page[4096];

static int read_page(void *vcpu, uint64_t va, void *buf, size_t len)
{
    cr_assert_eq(vcpu, page);
    if (va < PAGE || len > sizeof page || va - PAGE > sizeof page - len)
        return -EFAULT;
    memcpy(buf, page + (va - PAGE), len);
    return 0;
}

/* Put (thing) at offset (at) of the page; its guest address. */
#define GUEST(at, thing) \
    (memcpy(page + (at), &(thing), sizeof(thing)), PAGE + (at))

static char line[512];

#define ARGS(...) ((const uint64_t[HYPERCALL_NR_ARGS]){__VA_ARGS__})

#define expect_line(text, nr, ...)                                          \
    do {                                                                    \
        size_t len_ = hypercall_format(line, sizeof line, nr,               \
                                       ARGS(__VA_ARGS__), read_page, page); \
        cr_expect_str_eq(line, text);                                       \
        cr_expect_eq(len_, strlen(line));                                   \
    } while (0)

#define expect_answer(text, nr, ...)                                    \
    do {                                                                \
        size_t len_ = hypercall_format_answer(                          \
            line, sizeof line, nr, ARGS(__VA_ARGS__), read_page, page); \
        cr_expect_str_eq(line, text);                                   \
        cr_expect_eq(len_, strlen(line));                               \
    } while (0)

Test(trace, names_every_call)
{
    cr_expect_str_eq(decode_call(0)->name, "set_trap_table");
    cr_expect_str_eq(decode_call(32)->name, "event_channel_op");
    cr_expect_str_eq(decode_call(42)->name, "hypfs_op");
    cr_expect_null(decode_call(11));
    cr_expect_null(decode_call(43));
    cr_expect_null(decode_call(HYPERCALL_NR_MAX));
    cr_expect_null(decode_call(UINT64_MAX));
}

Test(trace, shows_event_channel_ops)
{
    struct evtchn_send send = {.port = 3};
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .port = 9};
    struct evtchn_bind_virq virq = {.virq = VIRQ_TIMER, .vcpu = 0};
    struct evtchn_bind_virq odd = {.virq = 5, .vcpu = 1};

    expect_line("event_channel_op(EVTCHNOP_send, {port=3})", 32, EVTCHNOP_send,
                GUEST(8, send));
    expect_line("event_channel_op(EVTCHNOP_alloc_unbound, "
                "{dom=DOMID_SELF, remote_dom=0})",
                32, EVTCHNOP_alloc_unbound, GUEST(8, alloc));
    expect_line("event_channel_op(EVTCHNOP_bind_virq, "
                "{virq=VIRQ_TIMER, vcpu=0})",
                32, EVTCHNOP_bind_virq, GUEST(8, virq));
    expect_line("event_channel_op(EVTCHNOP_bind_virq, {virq=5, vcpu=1})", 32,
                EVTCHNOP_bind_virq, GUEST(8, odd));
}

Test(trace, shows_what_a_call_answered)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .port = 9};
    struct evtchn_status status = {.dom = DOMID_SELF,
                                   .port = 4,
                                   .status = EVTCHNSTAT_interdomain,
                                   .u.interdomain = {.dom = 0, .port = 7}};
    struct evtchn_send send = {.port = 3};

    expect_answer("{port=9}", 32, EVTCHNOP_alloc_unbound, GUEST(8, alloc));
    expect_answer("{status=EVTCHNSTAT_interdomain, vcpu=0, "
                  "u.interdomain.dom=0, u.interdomain.port=7}",
                  32, EVTCHNOP_status, GUEST(8, status));
    expect_answer("", 32, EVTCHNOP_send, GUEST(8, send));
    expect_answer("", __HYPERVISOR_set_timer_op, 1);
    expect_answer("", 99, 1);
}

Test(trace, shows_scheduling)
{
    struct sched_shutdown off = {.reason = SHUTDOWN_poweroff};
    struct sched_shutdown odd = {.reason = 77};
    evtchn_port_t ports[] = {3, 5, 8, 13, 21};
    struct sched_poll poll = {.nr_ports = 2, .timeout = 1000000};
    struct sched_poll many = {.nr_ports = 5};
    struct sched_poll none = {.timeout = 5};

    poll.ports.p = (void *)GUEST(0x100, ports);
    many.ports.p = poll.ports.p;
    expect_line("sched_op(SCHEDOP_block, NULL)", 29, SCHEDOP_block);
    expect_line("sched_op(SCHEDOP_yield, 0x10)", 29, SCHEDOP_yield, 16);
    expect_line("sched_op(SCHEDOP_shutdown, {reason=SHUTDOWN_poweroff})", 29,
                SCHEDOP_shutdown, GUEST(0, off));
    expect_line("sched_op(SCHEDOP_shutdown, {reason=77})", 29, SCHEDOP_shutdown,
                GUEST(0, odd));
    expect_line("sched_op(SCHEDOP_poll, "
                "{ports=[3, 5], nr_ports=2, timeout=1000000})",
                29, SCHEDOP_poll, GUEST(0, poll));
    expect_line("sched_op(SCHEDOP_poll, "
                "{ports=[3, 5, 8, 13, ...], nr_ports=5, timeout=0})",
                29, SCHEDOP_poll, GUEST(0, many));
    expect_line("sched_op(SCHEDOP_poll, {ports=NULL, nr_ports=0, timeout=5})",
                29, SCHEDOP_poll, GUEST(0, none));
}

Test(trace, shows_vcpu_ops)
{
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = 123456789,
                                              .flags = VCPU_SSHOTTMR_future};
    struct vcpu_register_vcpu_info info = {.mfn = 0x88, .offset = 64};

    expect_line("vcpu_op(VCPUOP_set_singleshot_timer, 0, "
                "{timeout_abs_ns=123456789, flags=VCPU_SSHOTTMR_future})",
                24, VCPUOP_set_singleshot_timer, 0, GUEST(0, timer));
    expect_line("vcpu_op(VCPUOP_register_vcpu_info, 2, {mfn=0x88, offset=64})",
                24, VCPUOP_register_vcpu_info, 2, GUEST(0, info));
    expect_line("vcpu_op(VCPUOP_is_up, 1, NULL)", 24, VCPUOP_is_up, 1);
    expect_line("vcpu_op(VCPUOP_get_runstate_info, 0, 0x1000)", 24,
                VCPUOP_get_runstate_info, 0, PAGE);
}

Test(trace, shows_memory_ops)
{
    xen_pfn_t frames[] = {0x10, 0x11};
    struct xen_memory_reservation less = {.nr_extents = 2, .domid = DOMID_SELF};
    domid_t self = DOMID_SELF;
    struct xen_memory_map map = {.nr_entries = 32};

    less.extent_start.p = (void *)GUEST(0x200, frames);
    map.buffer.p = (void *)0x5000;
    expect_line("memory_op(XENMEM_decrease_reservation, "
                "{extent_start=[0x10, 0x11], nr_extents=2, extent_order=0, "
                "mem_flags=0, domid=DOMID_SELF})",
                12, XENMEM_decrease_reservation, GUEST(0, less));
    expect_line("memory_op(XENMEM_maximum_reservation, {domid=DOMID_SELF})", 12,
                XENMEM_maximum_reservation, GUEST(0, self));
    expect_line("memory_op(XENMEM_memory_map, {nr_entries=32, buffer=0x5000})",
                12, XENMEM_memory_map, GUEST(0, map));
    expect_line("memory_op(99, 0x1000)", 12, 99, PAGE);
}

Test(trace, shows_arrays_of_grant_ops_abbreviated)
{
    struct gnttab_map_grant_ref map[3] = {
        {.host_addr = 0x5000,
         .flags = GNTMAP_host_map | GNTMAP_readonly,
         .ref = 8,
         .handle = 1},
        {.host_addr = 0x6000,
         .flags = GNTMAP_host_map | 1 << 16,
         .ref = 9,
         .dom = 2,
         .status = GNTST_bad_gntref},
        {.ref = 10},
    };

    expect_line("grant_table_op(GNTTABOP_map_grant_ref, "
                "[{host_addr=0x5000, flags=GNTMAP_host_map|GNTMAP_readonly, "
                "ref=8, dom=0}, {host_addr=0x6000, "
                "flags=GNTMAP_host_map|0x10000, ref=9, dom=2}, ...], 3)",
                20, GNTTABOP_map_grant_ref, GUEST(0, map), 3);
    expect_line("grant_table_op(GNTTABOP_map_grant_ref, "
                "[{host_addr=0x5000, flags=GNTMAP_host_map|GNTMAP_readonly, "
                "ref=8, dom=0}], 1)",
                20, GNTTABOP_map_grant_ref, GUEST(0, map), 1);
    expect_line("grant_table_op(GNTTABOP_map_grant_ref, [], 0)", 20,
                GNTTABOP_map_grant_ref, PAGE, 0);
    expect_answer("[{status=GNTST_okay, handle=1, dev_bus_addr=0}, "
                  "{status=GNTST_bad_gntref, handle=0, dev_bus_addr=0}, ...]",
                  20, GNTTABOP_map_grant_ref, GUEST(0, map), 3);
}

/* A union's member is shown if the operation uses it. */
Test(trace, shows_the_right_member_of_a_union)
{
    struct gnttab_copy copy = {
        .source = {.u.ref = 8, .domid = 1},
        .dest = {.u.gmfn = 0x99, .domid = DOMID_SELF, .offset = 16},
        .len = 512,
        .flags = GNTCOPY_source_gref};
    struct mmuext_op ops[] = {
        {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = 0x123},
        {.cmd = MMUEXT_SET_LDT, .arg1.linear_addr = 0x7000, .arg2.nr_ents = 4},
    };
    struct mmuext_op flush = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    struct mmuext_op odd = {.cmd = 0xffffffff};

    expect_line("grant_table_op(GNTTABOP_copy, [{source.u.ref=8, "
                "source.domid=1, source.offset=0, dest.u.gmfn=0x99, "
                "dest.domid=DOMID_SELF, dest.offset=16, len=512, "
                "flags=GNTCOPY_source_gref}], 1)",
                20, GNTTABOP_copy, GUEST(0, copy), 1);
    expect_line("mmuext_op([{cmd=MMUEXT_PIN_L4_TABLE, arg1.mfn=0x123}, "
                "{cmd=MMUEXT_SET_LDT, arg1.linear_addr=0x7000, "
                "arg2.nr_ents=4}], 2, NULL, DOMID_SELF)",
                26, GUEST(0, ops), 2, 0, DOMID_SELF);
    expect_line("mmuext_op([{cmd=MMUEXT_TLB_FLUSH_LOCAL}], 1, 0x2000, 0)", 26,
                GUEST(0, flush), 1, 0x2000, 0);
    expect_line("mmuext_op([{cmd=4294967295}], 1, NULL, 0)", 26, GUEST(0, odd),
                1);
}

Test(trace, shows_page_table_calls)
{
    struct mmu_update update = {.ptr = 0x123000, .val = 0x8000000000456067};

    expect_line("mmu_update([{ptr=0x123000, val=0x8000000000456067}], 1, NULL, "
                "DOMID_SELF)",
                1, GUEST(0, update), 1, 0, DOMID_SELF);
    expect_line("update_va_mapping(0x400000, 0x1067, UVMF_INVLPG|UVMF_ALL)", 14,
                0x400000, 0x1067, UVMF_INVLPG | UVMF_ALL);
    expect_line("update_va_mapping(0x400000, 0, UVMF_NONE)", 14, 0x400000, 0,
                0);
}

Test(trace, shows_a_trap_table_up_to_its_end)
{
    struct trap_info traps[4] = {
        {.vector = 0, .cs = 0xe033, .address = 0x1111},
        {.vector = 14, .flags = 4, .cs = 0xe033, .address = 0x2222},
        {.vector = 3, .flags = 3, .cs = 0xe033, .address = 0x3333},
    };
    struct trap_info end = {0};

    expect_line("set_trap_table([{vector=0, flags=0, cs=0xe033, "
                "address=0x1111}, {vector=14, flags=0x4, cs=0xe033, "
                "address=0x2222}, ...])",
                0, GUEST(0, traps));
    expect_line("set_trap_table([{vector=0, flags=0, cs=0, address=0}])", 0,
                GUEST(0, end));
    expect_line("set_trap_table(NULL)", 0, 0);
}

Test(trace, shows_text_with_its_control_characters)
{
    char hello[] = "hello\n";
    char odd[] = "a\"b\\c\t\x7f\xff";
    char longer[40];

    memset(longer, 'x', sizeof longer);
    expect_line("console_io(CONSOLEIO_write, 6, \"hello\\n\")", 18,
                CONSOLEIO_write, 6, GUEST(0, hello));
    expect_line(
        "console_io(CONSOLEIO_write, 8, \"a\\\"b\\\\c\\x09\\x7f\\xff\")", 18,
        CONSOLEIO_write, 8, GUEST(0, odd));
    expect_line("console_io(CONSOLEIO_write, 40, "
                "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"...)",
                18, CONSOLEIO_write, 40, GUEST(0, longer));
    expect_line("console_io(CONSOLEIO_write, 4, 0x9000)", 18, CONSOLEIO_write,
                4, 0x9000);
}

Test(trace, shows_the_calls_of_a_list)
{
    struct multicall_entry list[] = {
        {.op = 14, .args = {0x400000, 0x1067, UVMF_INVLPG}},
        {.op = __HYPERVISOR_multicall, .args = {PAGE, 2}},
        {.op = 17},
    };

    expect_line("multicall([update_va_mapping(0x400000, 0x1067, UVMF_INVLPG), "
                "multicall(0x1000, 2), ...], 3)",
                13, GUEST(0, list), 3);
    expect_line("multicall(0x9000, 2)", 13, 0x9000, 2);
    expect_line("multicall([], 0)", 13, 0, 0);
}

Test(trace, shows_small_calls)
{
    struct callback_register event = {.type = CALLBACKTYPE_event,
                                      .flags = CALLBACKF_mask_events,
                                      .address = 0x1234};
    struct xen_feature_info features = {.submap_idx = 0, .submap = 0x220};
    struct physdev_set_iopl iopl = {.iopl = 1};
    struct xen_hvm_param param = {.domid = DOMID_SELF,
                                  .index = HVM_PARAM_STORE_PFN};

    expect_line("callback_op(CALLBACKOP_register, {type=CALLBACKTYPE_event, "
                "flags=CALLBACKF_mask_events, address=0x1234})",
                30, CALLBACKOP_register, GUEST(0, event));
    expect_line("xen_version(XENVER_version, NULL)", 17, XENVER_version);
    expect_line("xen_version(XENVER_extraversion, 0x1000)", 17,
                XENVER_extraversion, PAGE);
    expect_line("xen_version(XENVER_get_features, {submap_idx=0})", 17,
                XENVER_get_features, GUEST(0, features));
    expect_answer("{submap=0x220}", 17, XENVER_get_features,
                  GUEST(0, features));
    expect_line("physdev_op(PHYSDEVOP_set_iopl, {iopl=1})", 33,
                PHYSDEVOP_set_iopl, GUEST(0, iopl));
    expect_line("hvm_op(HVMOP_get_param, {domid=DOMID_SELF, "
                "index=HVM_PARAM_STORE_PFN, value=0})",
                34, HVMOP_get_param, GUEST(0, param));
    expect_line("set_timer_op(5000000000)", 15, 5000000000);
    expect_line("set_segment_base(SEGBASE_FS, 0x7000)", 25, SEGBASE_FS, 0x7000);
    expect_line("stack_switch(0xe02b, 0x8000)", 3, 0xe02b, 0x8000);
    expect_line("set_callbacks(0x1000, 0x2000, 0)", 4, 0x1000, 0x2000, 0);
    expect_line("vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict)", 21, 0,
                32);
    expect_line("iret()", 23, 1, 2, 3);
    expect_line("sysctl(0x1000)", 35, PAGE);
}

Test(trace, ignores_the_upper_half_of_an_int)
{
    expect_line("sched_op(SCHEDOP_yield, NULL)", 29, 0xdead00000000);
}

Test(trace, shows_numbers_nobody_knows)
{
    expect_line("hypercall_43(0x1, 0x2, 0x3, 0x4, 0x5)", 43, 1, 2, 3, 4, 5);
    expect_line("hypercall_18446744073709551615(0, 0, 0, 0, 0)", UINT64_MAX, 0);
    expect_line("sched_op(1234, 0x1000)", 29, 1234, PAGE);
}

Test(trace, shows_a_bad_address_as_what_it_is)
{
    struct sched_poll poll = {.nr_ports = 3};

    poll.ports.p = (void *)0xdead0000;
    expect_line("event_channel_op(EVTCHNOP_send, 0xdeadbeef)", 32,
                EVTCHNOP_send, 0xdeadbeef);
    expect_line("event_channel_op(EVTCHNOP_send, NULL)", 32, EVTCHNOP_send, 0);
    expect_line("event_channel_op(EVTCHNOP_send, 0x1ffe)", 32, EVTCHNOP_send,
                PAGE + 4094);
    expect_line("grant_table_op(GNTTABOP_copy, 0xffffffffffffffff, 2)", 20,
                GNTTABOP_copy, UINT64_MAX, 2);
    expect_line("sched_op(SCHEDOP_poll, "
                "{ports=0xdead0000, nr_ports=3, timeout=0})",
                29, SCHEDOP_poll, GUEST(0, poll));
    expect_line("mmu_update([{ptr=0, val=0}, 0x2000], 4000, NULL, 0)", 1,
                PAGE + 4096 - 16, 4000);
}

Test(trace, can_do_without_guest_memory)
{
    hypercall_format(line, sizeof line, 32, ARGS(EVTCHNOP_send, 0x1000), NULL,
                     NULL);
    cr_expect_str_eq(line, "event_channel_op(EVTCHNOP_send, 0x1000)");
}

Test(trace, cuts_a_line_at_any_length)
{
    const char whole[] = "event_channel_op(EVTCHNOP_send, {port=3})";
    struct evtchn_send send = {.port = 3};
    uint64_t at = GUEST(0, send);

    for (size_t size = 0; size <= sizeof whole; size++) {
        size_t len;

        memset(line, '#', sizeof line);
        len = hypercall_format(line, size, 32, ARGS(EVTCHNOP_send, at),
                               read_page, page);
        cr_expect_eq(line[size], '#', "size %zu", size);
        if (size) {
            cr_expect_eq(len,
                         size - 1 < strlen(whole) ? size - 1 : strlen(whole));
            cr_expect_eq(line[len], '\0');
            cr_expect_eq(strncmp(line, whole, len), 0);
        } else {
            cr_expect_eq(len, 0);
        }
    }
}

static const char *result_of(uint64_t nr, long result)
{
    hypercall_format_result(line, sizeof line, nr, ARGS(0), result);
    return line;
}

Test(trace, shows_results)
{
    cr_expect_str_eq(result_of(29, 0), "0");
    cr_expect_str_eq(result_of(12, 1024), "1024");
    cr_expect_str_eq(result_of(32, -EINVAL), "-22 (-EINVAL)");
    cr_expect_str_eq(result_of(32, -ENOSYS), "-38 (-ENOSYS)");
    cr_expect_str_eq(result_of(99, -ENOSYS), "-38 (-ENOSYS)");
    cr_expect_str_eq(result_of(17, 0x40011), "0x40011");
    cr_expect_str_eq(result_of(17, -EPERM), "-1 (-EPERM)");
    cr_expect_str_eq(result_of(32, -4), "-4");
    cr_expect_str_eq(result_of(32, -5000), "-5000");
    cr_expect_str_eq(result_of(32, INT64_MIN), "-9223372036854775808");
}

Test(trace, names_errors_as_xen_does)
{
    cr_expect_str_eq(hypercall_errno_name(22), "EINVAL");
    cr_expect_str_eq(hypercall_errno_name(11), "EAGAIN");
    cr_expect_str_eq(hypercall_errno_name(35), "EDEADLK");
    cr_expect_str_eq(hypercall_errno_name(111), "ECONNREFUSED");
    cr_expect_null(hypercall_errno_name(0));
    cr_expect_null(hypercall_errno_name(4), "never shown to a guest");
    cr_expect_null(hypercall_errno_name(-22));
}

/* What trace.c takes for granted about the rows. */
Test(table, keeps_the_fields_of_each_structure_together)
{
    for (unsigned id = 1; id < nr_ids; id++) {
        size_t nr_fields, nr_values;
        const struct decode_field *field = decode_fields(id, &nr_fields);
        const struct decode_value *value = decode_values(id, &nr_values);

        for (size_t i = 0; i < nr_fields; i++) {
            cr_expect_eq(field[i].of, id, "%s", field[i].name);
            cr_expect_leq(field[i].bytes, 8);
            cr_expect_leq(field[i].offset + field[i].bytes,
                          decode_struct_size(id));
        }
        for (size_t i = 0; i < nr_values; i++)
            cr_expect_eq(value[i].of, id, "%s", value[i].name);
        cr_expect(decode_struct_size(id) ? nr_fields : nr_values,
                  "id %u has rows", id);
    }
}

Test(table, gives_sub_operations_to_calls_that_have_them)
{
    for (uint64_t nr = 0; nr < HYPERCALL_NR_MAX; nr++) {
        const struct decode_call *call = decode_call(nr);
        bool any = false;

        for (uint64_t op = 0; op < 64; op++)
            any |= decode_subop(nr, op) != NULL;
        cr_expect_eq(any, call && call->args[0].kind == kind_subop, "%lu", nr);
    }
}
