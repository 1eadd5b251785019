/* Frames as xen-abi has them: what a kernel's entry code will find. */
#include <criterion/criterion.h>

#include "host/pv/bounce.h"
#include "tests/harness/fake_domain.h"

#define HANDLER      UINT64_C(0x401000)
#define CODE         UINT64_C(0x402345)
#define FLAGS        UINT64_C(0x40ed7) /* arithmetic ones, IF, DF, AC */
#define MASKS_EVENTS 4

static uint64_t stack_top;

static void start(void)
{
    fake_create();
    stack_top = page_va(FREE_PAGE + 1);
    vcpu->regs = (struct regs){.rip = CODE,
                               .rsp = stack_top - 24,
                               .rcx = 0xc,
                               .r11 = 0x11,
                               .rflags = FLAGS,
                               .cs = FLAT_KERNEL_CS,
                               .ss = FLAT_KERNEL_SS};
    vcpu->info->evtchn_upcall_mask = 0;
    vcpu->info->evtchn_upcall_pending = 0;
}

TestSuite(bounce, .init = start, .fini = fake_destroy);

static const uint64_t *frame(void)
{
    const uint64_t at = vcpu->regs.rsp - page_va(FREE_PAGE);

    cr_assert_lt(at, PAGE_SIZE);
    return (const uint64_t *)((uint8_t *)page(FREE_PAGE) + at);
}

static void expect_rest_of_frame(const uint64_t *f, uint64_t mask)
{
    cr_expect_eq(f[0], CODE);
    cr_expect_eq(f[1], 0xe030 | mask << 32, "RPL 0: the kernel");
    cr_expect_eq(f[2], mask ? FLAGS & ~UINT64_C(0x200) : FLAGS | 0x200);
    cr_expect_eq(f[3], stack_top - 24);
    cr_expect_eq(f[4], FLAT_KERNEL_SS);
}

Test(bounce, a_trap_with_an_error_code_pushes_eight_words)
{
    const struct trap trap = {.vector = 13, .has_error = true, .error = 0x1234};

    vcpu->traps[13].address = HANDLER;
    bounce_trap(vcpu, &trap);
    cr_expect_eq(vcpu->regs.rip, HANDLER);
    cr_expect_eq(vcpu->regs.rsp, (stack_top - 24) / 16 * 16 - 64);
    cr_expect_eq(frame()[0], 0xc);
    cr_expect_eq(frame()[1], 0x11);
    cr_expect_eq(frame()[2], 0x1234);
    expect_rest_of_frame(frame() + 3, 0);
    cr_expect_eq(vcpu->regs.rflags & 0x7d100, 0, "TF, IOPL, NT, RF, VM, AC");
    cr_expect_eq(vcpu->regs.rflags & 0x400, FLAGS & 0x400, "DF as it was");
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 0);
}

Test(bounce, a_trap_without_one_pushes_seven)
{
    const struct trap trap = {.vector = 6};

    vcpu->traps[6] = (struct trap_entry){HANDLER, 0xe033, MASKS_EVENTS};
    vcpu->info->evtchn_upcall_mask = 0;
    bounce_trap(vcpu, &trap);
    cr_expect_eq(vcpu->regs.rsp % 16, 8);
    expect_rest_of_frame(frame() + 2, 0);
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 1, "its flags ask for it");
}

Test(bounce, a_page_fault_leaves_its_address)
{
    const struct trap trap = {
        .vector = 14, .has_error = true, .error = 2, .cr2 = 0x123456};

    vcpu->traps[14].address = HANDLER;
    bounce_trap(vcpu, &trap);
    cr_expect_eq(vcpu->info->arch.cr2, 0x123456);
    cr_expect_eq(vcpu->cr2, 0x123456);
}

Test(bounce, an_event_comes_only_pending_and_unmasked)
{
    vcpu->event.address = HANDLER;
    bounce_event(vcpu);
    cr_expect_eq(vcpu->regs.rip, CODE, "nothing is pending");
    vcpu->info->evtchn_upcall_pending = 1;
    vcpu->info->evtchn_upcall_mask = 1;
    cr_expect_not(bounce_is_due(vcpu));
    bounce_event(vcpu);
    cr_expect_eq(vcpu->regs.rip, CODE, "it is masked");
    vcpu->info->evtchn_upcall_mask = 0;
    cr_expect(bounce_is_due(vcpu));
    bounce_event(vcpu);
    cr_expect_eq(vcpu->regs.rip, HANDLER);
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 1);
    cr_expect_eq(vcpu->info->evtchn_upcall_pending, 1, "the guest clears it");
    expect_rest_of_frame(frame() + 2, 0);
}

