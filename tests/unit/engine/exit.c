/* A VM that a signal stopped, wherever it was. */
#include <criterion/criterion.h>

#include "host/engine/kvm/kvm.h"

static struct kvm_run run;
static struct vcpu vcpu;
static struct kvm_vm vm;
static struct kvm_cpu cpu = {.run = &run, .vm = &vm, .vcpu = &vcpu};

Test(interrupted, in_the_guest_its_registers_are_taken)
{
    run.s.regs.regs.rip = 0x400000;
    exit_interrupted(&cpu, &vcpu);
    cr_expect_not(cpu.in_stub);
    cr_expect_eq(vcpu.regs.rip, 0x400000);
}

Test(interrupted, in_the_stub_it_is_left_alone)
{
    run.s.regs.regs.rip = stub_code_va(stub_code);
    exit_interrupted(&cpu, &vcpu);
    cr_expect(cpu.in_stub);
    cr_expect_eq(vcpu.regs.rip, 0);
}

/* KVM may return when a trap has happened that it has not delivered yet. */
Test(interrupted, before_a_trap_it_is_left_alone)
{
    run.s.regs.regs.rip = 0x400000;
    run.s.regs.events.exception.injected = 1;
    exit_interrupted(&cpu, &vcpu);
    cr_expect(cpu.in_stub);
    cr_expect_eq(vcpu.regs.rip, 0);

    run.s.regs.events.exception.injected = 0;
    run.s.regs.events.exception.pending = 1;
    exit_interrupted(&cpu, &vcpu);
    cr_expect(cpu.in_stub);
}

/* A short path that began in user mode, and got as far as (label). */
static struct path_cut stop_at(const char *label, uint64_t vector)
{
    static struct vcpu_info info;
    static struct stub_cpu own;
    struct path_cut cut;

    cpu.short_paths = true;
    cpu.stub = &own;
    vcpu.info = &info;
    info.evtchn_upcall_mask = 1;
    own.path = (struct stub_path){.rax = 39,
                                  .rsp = 0x7000,
                                  .from_user = 1,
                                  .vector = vector,
                                  .trap.rip = 0x1234,
                                  .cr2 = 0x5678,
                                  .gs_base = {0x1000, 0x2000}};
    own.frame.rip = 0x4321;
    run.s.regs.sregs.gs.base = 0x3000;
    run.s.regs.sregs.cr2 = 0x8765;
    cr_expect(path_undo(&cpu, &vcpu, stub_path_va(0, label), false, &cut));
    cr_expect_eq(vcpu.regs.rax, 39);
    return cut;
}

Test(path, is_undone_before_the_base_is_another)
{
    const struct path_cut cut = stop_at(stub_bounce, 14);

    cr_expect_eq(cut.what, CUT_CALL, "whatever vector was the last");
    cr_expect(vcpu.user_mode);
    cr_expect_eq(vcpu.regs.rsp, 0x7000);
    cr_expect_eq(vcpu.gs_base, 0x1000);
    cr_expect_eq(vcpu.gs_base_user, 0x3000);
    cr_expect_eq(vcpu.info->evtchn_upcall_mask, 1);
}

Test(path, is_undone_behind_its_mask)
{
    const struct path_cut cut = stop_at(stub_frame_mask + 4, STUB_SYSCALL);

    cr_expect_eq(cut.what, CUT_CALL);
    cr_expect(vcpu.user_mode);
    cr_expect_eq(vcpu.gs_base, 0x1000);
    cr_expect_eq(vcpu.gs_base_user, 0x2000);
    cr_expect_eq(vcpu.info->evtchn_upcall_mask, 0);
}

/* Between MOV SS and SYSCALL it was held back; RSP is the program's. */
Test(path, begins_again_behind_a_late_breakpoint)
{
    struct path_cut cut;

    (void)stop_at(stub_frame, 14);
    cpu.stub->frame.rsp = 0x6000;
    cr_expect(path_undo(&cpu, &vcpu, stub_entry_va(0, stub_entry), true, &cut));
    cr_expect_eq(cut.what, CUT_CALL);
    cr_expect_eq(vcpu.regs.rsp, 0x6000);
}

Test(path, of_the_kernel_is_undone_to_the_kernel)
{
    (void)stop_at(stub_iret_gs, 14);
    cr_expect_not(vcpu.user_mode);
    cr_expect_eq(vcpu.gs_base, 0x1000);
    cr_expect_eq(vcpu.info->evtchn_upcall_mask, 1);
}

Test(path, of_a_trap_gives_its_frame_back)
{
    struct path_cut cut = stop_at(stub_frame_leave, 14);

    cr_expect_eq(cut.what, CUT_TRAP);
    cr_expect_eq(vcpu.gs_base_user, 0x3000);
    cr_expect_eq(cut.vector, 14);
    cr_expect_eq(cut.frame.rip, 0x4321);
    cr_expect_eq(cut.cr2, 0x8765);
    cr_expect(vcpu.user_mode);
    cr_expect(
        path_undo(&cpu, &vcpu, stub_path_va(0, stub_frame_gs), true, &cut));
    cr_expect_eq(cut.frame.rip, 0x1234, "that of the fault is not its own");
    cr_expect_eq(cut.cr2, 0x5678);
}

Test(path, begins_at_a_gate_where_all_is_as_it_was)
{
    struct path_cut cut;
    uint8_t vector = 0;

    (void)stop_at(stub_frame, 3);
    vcpu.regs.rax = 40;
    cr_expect(path_undo(&cpu, &vcpu,
                        stub_path_va(0, stub_gates + 14 * STUB_GATE_SIZE + 3),
                        false, &cut));
    cr_expect_eq(cut.what, CUT_TRAP);
    cr_expect_eq(cut.vector, 14);
    cr_expect_eq(vcpu.regs.rax, 40);
    cr_expect(path_is_gate(&cpu, stub_path_va(0, stub_trap) - 1, &vector));
    cr_expect_eq(vector, STUB_NR_GATES - 1);
    cr_expect_not(path_is_gate(&cpu, stub_path_va(0, stub_trap), &vector));
}

Test(path, at_a_gate_is_no_path_if_ring_0_trapped)
{
    (void)stop_at(stub_frame, 14);
    cpu.stub->frame.cs = FLAT_KERNEL_CS;
    cr_expect(path_is_at(&cpu, stub_path_va(0, stub_gates)));
    cpu.stub->frame.cs = STUB_CS;
    cr_expect_not(path_is_at(&cpu, stub_path_va(0, stub_gates)));
    cr_expect(path_is_at(&cpu, stub_path_va(0, stub_trap)));
}

Test(path, ends_where_its_code_does)
{
    struct path_cut cut;

    cpu.short_paths = true;
    cr_expect_not(
        path_undo(&cpu, &vcpu, stub_path_va(0, stub_path_end), false, &cut));
    cr_expect_not(path_undo(&cpu, &vcpu, 0x400000, false, &cut));
}
