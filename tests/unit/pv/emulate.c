/* What Xen carries out for a kernel in ring 3, and what it leaves to it. */
#include <criterion/criterion.h>

#include "host/pv/bounce.h"
#include "host/pv/emulate.h"
#include "host/version.h"
#include "tests/harness/fake_domain.h"

#define UD 6
#define GP 13

static const struct trap ud = {.vector = UD}, gp = {.vector = GP};

static void start(void)
{
    fake_create();
    fake_engine(0, UINT64_C(1) << 40);
}

TestSuite(emulate, .init = start, .fini = fake_destroy);

/* The instruction at RIP, by its bytes. */
#define code(...)                                     \
    do {                                              \
        static const uint8_t bytes[] = {__VA_ARGS__}; \
        memcpy(page(FREE_PAGE), bytes, sizeof bytes); \
        vcpu->regs.rip = page_va(FREE_PAGE);          \
    } while (0)

static uint64_t moved(void)
{
    return vcpu->regs.rip - page_va(FREE_PAGE);
}

Test(emulate, cpuid_behind_the_prefix_has_xen_leaves)
{
    code(0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2);
    vcpu->regs.rax = 0x40000000;
    cr_expect(emulate(vcpu, &ud));
    cr_expect_eq(moved(), 7);
    cr_expect_eq(vcpu->regs.rbx, 0x566e6558, "XenV");
    cr_expect_eq(vcpu->regs.rcx, 0x65584d4d, "MMXe");
    cr_expect_eq(vcpu->regs.rdx, 0x4d4d566e, "nVMM");
    vcpu->regs.rax = 0x40000001;
    vcpu->regs.rip = page_va(FREE_PAGE);
    cr_expect(emulate(vcpu, &ud));
    cr_expect_eq(vcpu->regs.rax, PARAVANE_XEN_VERSION);
    vcpu->regs.rax = 1;
    vcpu->regs.rip = page_va(FREE_PAGE);
    cr_expect(emulate(vcpu, &ud));
    cr_expect(vcpu->regs.rcx >> 31 & 1, "there is a hypervisor");
}

Test(emulate, any_other_ud2_is_the_guests)
{
    code(0x0f, 0x0b, 'x', 'e', 'm', 0x0f, 0xa2);
    cr_expect_not(emulate(vcpu, &ud));
    cr_expect_eq(moved(), 0);
}

Test(emulate, control_registers_can_be_read)
{
    code(0x41, 0x0f, 0x20, 0xd8); /* mov %cr3,%r8 */
    cr_expect(emulate(vcpu, &gp));
    cr_expect_eq(moved(), 4);
    cr_expect_eq(vcpu->regs.r8, vcpu->cr3 << PAGE_SHIFT);
    vcpu->cr2 = 0x1234;
    code(0x0f, 0x20, 0xd0); /* mov %cr2,%rax */
    cr_expect(emulate(vcpu, &gp));
    cr_expect_eq(moved(), 3);
    cr_expect_eq(vcpu->regs.rax, 0x1234);
    code(0x44, 0x0f, 0x20, 0xc0); /* mov %cr8,%rax */
    cr_expect_not(emulate(vcpu, &gp));
}

Test(emulate, segment_bases_are_msrs)
{
    code(0x0f, 0x30); /* wrmsr */
    vcpu->regs.rcx = 0xc0000101;
    vcpu->regs.rdx = 0x7f;
    vcpu->regs.rax = 0x12345678;
    cr_expect(emulate(vcpu, &gp));
    cr_expect_eq(moved(), 2);
    cr_expect_eq(vcpu->gs_base, UINT64_C(0x7f12345678));
    cr_expect_eq(account.set_bases, 1);
    code(0x0f, 0x32); /* rdmsr */
    vcpu->regs.rax = vcpu->regs.rdx = 0;
    cr_expect(emulate(vcpu, &gp));
    cr_expect_eq(vcpu->regs.rax, 0x12345678);
    cr_expect_eq(vcpu->regs.rdx, 0x7f);
}

