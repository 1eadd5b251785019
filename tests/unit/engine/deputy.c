/* A call that the deputy was about to serve when the VM was left. */
#include <criterion/criterion.h>

#include <string.h>

#include "host/engine/kvm/kvm.h"

static struct stub_cpu pages;
static struct kvm_vm vm = {.stub.has_deputy = true, .paths = PATHS_NONE};
static struct kvm_cpu cpu = {.vm = &vm, .stub = &pages};
static struct domain dom;
static struct vcpu vcpu;

static const struct deputy kept = {
    .rax = __HYPERVISOR_stack_switch,
    .rbx = 1,
    .rdx = 2,
    .rsp = 3,
    .new_rax = 4,
    .new_rcx = 5,
    .new_r11 = 6,
    .rip = 0xffffffff81000000,
    .rflags = 0x246,
    .new_rsp = 7,
    .kernel_ss = 0xe02b,
    .kernel_sp = 0xffffffff82000000,
    .gs_base_user = 0x7000,
};

/* Stopped at (rip), with registers that the deputy uses itself. */
static void stop(uint64_t rip, bool user)
{
    pages.deputy = kept;
    dom = (struct domain){.nr_vcpus = 1};
    vcpu = (struct vcpu){.domain = &dom,
                         .engine_vcpu = &cpu,
                         .user_mode = user,
                         .kernel_sp = 0x1234,
                         .syscall.address = 0};
    vcpu.regs = (struct regs){.rip = rip,
                              .rax = 0xaa,
                              .rbx = 0xbb,
                              .rdx = 0xdd,
                              .rsp = 0x55,
                              .rdi = 0xe02b,
                              .rsi = 0xabcd,
                              .rcx = 0xffffffff81234567,
                              .r11 = 0x202};
}

static uint64_t at(const char *label)
{
    return stub_deputy_va(label);
}

/* The call was made, stack_switch, and the guest goes on behind it. */
static void expect_call(void)
{
    cr_expect_eq(vcpu.kernel_sp, 0xabcd);
    cr_expect_eq(vcpu.regs.rax, 0);
    cr_expect_eq(vcpu.regs.rip, 0xffffffff81234567);
    cr_expect_eq(vcpu.regs.rflags, 0x202);
    cr_expect_eq(vcpu.regs.cs, FLAT_KERNEL_CS);
}

Test(deputy, elsewhere_nothing_is_done)
{
    stop(at(deputy_code) - 1, false);
    cr_expect_not(deputy_leave(&cpu, &vcpu));
    stop(at(deputy_code_end), false);
    cr_expect_not(deputy_leave(&cpu, &vcpu));
    cr_expect_eq(vcpu.regs.rax, 0xaa);
}

Test(deputy, at_its_start_all_registers_are_the_guests)
{
    stop(deputy_entry(1), false);
    vcpu.regs.rax = __HYPERVISOR_stack_switch;
    cr_expect(deputy_leave(&cpu, &vcpu));
    expect_call();
    cr_expect_eq(vcpu.regs.rbx, 0xbb);
    cr_expect_eq(vcpu.regs.rsp, 0x55);
}

Test(deputy, rax_is_kept_first)
{
    stop(at(deputy_code) + DEPUTY_BLOCK_SIZE - 5, false); /* the last jump */
    cr_expect(deputy_leave(&cpu, &vcpu));
    expect_call();
    stop(at(deputy_keeps), false);
    cr_expect(deputy_leave(&cpu, &vcpu));
    expect_call();
    cr_expect_eq(vcpu.regs.rbx, 0xbb);
    cr_expect_eq(vcpu.regs.rdx, 0xdd);
}

Test(deputy, before_the_end_a_call_is_made_by_the_host)
{
    const uint64_t places[] = {at(deputy_kept), at(deputy_done) - 1,
                               at(deputy_iret), at(deputy_iret_done) - 1};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        stop(places[i], false);
        cr_expect(deputy_leave(&cpu, &vcpu));
        expect_call();
        cr_expect_eq(vcpu.regs.rbx, 1);
        cr_expect_eq(vcpu.regs.rdx, 2);
        cr_expect_eq(vcpu.regs.rsp, 3);
    }
}

