/* The small families: version, console, traps, segments, CPU, multicall. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>
#include <xen/callback.h>
#include <xen/features.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/version.h>

#include "host/calls/calls.h"
#include "host/pagetable.h"
#include "tests/harness/fake_domain.h"

#define NOT_CANONICAL UINT64_C(0x800000000000)

TestSuite(small_calls, .init = fake_create, .fini = fake_destroy);

#define version(cmd) call(__HYPERVISOR_xen_version, cmd, page_va(ARGS_PAGE))

Test(small_calls, claims_to_be_Xen_4_17)
{
    cr_expect_eq(call(__HYPERVISOR_xen_version, XENVER_version, NOWHERE),
                 0x40011);
    cr_expect_eq(version(XENVER_capabilities), 0);
    cr_expect_eq(strncmp(page(ARGS_PAGE), "xen-3.0-x86_64", 14), 0);
    cr_expect_eq(version(XENVER_commandline), 0);
    cr_expect_str_eq(page(ARGS_PAGE), "<denied>");
    cr_expect_eq(version(XENVER_platform_parameters), 0);
    cr_expect_eq(*(uint64_t *)page(ARGS_PAGE), 0xffff800000000000);
    cr_expect_eq(call(__HYPERVISOR_xen_version, XENVER_pagesize), 4096);
    cr_expect_eq(version(XENVER_build_id), -EPERM);
    cr_expect_eq(version(55), -ENOSYS);
}

/* Exactly the size of each buffer is written, and all of it is text. */
Test(small_calls, writes_version_texts_of_exactly_their_size)
{
    const struct {
        unsigned cmd;
        size_t size;
    } texts[] = {
        {XENVER_extraversion, 16},
        {XENVER_compile_info, sizeof(struct xen_compile_info)},
        {XENVER_capabilities, 1024},
        {XENVER_changeset, 64},
        {XENVER_guest_handle, 16},
        {XENVER_commandline, 1024},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const uint8_t *bytes = page(ARGS_PAGE);

        memset(page(ARGS_PAGE), 0xee, PAGE_SIZE);
        cr_expect_eq(version(texts[i].cmd), 0);
        cr_expect_eq(bytes[texts[i].size - 1], 0);
        cr_expect_eq(bytes[texts[i].size], 0xee);
        cr_expect_eq(call(__HYPERVISOR_xen_version, texts[i].cmd, NOWHERE),
                     -EFAULT);
    }
}

/* A kernel chooses its whole memory model by auto_translated_physmap. */
Test(small_calls, offers_the_features_of_a_pv_domain)
{
    struct xen_feature_info info = {0};

    cr_expect_eq(call(__HYPERVISOR_xen_version, XENVER_get_features, put(info)),
                 0);
    get(info);
    cr_expect_eq(info.submap & (1 << XENFEAT_auto_translated_physmap), 0);
    cr_expect(info.submap & (1 << XENFEAT_mmu_pt_update_preserve_ad));
    info.submap_idx = 1;
    cr_expect_eq(call(__HYPERVISOR_xen_version, XENVER_get_features, put(info)),
                 -EINVAL);
}

static long print(const char *text)
{
    memcpy(page(FREE_PAGE), text, strlen(text));
    return call(__HYPERVISOR_console_io, CONSOLEIO_write, strlen(text),
                page_va(FREE_PAGE));
}

Test(small_calls, prints_whole_lines_without_control_characters)
{
    cr_expect_eq(print("half "), 0);
    cr_expect_eq(account.console_len, 0);
    cr_expect_eq(print("a line\x1b[31m\r\n\x9bmore"), 0);
    cr_expect_eq(account.console_len, 16);
    cr_expect_eq(memcmp(account.console, "half a line[31m\n", 16), 0);
    console_io_flush(dom);
    cr_expect_eq(memcmp(account.console + 16, "more", 4), 0);
    cr_expect_eq(call(__HYPERVISOR_console_io, CONSOLEIO_write, 4, NOWHERE),
                 -EFAULT);
    cr_expect_eq(
        call(__HYPERVISOR_console_io, CONSOLEIO_read, 1, page_va(FREE_PAGE)),
        -EPERM);
    cr_expect_eq(call(__HYPERVISOR_console_io, 9), -EPERM);
}

