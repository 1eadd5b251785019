/* What Xen carries out for a kernel in ring 3, and what it leaves to it. */
#include <sys/platform/x86.h>

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

/* (code) ran: it moved on by its length. */
#define expect_done(as, length, ...)         \
    do {                                     \
        code(__VA_ARGS__);                   \
        cr_expect(emulate(vcpu, (as)), #as); \
        cr_expect_eq(moved(), length);       \
    } while (0)
#define expect_not(as, ...)                      \
    do {                                         \
        code(__VA_ARGS__);                       \
        cr_expect_not(emulate(vcpu, (as)), #as); \
        cr_expect_eq(moved(), 0);                \
    } while (0)

Test(emulate, ts_is_what_the_kernel_makes_it)
{
    static const struct trap nm = {.vector = 7};

    vcpu->ts = true;
    expect_done(&gp, 3, 0x0f, 0x20, 0xc0); /* mov %cr0,%rax */
    cr_expect_eq(vcpu->regs.rax, 0x8005003b);
    expect_done(&gp, 2, 0x0f, 0x06); /* clts */
    cr_expect_not(vcpu->ts);
    expect_done(&gp, 3, 0x0f, 0x22, 0xc0); /* mov %rax,%cr0 */
    cr_expect(vcpu->ts);
    vcpu->regs.rax ^= 1 << 16;
    expect_not(&gp, 0x0f, 0x22, 0xc0);
    vcpu->traps[7].address = 0x401000;
    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    bounce_trap(vcpu, &nm);
    cr_expect_not(vcpu->ts, "the handler need not clear it");
}

Test(emulate, cr3_is_a_base_and_cr4_has_few_bits)
{
    vcpu->regs.rax = page_mfn(L4_PAGE) << PAGE_SHIFT;
    expect_done(&gp, 3, 0x0f, 0x22, 0xd8); /* mov %rax,%cr3 */
    vcpu->regs.rax = page_mfn(FREE_PAGE) << PAGE_SHIFT;
    expect_not(&gp, 0x0f, 0x22, 0xd8);
    vcpu->regs.rax = UINT64_MAX;
    expect_not(&gp, 0x0f, 0x22, 0xd8);
    expect_done(&gp, 3, 0x0f, 0x22, 0xe0); /* mov %rax,%cr4 */
    expect_done(&gp, 3, 0x0f, 0x20, 0xe2); /* mov %cr4,%rdx */
    cr_expect_eq(vcpu->regs.rdx & ~UINT64_C(0x10000), 0x4066c,
                 "TSD DE OSXSAVE and what is fixed");
    cr_expect_eq(vcpu->regs.rdx >> 16 & 1, CPU_FEATURE_PRESENT(FSGSBASE),
                 "FSGSBASE if there is");
}

Test(emulate, xsetbv_needs_osxsave_and_takes_what_there_is)
{
    vcpu->regs = (struct regs){.rsp = page_va(FREE_PAGE + 1), .rax = 1};
    vcpu->traps[UD].address = 0x401000;
    code(0x0f, 0x01, 0xd1);
    cr_expect(emulate(vcpu, &gp));
    cr_expect_eq(vcpu->regs.rip, 0x401000, "undefined without CR4.OSXSAVE");
    vcpu->cr4 = 1 << 18;
    vcpu->regs.rdx = 1u << 30; /* what no CPU keeps */
    expect_not(&gp, 0x0f, 0x01, 0xd1);
    vcpu->regs.rcx = 1;
    vcpu->regs.rdx = 0;
    expect_not(&gp, 0x0f, 0x01, 0xd1);
}

static bool read_msr(uint32_t msr)
{
    vcpu->regs.rcx = msr;
    code(0x0f, 0x32);
    return emulate(vcpu, &gp);
}

static bool write_msr(uint32_t msr, uint64_t value)
{
    vcpu->regs.rcx = msr;
    vcpu->regs.rax = (uint32_t)value;
    vcpu->regs.rdx = value >> 32;
    code(0x0f, 0x30);
    return emulate(vcpu, &gp);
}

Test(emulate, msrs_that_xen_shows)
{
    vcpu->traps[GP].address = 0x401000;
    cr_expect(read_msr(0x1b));
    cr_expect_eq(vcpu->regs.rax, 0xfee00900);
    cr_expect(read_msr(0x277));
    cr_expect_eq(vcpu->regs.rdx << 32 | vcpu->regs.rax,
                 UINT64_C(0x050100070406));
    cr_expect_not(write_msr(0x277, 0), "the PAT is fixed");
    cr_expect(read_msr(0xc0000080));
    cr_expect_eq(vcpu->regs.rax, 0xd01);
    cr_expect(write_msr(0xc0000080, 0xd01));
    cr_expect_not(write_msr(0xc0000080, 0xd00));
    cr_expect(read_msr(0x179));
    cr_expect_eq(vcpu->regs.rax, 2, "banks");
    cr_expect(read_msr(0x404));
    cr_expect_eq(vcpu->regs.rax, 0xffffffff);
    cr_expect(write_msr(0x405, 0));
    cr_expect_not(write_msr(0x405, 1));
    cr_expect_not(read_msr(0x408), "there are two");
    cr_expect_not(read_msr(0x802), "no x2APIC");
    cr_expect_not(read_msr(0xc0000081), "no STAR");
}

Test(emulate, the_hypercall_page_is_a_frame_of_the_guests_own_to_write)
{
    const uint64_t at = page_mfn(FREE_PAGE) << PAGE_SHIFT;

    vcpu->traps[13].address = 0x401000;
    cr_expect(write_msr(0x40000000, at));
    cr_expect_not(write_msr(0x40000000, at | 1), "there is one");
    cr_expect_not(write_msr(0x40000000, page_mfn(L4_PAGE) << PAGE_SHIFT));
    cr_expect_not(write_msr(0x40000000, 0));
    cr_expect_not(write_msr(0x40000001, at));
    cr_expect(read_msr(0x40000000));
}

Test(emulate, unknown_msrs_are_zero_for_whoever_cannot_take_a_fault)
{
    vcpu->regs.rax = vcpu->regs.rdx = 5;
    cr_expect(read_msr(0x802));
    cr_expect_eq(vcpu->regs.rax, 0);
    cr_expect_eq(vcpu->regs.rdx, 0);
    cr_expect_not(read_msr(0x40000123), "but for the hypervisors' own");
    cr_expect_not(write_msr(0x802, 0));
}

Test(emulate, ports_need_a_level_or_a_bit)
{
    uint8_t *bitmap = page(FREE_PAGE + 2);

    vcpu->regs.rdx = 0x70;
    vcpu->regs.rax = 0x1234;
    expect_not(&gp, 0xec); /* in %dx,%al */
    expect_not(&gp, 0xfa); /* cli */
    vcpu->iopl = 1;
    expect_done(&gp, 1, 0xec);
    cr_expect_eq(vcpu->regs.rax, 0x1200, "nothing was written there yet");
    vcpu->regs.rax = 0x55;
    expect_done(&gp, 1, 0xee); /* out %al,%dx */
    vcpu->regs.rax = 0;
    expect_done(&gp, 1, 0xec);
    cr_expect_eq(vcpu->regs.rax, 0x55, "the CMOS index is read back");
    expect_done(&gp, 2, 0xe5, 0x71); /* in $0x71,%eax */
    cr_expect_eq(vcpu->regs.rax, 0xffffffff);
    expect_done(&gp, 2, 0xe4, 0x61); /* in $0x61,%al */
    cr_expect_eq(vcpu->regs.rax, 0xffffff00, "a timer at rest");
    expect_done(&gp, 1, 0xfb); /* sti */

    vcpu->iopl = 0;
    memset(bitmap, 0xff, 32);
    bitmap[0x70 / 8] = 0xfe;
    vcpu->iobitmap = page_va(FREE_PAGE + 2);
    vcpu->nr_ioports = 0x71;
    expect_done(&gp, 1, 0xec);
    expect_not(&gp, 0x66, 0xed); /* in %dx,%ax */
    vcpu->nr_ioports = 0x70;
    expect_not(&gp, 0xec);
    vcpu->nr_ioports = 0x71;
    vcpu->iobitmap = NOWHERE;
    expect_not(&gp, 0xec);
}

Test(emulate, strings_of_ports_stop_at_what_is_not_there)
{
    const uint8_t *to = page(MAPPED_PAGES - 1);

    vcpu->iopl = 1;
    vcpu->traps[14].address = 0x401000;
    vcpu->regs.rdx = 0x1234;
    vcpu->regs.rcx = 10;
    vcpu->regs.rdi = page_va(MAPPED_PAGES) - 4;
    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    code(0xf3, 0x6c); /* rep insb */
    cr_expect(emulate(vcpu, &gp));
    cr_expect_eq(vcpu->regs.rip, 0x401000);
    cr_expect_eq(vcpu->cr2, page_va(MAPPED_PAGES));
    cr_expect_eq(vcpu->regs.rdi, page_va(MAPPED_PAGES));
    cr_expect_eq(to[PAGE_SIZE - 1], 0xff);

    vcpu->regs.rcx = 2000;
    vcpu->regs.rsi = page_va(FREE_PAGE + 3);
    expect_done(&gp, 0, 0xf3, 0x6f); /* rep outsl: a part at a time */
    cr_expect_lt(vcpu->regs.rcx, 2000);
    cr_expect_gt(vcpu->regs.rcx, 0);
    vcpu->regs.rflags = 0x400;
    vcpu->regs.rcx = 3;
    vcpu->regs.rsi = page_va(FREE_PAGE + 3) + 8;
    expect_done(&gp, 2, 0xf3, 0x6f); /* downwards */
    cr_expect_eq(vcpu->regs.rsi, page_va(FREE_PAGE + 3) - 4);
}

Test(emulate, flat_selectors_can_be_loaded)
{
    const struct trap named = {
        .vector = GP, .has_error = true, .error = 0xe028};

    vcpu->regs.rax = 0xe02b;
    expect_done(&named, 2, 0x8e, 0xd8); /* mov %eax,%ds */
    expect_done(&named, 2, 0x8e, 0xd0); /* mov %eax,%ss */
    vcpu->fs_base = 5;
    expect_done(&named, 2, 0x8e, 0xe0); /* mov %eax,%fs */
    cr_expect_eq(vcpu->fs_base, 0);
    cr_expect_eq(account.set_bases, 1);
    vcpu->regs.rax = 0xe028;
    expect_done(&named, 2, 0x8e, 0xd8);
    expect_not(&named, 0x8e, 0xd0);
    vcpu->regs.rax = 0x7770;
    expect_not(&named, 0x8e, 0xd8);

    *(uint64_t *)page(FREE_PAGE + 1) = 0xe02b;
    vcpu->gs_base = 5;
    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    expect_done(&named, 2, 0x0f, 0xa9); /* pop %gs */
    cr_expect_eq(vcpu->regs.rsp, page_va(FREE_PAGE + 1) + 8);
    cr_expect_eq(vcpu->gs_base, 0);
}

Test(emulate, far_returns_go_to_the_flat_code)
{
    const struct trap named = {
        .vector = GP, .has_error = true, .error = 0xe030};
    uint64_t *frame = page(FREE_PAGE + 1);

    code(0x48, 0xcf); /* iretq */
    memcpy(frame, (uint64_t[]){0x401234, 0xe033, 0x246, 0x40f000, 0xe02b}, 40);
    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    cr_expect(emulate(vcpu, &named));
    cr_expect_eq(vcpu->regs.rip, 0x401234);
    cr_expect_eq(vcpu->regs.rsp, 0x40f000);
    cr_expect_eq(vcpu->regs.rflags, 0x246);

    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    code(0x48, 0xca, 0x10, 0x00); /* lretq $16 */
    cr_expect(emulate(vcpu, &named));
    cr_expect_eq(vcpu->regs.rip, 0x401234);
    cr_expect_eq(vcpu->regs.rsp, page_va(FREE_PAGE + 1) + 32);

    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    frame[1] = 0x33;
    expect_not(&gp, 0x48, 0xcf);
    expect_not(&named, 0x48, 0xcb);
    frame[1] = 0xe033;
    frame[0] = UINT64_C(0x800000000000);
    expect_not(&gp, 0x48, 0xcf);
    vcpu->regs.rsp = NOWHERE;
    expect_not(&named, 0x48, 0xcb);
}

Test(emulate, a_guest_that_steps_sees_each_instruction)
{
    vcpu->traps[1].address = 0x401000;
    vcpu->regs.rflags = 0x302;
    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    code(0x0f, 0x09); /* wbinvd */
    cr_expect(emulate(vcpu, &gp));
    cr_expect_eq(vcpu->regs.rip, 0x401000);
    cr_expect(vcpu->debugreg[6] & 0x4000);
}

Test(emulate, an_instruction_that_is_cut_off_is_a_fault_where_it_ends)
{
    uint8_t *last = (uint8_t *)page(MAPPED_PAGES - 1) + PAGE_SIZE - 1;

    vcpu->traps[14].address = 0x401000;
    vcpu->regs.rsp = page_va(FREE_PAGE + 1);
    *last = 0x0f;
    vcpu->regs.rip = page_va(MAPPED_PAGES) - 1;
    cr_expect(emulate(vcpu, &gp));
    cr_expect_eq(vcpu->regs.rip, 0x401000);
    cr_expect_eq(vcpu->cr2, page_va(MAPPED_PAGES));
}

Test(emulate, the_rest_is_delivered)
{
    static const uint8_t others[][4] = {
        {0xf4},             /* hlt */
        {0xfa},             /* cli */
        {0x0f, 0x01, 0xf8}, /* swapgs */
        {0x0f, 0x00, 0xd8}, /* ltr */
        {0x0f, 0x01, 0x38}, /* invlpg (%rax) */
        {0x0f, 0x20, 0xc8}, /* mov %cr1,%rax */
        {0x90},             /* nop */
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