Test(deputy, at_its_end_a_call_is_over)
{
    const uint64_t places[] = {at(deputy_done), at(deputy_iret) - 1};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        stop(places[i], false);
        cr_expect(deputy_leave(&cpu, &vcpu));
        cr_expect_eq(vcpu.kernel_sp, 0x1234, "not made again");
        cr_expect_eq(vcpu.regs.rax, kept.rax, "the answer by now");
        cr_expect_eq(vcpu.regs.rbx, 1);
        cr_expect_eq(vcpu.regs.rdx, 2);
        cr_expect_eq(vcpu.regs.rsp, 3);
        cr_expect_eq(vcpu.regs.rip, 0xffffffff81234567);
        cr_expect_eq(vcpu.regs.rflags, 0x202);
        cr_expect_eq(vcpu.regs.cs, FLAT_KERNEL_CS);
    }
}

Test(deputy, at_its_end_an_iret_is_over)
{
    const uint64_t places[] = {at(deputy_iret_done), at(deputy_code_end) - 1};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        stop(places[i], false);
        cr_expect(deputy_leave(&cpu, &vcpu));
        cr_expect_eq(vcpu.regs.rip, kept.rip);
        cr_expect_eq(vcpu.regs.rflags, kept.rflags);
        cr_expect_eq(vcpu.regs.rsp, kept.new_rsp);
        cr_expect_eq(vcpu.regs.rax, kept.new_rax);
        cr_expect_eq(vcpu.regs.rcx, kept.new_rcx);
        cr_expect_eq(vcpu.regs.r11, kept.new_r11);
        cr_expect_eq(vcpu.regs.rbx, 1);
        cr_expect_eq(vcpu.regs.rdx, 2);
    }
}

/* A user program that jumps there made a system call, and sees nothing. */
Test(deputy, nothing_kept_is_shown_to_user_programs)
{
    for (uint64_t rip = at(deputy_code); rip < at(deputy_code_end); rip++) {
        stop(rip, true);
        cr_expect(deputy_leave(&cpu, &vcpu));
        cr_expect_eq(vcpu.regs.rax, 0xaa);
        cr_expect_eq(vcpu.regs.rbx, 0xbb);
        cr_expect_eq(vcpu.regs.rdx, 0xdd);
        cr_expect_eq(vcpu.regs.rsp, 0x55);
    }
}

Test(deputy, what_it_changed_is_taken_back)
{
    stop(0, false);
    deputy_take(&cpu, &vcpu);
    cr_expect_eq(vcpu.kernel_ss, 0xe02b);
    cr_expect_eq(vcpu.kernel_sp, 0xffffffff82000000);
    cr_expect_eq(vcpu.gs_base_user, 0x7000);
}

/* The guest can write there what it likes. */
Test(deputy, and_is_never_more_than_a_guest_may_have)
{
    stop(0, false);
    pages.deputy.gs_base_user = 0x800000000000;
    pages.deputy.kernel_ss = 0x123450008;
    deputy_take(&cpu, &vcpu);
    cr_expect_eq(vcpu.gs_base_user, 0);
    cr_expect_eq(vcpu.kernel_ss, 0x000b);
}

/* The two bytes of a record that have no names for the assembler. */
static unsigned flags(const struct frame *frame)
{
    uint16_t word;

    memcpy(&word, (const char *)frame + FRAME_FLAGS, sizeof word);
    return word & FRAME_NOT_PINNED;
}

Test(deputy, a_record_says_to_it_whether_the_frame_may_be_used)
{
    const struct frame plain = {.type = TYPE_L1, .uses = 1};
    struct frame frame = plain;

    cr_expect_eq(flags(&frame), 0);
    frame.pinned = true;
    cr_expect_eq(flags(&frame), 0);
    frame.given_back = true;
    cr_expect_neq(flags(&frame), 0);
    frame = plain;
    frame.changing = true;
    cr_expect_neq(flags(&frame), 0);
}