Test(small_calls, merges_trap_tables_and_forces_rpl_3)
{
    struct trap_info traps[] = {
        {3, 3, 0xe030, page_va(1)},
        {14, 4, 0xe030, page_va(2)},
        {0},
    };

    cr_expect_eq(call(__HYPERVISOR_set_trap_table, put(traps)), 0);
    cr_expect_eq(vcpu->traps[3].address, page_va(1));
    cr_expect_eq(vcpu->traps[3].cs, 0xe033);
    cr_expect_eq(vcpu->traps[14].flags, 4);

    traps[0].vector = 6;
    traps[1].address = NOT_CANONICAL;
    cr_expect_eq(call(__HYPERVISOR_set_trap_table, put(traps)), -EINVAL);
    cr_expect_eq(vcpu->traps[6].address, page_va(1), "entries before stay");
    cr_expect_eq(vcpu->traps[3].address, page_va(1));

    cr_expect_eq(call(__HYPERVISOR_set_trap_table, 0), 0);
    cr_expect_eq(vcpu->traps[3].address, 0);
    cr_expect_eq(call(__HYPERVISOR_set_trap_table, NOWHERE), -EFAULT);
}

static long callback(uint16_t type, uint16_t flags, uint64_t address)
{
    struct callback_register op = {type, flags, address};

    return call(__HYPERVISOR_callback_op, CALLBACKOP_register, put(op));
}

Test(small_calls, registers_callbacks_old_and_new)
{
    struct callback_unregister un = {CALLBACKTYPE_nmi, 0};

    cr_expect_eq(call(__HYPERVISOR_set_callbacks, 1, 2, 3), 0);
    cr_expect_eq(vcpu->failsafe.address, 2);
    cr_expect_eq(call(__HYPERVISOR_set_callbacks, NOT_CANONICAL, 4, 5), 0);
    cr_expect_eq(vcpu->event.address, 1, "what is no address is left out");
    cr_expect_eq(vcpu->failsafe.address, 4);
    cr_expect_eq(callback(CALLBACKTYPE_event, 0, page_va(1)), 0);
    cr_expect_eq(vcpu->event.address, page_va(1));
    cr_expect_eq(
        callback(CALLBACKTYPE_syscall, CALLBACKF_mask_events, page_va(2)), 0);
    cr_expect(vcpu->syscall.mask_events);
    cr_expect_eq(callback(CALLBACKTYPE_nmi, 0, page_va(3)), 0);
    cr_expect_eq(vcpu->traps[2].address, page_va(3));
    cr_expect_eq(vcpu->traps[2].flags, 4, "it masks events");
    cr_expect_eq(callback(CALLBACKTYPE_event, 0, NOT_CANONICAL), -EINVAL);
    cr_expect_eq(callback(99, 0, NOT_CANONICAL), -EINVAL);
    cr_expect_eq(callback(99, 0, page_va(1)), -ENOSYS);

    cr_expect_eq(call(__HYPERVISOR_callback_op, CALLBACKOP_unregister, put(un)),
                 0);
    cr_expect_eq(vcpu->traps[2].address, 0);
    un.type = CALLBACKTYPE_event;
    cr_expect_eq(call(__HYPERVISOR_callback_op, CALLBACKOP_unregister, put(un)),
                 -EINVAL);
    un.type = 50;
    cr_expect_eq(call(__HYPERVISOR_callback_op, CALLBACKOP_unregister, put(un)),
                 -ENOSYS);
    cr_expect_eq(call(__HYPERVISOR_callback_op, 7), -ENOSYS);
    cr_expect_eq(call(__HYPERVISOR_callback_op, 0, NOWHERE), -EFAULT);
}