Test(bounce, what_has_nowhere_to_go_ends_the_domain)
{
    const struct trap trap = {.vector = 6};

    bounce_trap(vcpu, &trap);
    cr_expect_eq(account.crashes, 1, "no handler");
    vcpu->traps[6].address = HANDLER;
    vcpu->regs.rsp = UINT64_C(0x7000000000);
    bounce_trap(vcpu, &trap);
    cr_expect_eq(account.crashes, 2, "no stack");
    vcpu->regs.rsp = UINT64_C(0xffff800000001000);
    bounce_trap(vcpu, &trap);
    cr_expect_eq(account.crashes, 3, "a stack in the hypervisor's hole");
    vcpu->info->evtchn_upcall_pending = 1;
    bounce_event(vcpu);
    cr_expect_eq(account.crashes, 4, "no callback");
    cr_expect_eq(vcpu->regs.rip, CODE);
}

/* What a kernel pushes before it jumps to the iret stub, and the stub. */
static struct iret_context *iret_frame(void)
{
    struct iret_context *f = (struct iret_context *)page(FREE_PAGE);

    *f = (struct iret_context){.rax = 1,
                               .r11 = 2,
                               .rcx = 3,
                               .rip = HANDLER,
                               .cs = 0xe030,
                               .rflags = 0x246 | 0x3000,
                               .rsp = stack_top,
                               .ss = 0xe028};
    vcpu->regs.rsp = page_va(FREE_PAGE);
    return f;
}

Test(bounce, iret_goes_where_its_frame_says)
{
    iret_frame();
    vcpu->info->evtchn_upcall_mask = 1;
    bounce_iret(vcpu);
    cr_expect_eq(vcpu->regs.rax, 1);
    cr_expect_eq(vcpu->regs.r11, 2);
    cr_expect_eq(vcpu->regs.rcx, 3);
    cr_expect_eq(vcpu->regs.rip, HANDLER);
    cr_expect_eq(vcpu->regs.rsp, stack_top);
    cr_expect_eq(vcpu->regs.cs, FLAT_KERNEL_CS);
    cr_expect_eq(vcpu->regs.ss, FLAT_KERNEL_SS);
    cr_expect_eq(vcpu->regs.rflags, 0x246, "IOPL is not the guest's");
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 0, "IF was set");
}

Test(bounce, iret_without_if_masks_events)
{
    iret_frame()->rflags = 0x46;
    bounce_iret(vcpu);
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 1);
    cr_expect(vcpu->regs.rflags & 0x200, "the real one stays on");
}

Test(bounce, iret_without_page_tables_for_it_or_from_nowhere_ends_the_domain)
{
    iret_frame()->cs = 0xe033;
    bounce_iret(vcpu);
    cr_expect_eq(account.crashes, 1);
    cr_expect_not(vcpu->user_mode);
    vcpu->regs.rsp = UINT64_C(0x7000000000);
    bounce_iret(vcpu);
    cr_expect_eq(account.crashes, 2);
}

Test(bounce, an_nmi_comes_first_even_when_masked_and_one_at_a_time)
{
    vcpu->traps[2] = (struct trap_entry){HANDLER, 0xe033, MASKS_EVENTS};
    vcpu->event.address = HANDLER + 16;
    vcpu->info->evtchn_upcall_mask = 1;
    vcpu->info->evtchn_upcall_pending = 1;
    vcpu->nmi_pending = true;
    cr_expect(bounce_is_due(vcpu));
    bounce_event(vcpu);
    cr_expect_eq(vcpu->regs.rip, HANDLER);
    cr_expect_not(vcpu->nmi_pending);

    vcpu->nmi_pending = true;
    cr_expect_not(bounce_is_due(vcpu), "the first is not done");
    iret_frame();
    bounce_iret(vcpu);
    cr_expect(bounce_is_due(vcpu));
}