Test(emulate, nonsense_in_an_msr_is_the_guests_fault)
{
    code(0x0f, 0x30);
    vcpu->regs.rcx = 0xc0000100;
    vcpu->regs.rdx = 0x800000; /* not canonical */
    cr_expect_not(emulate(vcpu, &gp));
    vcpu->regs.rcx = 0xc0000082; /* LSTAR */
    cr_expect_not(emulate(vcpu, &gp));
    cr_expect_eq(moved(), 0);
}

Test(emulate, iretq_from_kernel_to_kernel)
{
    uint64_t *frame = page(FREE_PAGE + 1);

    code(0x48, 0xcf);
    frame[0] = 0x401234;
    frame[1] = 0xe033;
    frame[2] = 0x246;
    frame[3] = 0x40f000;
    frame[4] = 0xe02b;
    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    cr_expect(emulate(vcpu, &gp));
    cr_expect_eq(vcpu->regs.rip, 0x401234);
    cr_expect_eq(vcpu->regs.rsp, 0x40f000);
    cr_expect_eq(vcpu->regs.rflags, 0x246);

    code(0x48, 0xcf);
    frame[1] = 0x33;
    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    cr_expect_not(emulate(vcpu, &gp), "not one of the flat selectors");
}

Test(emulate, the_rest_is_delivered)
{
    static const uint8_t others[][4] = {
        {0xf4},             /* hlt */
        {0xfa},             /* cli */
        {0x0f, 0x01, 0xf8}, /* swapgs */
        {0x0f, 0x00, 0xd8}, /* ltr */
        {0x0f, 0x22, 0xd8}, /* mov %rax,%cr3 */
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        memcpy(page(FREE_PAGE), others[i], sizeof others[i]);
        vcpu->regs.rip = page_va(FREE_PAGE);
        cr_expect_not(emulate(vcpu, &gp), "%zu", i);
        cr_expect_eq(moved(), 0);
    }
}

/* int $n in the page at FREE_PAGE, whose end is the stack. */
static void software_interrupt(uint8_t vector, const struct trap *as)
{
    const uint8_t bytes[] = {0xcd, vector};

    memcpy(page(FREE_PAGE), bytes, sizeof bytes);
    vcpu->regs.rip = page_va(FREE_PAGE);
    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    cr_expect(emulate(vcpu, as));
}

/* The words of the frame: RCX, R11, then what the caller knows. */
static const uint64_t *frame(void)
{
    const uint64_t at = vcpu->regs.rsp - page_va(FREE_PAGE);

    cr_assert_lt(at, PAGE_SIZE);
    return (const uint64_t *)((uint8_t *)page(FREE_PAGE) + at) + 2;
}

Test(emulate, software_interrupts_that_the_kernel_may_use_are_their_trap)
{
    vcpu->traps[0x80] = (struct trap_entry){0x401000, 0xe033, 3};
    software_interrupt(0x80, &gp);
    cr_expect_eq(vcpu->regs.rip, 0x401000);
    cr_expect_eq(frame()[0], page_va(FREE_PAGE) + 2, "behind it");
}

Test(emulate, other_software_interrupts_are_faults_that_name_the_gate)
{
    const struct trap named = {
        .vector = GP, .has_error = true, .error = 0x20 << 3 | 2};
    const struct trap *const ways[] = {&named, &ud};

    vcpu->traps[GP].address = 0x401000;
    vcpu->traps[0x20] = (struct trap_entry){0x402000, 0xe033, 0};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        software_interrupt(0x20, ways[i]);
        cr_expect_eq(vcpu->regs.rip, 0x401000);
        cr_expect_eq(frame()[0], 0x20 << 3 | 2);
        cr_expect_eq(frame()[1], page_va(FREE_PAGE), "at it");
    }
}