Test(small_calls, keeps_stack_bases_and_returns_through_iret)
{
    struct iret_context frame;

    fake_engine(0, UINT64_C(1) << 47);
    cr_expect_eq(call(__HYPERVISOR_stack_switch, 0xe028, 0x1000), 0);
    cr_expect_eq(vcpu->kernel_ss, 0xe02b);
    cr_expect_eq(call(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0x1234), 0);
    cr_expect_eq(vcpu->fs_base, 0x1234);
    cr_expect_eq(call(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, 1), 0);
    cr_expect_eq(call(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, 2), 0);
    cr_expect_eq(call(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, 8),
                 0);
    cr_expect_eq(account.set_bases, 4);
    cr_expect_eq(account.synced, 4, "the others may be newer in the CPU");
    cr_expect_eq(
        call(__HYPERVISOR_set_segment_base, SEGBASE_FS, UINT64_C(1) << 47),
        -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_set_segment_base, 4, 0), -EINVAL);

    account.synced = 0;
    frame = (struct iret_context){.rax = 0x1234, .rip = 0x401000, .cs = 0xe030};
    vcpu->regs.rsp = put(frame);
    cr_expect_eq(call(__HYPERVISOR_iret), 0x1234);
    cr_expect_eq(vcpu->regs.rip, 0x401000);
    cr_expect_eq(account.synced, 1);
    cr_expect_eq(account.set_regs, 1);
}

#define DESC_CODE UINT64_C(0x00af9b000000ffff)
#define DESC_LDT  UINT64_C(0x0000820000000000)

Test(small_calls, installs_a_gdt_without_writable_mappings)
{
    uint64_t *gdt = page(BARE_PAGE), *list = page(FREE_PAGE);

    list[0] = page_mfn(BARE_PAGE);
    list[1] = page_mfn(FREE_PAGE + 1); /* mapped writable */
    gdt[1] = DESC_CODE;
    cr_expect_eq(call(__HYPERVISOR_set_gdt, page_va(FREE_PAGE), 7169), -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_set_gdt, page_va(FREE_PAGE), 600), -EINVAL);
    cr_expect_eq(memory_record(&dom->mem, list[0])->uses, 0);
    cr_expect_eq(call(__HYPERVISOR_set_gdt, page_va(FREE_PAGE), 512), 0);
    cr_expect_eq(gdt[1] >> 45 & 3, 3, "DPL is forced to 3");
    cr_expect_eq(memory_record(&dom->mem, list[0])->type, TYPE_DESC);
    cr_expect_eq(call(__HYPERVISOR_set_gdt, page_va(FREE_PAGE), 0), 0);
    cr_expect_eq(memory_record(&dom->mem, list[0])->uses, 0);
    gdt[2] = DESC_LDT;
    cr_expect_eq(call(__HYPERVISOR_set_gdt, page_va(FREE_PAGE), 512), -EINVAL);
}

static void map_read_only(unsigned index)
{
    const uint64_t pte = page_mfn(index) << PAGE_SHIFT | 0x21;

    cr_assert_eq(call(__HYPERVISOR_update_va_mapping, page_va(index), pte, 0),
                 0);
}

Test(small_calls, looks_at_a_local_table_when_it_is_used)
{
    const struct frame *frame = memory_record(&dom->mem, page_mfn(FREE_PAGE));

    cr_expect_eq(segment_set_ldt(vcpu, page_va(FREE_PAGE) + 8, 1), -EINVAL);
    cr_expect_eq(segment_set_ldt(vcpu, page_va(FREE_PAGE), 8193), -EINVAL);
    cr_expect_eq(segment_set_ldt(vcpu, HOLE - 0x1000, 1), -EINVAL);
    cr_expect_eq(segment_set_ldt(vcpu, HOLE, 0), 0, "of nothing");

    cr_expect_eq(segment_set_ldt(vcpu, page_va(FREE_PAGE), 513), 0);
    cr_expect_eq(segment_ldt_frame(vcpu, 0), 0, "it is mapped writable");
    map_read_only(FREE_PAGE);
    cr_expect_eq(segment_ldt_frame(vcpu, 0), page_mfn(FREE_PAGE));
    cr_expect_eq(segment_ldt_frame(vcpu, 0), page_mfn(FREE_PAGE));
    cr_expect_eq(frame->type, TYPE_DESC);
    cr_expect_eq(frame->uses, 1);
    cr_expect_eq(segment_ldt_frame(vcpu, 2), 0, "beyond its end");

    map_read_only(FREE_PAGE + 1);
    ((uint64_t *)page(FREE_PAGE + 1))[0] = DESC_LDT;
    cr_expect_eq(segment_ldt_frame(vcpu, 1), 0, "what no table may have");
    cr_expect_eq(segment_set_ldt(vcpu, 0, 0), 0);
    cr_expect_eq(frame->uses, 0, "forgotten");
    cr_expect_eq(segment_ldt_frame(vcpu, 0), 0);
}