Test(bounce, an_nmi_without_a_handler_is_lost)
{
    vcpu->nmi_pending = true;
    bounce_event(vcpu);
    cr_expect_eq(vcpu->regs.rip, CODE);
    vcpu->traps[2].address = HANDLER;
    bounce_event(vcpu);
    cr_expect_eq(vcpu->regs.rip, CODE, "it is gone");
    vcpu->nmi_pending = true;
    bounce_event(vcpu);
    cr_expect_eq(vcpu->regs.rip, HANDLER);
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 0, "the table says so");
}

#define USER_CODE  UINT64_C(0x7000)
#define USER_STACK UINT64_C(0x8008)

/* In user mode, on tables where nothing of the kernel is. */
static void enter_user_mode(void)
{
    struct iret_context *f = iret_frame();

    fake_engine(0, UINT64_C(1) << 47);
    vcpu->cr3_user = page_mfn(BARE_PAGE);
    vcpu->kernel_sp = stack_top - 8;
    vcpu->gs_base = 0x111;
    vcpu->gs_base_user = 0x222;
    f->cs = 0x33;
    f->ss = 0x2b;
    f->rip = USER_CODE;
    f->rsp = USER_STACK;
    bounce_iret(vcpu);
}

Test(bounce, iret_to_user_mode_changes_tables_and_gs)
{
    enter_user_mode();
    cr_expect_eq(account.crashes, 0);
    cr_expect(vcpu->user_mode);
    cr_expect_eq(vcpu_root(vcpu), page_mfn(BARE_PAGE));
    cr_expect_eq(*vcpu_gs_base(vcpu), 0x222);
    cr_expect_eq(account.set_bases, 1, "the engine was told");
    cr_expect_eq(vcpu->regs.cs, 0x33);
    cr_expect_eq(vcpu->regs.ss, 0x2b);
    cr_expect_eq(vcpu->regs.rcx, 3);
    cr_expect_eq(vcpu->regs.r11, 2);
}

Test(bounce, iret_from_a_system_call_leaves_what_sysret_leaves)
{
    static const struct {
        uint64_t cs, becomes;
    } segments[] = {{0x33, 0xe033}, {0xe023, 0xe023}, {0xe033, 0xe033}};

    vcpu->cr3_user = page_mfn(BARE_PAGE);
    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++) {
        struct iret_context *f = iret_frame();

        vcpu->user_mode = false;
        f->flags = VGCF_in_syscall;
        f->cs = segments[i].cs;
        f->ss = 0x2b;
        bounce_iret(vcpu);
        cr_expect_eq(vcpu->regs.cs, segments[i].becomes);
        cr_expect_eq(vcpu->regs.ss, FLAT_USER_SS64);
        cr_expect_eq(vcpu->regs.rcx, HANDLER);
        cr_expect_eq(vcpu->regs.r11, 0x246);
        cr_expect_eq(vcpu->regs.rax, 1);
    }
}

Test(bounce, iret_from_a_system_call_to_no_address_keeps_its_segments)
{
    struct iret_context *f;

    vcpu->cr3_user = page_mfn(BARE_PAGE);
    f = iret_frame();
    f->flags = VGCF_in_syscall;
    f->rip = UINT64_C(0x8000000000000000);
    f->cs = 0x33;
    bounce_iret(vcpu);
    cr_expect_eq(vcpu->regs.cs, 0x33, "not those of SYSRET");
    cr_expect_eq(vcpu->regs.rcx, f->rip);
}

Test(bounce, a_trap_of_user_mode_goes_to_the_kernels_stack)
{
    const struct trap trap = {
        .vector = 14, .has_error = true, .error = 4, .cr2 = 0x123456};

    vcpu->traps[14].address = HANDLER;
    enter_user_mode();
    bounce_trap(vcpu, &trap);
    cr_expect_not(vcpu->user_mode);
    cr_expect_eq(*vcpu_gs_base(vcpu), 0x111);
    cr_expect_eq(account.set_bases, 2);
    cr_expect_eq(vcpu->regs.rsp, (stack_top - 8) / 16 * 16 - 64);
    cr_expect_eq(frame()[2], 4);
    cr_expect_eq(frame()[3], USER_CODE);
    cr_expect_eq(frame()[4], 0x33, "RPL 3: a user program");
    cr_expect_eq(frame()[6], USER_STACK);
    cr_expect_eq(frame()[7], 0x2b);
    cr_expect_eq(vcpu->regs.cs, FLAT_KERNEL_CS);
    cr_expect_eq(vcpu->regs.ss, FLAT_KERNEL_SS);
}

Test(bounce, a_kernel_without_a_stack_for_it_ends)
{
    vcpu->event.address = HANDLER;
    enter_user_mode();
    vcpu->kernel_sp = UINT64_C(0x7000000000);
    vcpu->info->evtchn_upcall_pending = 1;
    vcpu->info->evtchn_upcall_mask = 0;
    bounce_event(vcpu);
    cr_expect_eq(account.crashes, 1);
    cr_expect(vcpu->user_mode, "the report is about the program");
}

Test(bounce, a_system_call_of_user_mode_enters_its_callback)
{
    vcpu->syscall = (struct callback){HANDLER, true};
    enter_user_mode();
    vcpu->regs.rcx = vcpu->regs.rip;
    vcpu->regs.r11 = vcpu->regs.rflags |= 0x400;
    vcpu->regs.cs = FLAT_USER_CS64;
    bounce_syscall(vcpu);
    cr_expect_eq(vcpu->regs.rip, HANDLER);
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 1, "as registered");
    cr_expect_eq(vcpu->regs.rflags & 0x400, 0, "DF is clear");
    cr_expect_eq(frame()[0], USER_CODE);
    cr_expect_eq(frame()[1] & 0x400, 0x400);
    cr_expect_eq(frame()[2], USER_CODE);
    cr_expect_eq(frame()[3], FLAT_USER_CS64);
}

Test(bounce, a_system_call_of_32_bit_code_has_a_callback_of_its_own)
{
    vcpu->syscall.address = HANDLER;
    for (unsigned i = 0; i < 2; i++) {
        enter_user_mode();
        vcpu->regs.cs = FLAT_USER_CS32;
        bounce_syscall(vcpu);
        cr_expect_eq(vcpu->regs.rip, HANDLER + 16 * i);
        vcpu->syscall32.address = HANDLER + 16;
    }
}

Test(bounce, calls_without_a_callback_are_faults)
{
    vcpu->traps[6].address = HANDLER;
    vcpu->traps[13].address = HANDLER + 16;
    enter_user_mode();
    bounce_syscall(vcpu);
    cr_expect_eq(vcpu->regs.rip, HANDLER);
    cr_expect_eq(frame()[2], USER_CODE - 2, "at the instruction itself");
    enter_user_mode();
    bounce_sysenter(vcpu);
    cr_expect_eq(vcpu->regs.rip, HANDLER + 16);
    cr_expect_eq(frame()[2], 0, "error code");
    vcpu->sysenter.address = HANDLER + 32;
    enter_user_mode();
    bounce_sysenter(vcpu);
    cr_expect_eq(vcpu->regs.rip, HANDLER + 32);
}

Test(bounce, a_frame_shows_the_io_level_to_whom_it_is_architectural)
{
    const struct trap trap = {.vector = 6};

    vcpu->traps[6].address = HANDLER;
    vcpu->iopl = 2;
    bounce_trap(vcpu, &trap);
    cr_expect_eq(frame()[4] & 0x3000, 0);
    vcpu->domain->vm_assist = UINT64_C(1) << VMASST_TYPE_architectural_iopl;
    bounce_trap(vcpu, &trap);
    cr_expect_eq(frame()[4] & 0x3000, 0x2000);
}

Test(bounce, a_segment_that_is_gone_leads_to_the_failsafe_callback)
{
    static const uint16_t selectors[] = {0xf, 0x17, 0, 0x1f};

    vcpu->failsafe = (struct callback){HANDLER, true};
    bounce_failsafe(vcpu, selectors);
    cr_expect_eq(vcpu->regs.rip, HANDLER);
    cr_expect_eq(vcpu->regs.rsp, (stack_top - 24) / 16 * 16 - 88);
    cr_expect_eq(frame()[0], 0xc);
    cr_expect_eq(frame()[1], 0x11);
    for (unsigned i = 0; i < 4; i++)
        cr_expect_eq(frame()[2 + i], selectors[i]);
    expect_rest_of_frame(frame() + 6, 0);
    cr_expect_eq(vcpu->info->evtchn_upcall_mask, 1, "asked for");
    cr_expect_eq(account.crashes, 0);
    vcpu->failsafe.address = 0;
    bounce_failsafe(vcpu, selectors);
    cr_expect_eq(account.crashes, 1, "nobody is there for it");
}