Test(small_calls, updates_descriptors_that_can_do_no_harm)
{
    maddr_t at = page_mfn(FREE_PAGE) << PAGE_SHIFT;

    cr_expect_eq(call(__HYPERVISOR_update_descriptor, at + 8, DESC_CODE), 0);
    cr_expect_eq(((uint64_t *)page(FREE_PAGE))[1], DESC_CODE | UINT64_C(3)
                                                                   << 45);
    cr_expect_eq(call(__HYPERVISOR_update_descriptor, at, DESC_LDT), -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_update_descriptor, at + 4, 0), -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_update_descriptor,
                      page_mfn(L1_PAGE) << PAGE_SHIFT, 0),
                 -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_update_descriptor, 0x5000, 0), -EINVAL);
}

Test(small_calls, keeps_virtual_debug_registers)
{
    cr_expect_eq(call(__HYPERVISOR_get_debugreg, 6), 0xffff0ff0);
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 0, page_va(1)), 0);
    cr_expect_eq(call(__HYPERVISOR_get_debugreg, 0), (long)page_va(1));
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 1, HOLE), -EPERM);
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 7, 1), 0);
    cr_expect_eq(call(__HYPERVISOR_get_debugreg, 5), 0x401, "an alias of 7");
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 7, 0x2000), -EPERM);
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 6, UINT64_C(1) << 32),
                 -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 7, UINT64_C(1) << 32),
                 -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 7, 0x20000), 0);
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 7, 0x20001), -EPERM,
                 "a breakpoint on a port");
    cr_expect(!debugreg_is_armed(vcpu));
    vcpu->cr4 = 8;
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 7, 0x20005), 0, "with DE");
    cr_expect_eq(call(__HYPERVISOR_get_debugreg, 7), 0x20405);
    cr_expect_eq(debugreg_armed(vcpu), 0x20404, "but it is not armed");
    cr_expect_eq(call(__HYPERVISOR_get_debugreg, 4), -ENODEV);
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 5, 0), -ENODEV);
    debugreg_note_trap(vcpu, 0x4003);
    cr_expect_eq(call(__HYPERVISOR_get_debugreg, 6), 0xffff4ff3);
    vcpu->cr4 = 0;
    cr_expect_eq(call(__HYPERVISOR_set_debugreg, 8, 0), -ENODEV);
    cr_expect_eq(call(__HYPERVISOR_get_debugreg, 8), -ENODEV);
    cr_expect_eq(call(__HYPERVISOR_fpu_taskswitch, 1), 0);
    cr_expect(vcpu->ts);
}

Test(small_calls, knows_its_assists)
{
    cr_expect_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 5), 0);
    cr_expect_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 32), 0);
    cr_expect_eq(dom->vm_assist, UINT64_C(1) << 32 | 1 << 5);
    cr_expect_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_disable, 5), 0);
    cr_expect_eq(dom->vm_assist, UINT64_C(1) << 32);
    cr_expect_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 6), -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 64), -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_vm_assist, 2, 0), -ENOSYS);
}

Test(small_calls, has_a_virtual_iopl_and_no_devices)
{
    struct physdev_set_iopl iopl = {3};
    struct physdev_set_iobitmap bitmap = {.nr_ports = 65537};
    struct physdev_eoi eoi = {1};

    cr_expect_eq(call(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, put(iopl)),
                 0);
    cr_expect_eq(vcpu->iopl, 3);
    iopl.iopl = 4;
    cr_expect_eq(call(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, put(iopl)),
                 -EINVAL);
    cr_expect_eq(
        call(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, put(bitmap)),
        -EINVAL);
    bitmap.nr_ports = 1024;
    cr_expect_eq(
        call(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, put(bitmap)), 0);
    cr_expect_eq(call(__HYPERVISOR_physdev_op, PHYSDEVOP_eoi, put(eoi)),
                 -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, NOWHERE),
                 -EFAULT);
    cr_expect_eq(call(__HYPERVISOR_physdev_op, PHYSDEVOP_dbgp_op, 0), -EPERM);
    cr_expect_eq(call(__HYPERVISOR_physdev_op, 200, 0), -ENOSYS);
}

Test(small_calls, takes_nmis_by_the_older_call_as_well)
{
    struct xennmi_callback op = {.handler_address = page_va(1)};

    cr_expect_eq(call(__HYPERVISOR_nmi_op, XENNMI_register_callback, put(op)),
                 0);
    cr_expect_eq(vcpu->traps[2].address, page_va(1));
    op.handler_address = NOT_CANONICAL;
    cr_expect_eq(call(__HYPERVISOR_nmi_op, XENNMI_register_callback, put(op)),
                 -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_nmi_op, XENNMI_register_callback, NOWHERE),
                 -EFAULT);
    cr_expect_eq(vcpu->traps[2].address, page_va(1));
    cr_expect_eq(call(__HYPERVISOR_nmi_op, XENNMI_unregister_callback), 0);
    cr_expect_eq(vcpu->traps[2].address, 0);
    cr_expect_eq(call(__HYPERVISOR_nmi_op, 2), -ENOSYS);
}

Test(small_calls, refuses_control_and_does_not_know_the_rest)
{
    memset(page(FREE_PAGE), 0, PAGE_SIZE);
    cr_expect_eq(call(__HYPERVISOR_sysctl, NOWHERE), -EFAULT);
    cr_expect_eq(call(__HYPERVISOR_sysctl, page_va(FREE_PAGE)), -EACCES);
    cr_expect_eq(call(__HYPERVISOR_domctl, page_va(FREE_PAGE)), -EACCES);
    cr_expect_eq(call(__HYPERVISOR_platform_op, page_va(FREE_PAGE)), -EACCES);
    cr_expect_eq(call(__HYPERVISOR_kexec_op, 0), -EPERM);
    cr_expect_eq(call(__HYPERVISOR_xenpmu_op, 0), -EOPNOTSUPP);
    cr_expect_eq(call(__HYPERVISOR_argo_op, 0), -ENOSYS);
    cr_expect_eq(call(__HYPERVISOR_hvm_op, 2), -ENOSYS);
    cr_expect_eq(call(5000, 0), -ENOSYS);
    cr_expect_eq(call(UINT64_MAX, 0), -ENOSYS);
}

Test(small_calls, runs_a_list_of_calls_to_its_end)
{
    struct multicall_entry list[3] = {
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_version}},
        {.op = __HYPERVISOR_multicall},
        {.op = __HYPERVISOR_stack_switch, .args = {0xe02b, 77}},
    };

    cr_expect_eq(call(__HYPERVISOR_multicall, put(list), 3), 0);
    get(list);
    cr_expect_eq(list[0].result, 0x40011);
    cr_expect_eq((long)list[1].result, -EINVAL);
    cr_expect_eq(list[2].result, 0);
    cr_expect_eq(vcpu->kernel_sp, 77);
    cr_expect_eq(call(__HYPERVISOR_multicall, NOWHERE, 1), -EFAULT);
}

Test(small_calls, remembers_the_last_calls_for_the_crash_report)
{
    for (unsigned i = 0; i < 20; i++)
        call(__HYPERVISOR_stack_switch, 0, i);
    cr_expect_eq(dom->nr_last_calls, 20);
    cr_expect_eq(dom->last_calls[19 % 16].args[1], 19);
    cr_expect_eq(dom->last_calls[4].args[1], 4);
}
