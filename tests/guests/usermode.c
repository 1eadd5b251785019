/*
 * A kernel and its user programs: the iret hypercall leads to them, traps,
 * system calls and events lead back, each side has its own page tables, stack
 * and GS base, and a program can neither touch the kernel nor do what only a
 * kernel may.
 */
#include "user.h"
#include "verdict.h"

#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/page.h>
#include <pvguest/trap.h>

#include <stdint.h>
#include <string.h>

#include <hypercall/calls.h>
#include <xen/memory.h>

#define VECTOR_SYSCALL 0x80
#define BY_USER        3 /* trap_info.flags: may do it by INT */

#define RFLAGS_IF 0x200ul
#define RFLAGS_DF 0x400ul

/* clang-format off */
__asm__(
    /* The programs. Each ends where it calls the kernel. */
    ".section .rodata\n"
    "programs:\n"
    "program_call: mov $17, %eax; syscall; mov $18, %eax; syscall\n"
    "program_read: mov (%rdi), %rax; syscall\n"
    "program_write: mov %rax, (%rdi); syscall\n"
    "program_jump: jmp *%rdi\n"
    "program_read_gs: mov %gs:0, %rax; syscall\n"
    "program_wait: incq 8(%rdi); cmpq $0, (%rdi); je program_wait; syscall\n"
    "program_breakpoint: int3; syscall\n"
    "program_int: int $0x80; syscall\n"
    "program_closed_int: int $0x81; syscall\n"
    "program_hlt: hlt; syscall\n"
    "program_cli: cli; syscall\n"
    "program_clts: clts; syscall\n"
    "program_cr0: mov %cr0, %rax; syscall\n"
    "program_cr3: mov %rdi, %cr3; syscall\n"
    "program_rdmsr: rdmsr; syscall\n"
    "program_wrmsr: wrmsr; syscall\n"
    "program_wbinvd: wbinvd; syscall\n"
    "program_lgdt: lgdt (%rdi); syscall\n"
    "program_swapgs: swapgs; syscall\n"
    "program_in: in $0x7e, %al; syscall\n"
    "program_out: out %al, $0x7e; syscall\n"
    "program_out_dx: out %al, %dx; syscall\n"
    "program_ud2: ud2; syscall\n"
    ".code32\n"
    "program_32: mov $0x12345678, %ebx; dec %ebx; int $0x80\n"
    "program_32_call: syscall\n"
    "program_32_enter: sysenter\n"
    ".code64\n"
    "programs_end:\n"
    ".previous\n");
/* clang-format on */

extern const char program_call[], program_read[], program_write[],
    program_jump[], program_read_gs[], program_wait[], program_breakpoint[],
    program_int[], program_closed_int[], program_hlt[], program_cli[],
    program_clts[], program_cr0[], program_cr3[], program_rdmsr[],
    program_wrmsr[], program_wbinvd[], program_lgdt[], program_swapgs[],
    program_in[], program_out[], program_out_dx[], program_ud2[], program_32[],
    program_32_call[], program_32_enter[];
extern char trap_4[];

static uint64_t space; /* the program's L4 */
static uint64_t kernel_word = 0x6b65726e656c, kernel_gs[1];
static char *kernel_stack;

static void set_up(void)
{
    static const struct trap_info gates[] = {
        {VECTOR_SYSCALL, BY_USER | 4, FLAT_KERNEL_CS, (uintptr_t)trap_4},
        {0, 0, 0, 0},
    };
    const uint64_t l4 = space = make_space();

    for (unsigned i = 0; i < TRAP_NR; i++)
        trap_handle(i, note);
    kernel_stack = page_alloc(4);
    kernel_gs[0] = 0x6b;
    data[0] = 0x75;
    promise(l4 != 0, "tables without the kernel can be pinned");
    promise(use_space(l4), "and set for user mode");
    promise(hypercall_stack_switch(
                FLAT_KERNEL_SS,
                (unsigned long)(kernel_stack + 4 * PAGE_SIZE - 8)) == 0,
            "so can a stack for the way back");
    promise(hypercall_set_trap_table(gates) == 0 &&
                hypercall_set_segment_base(SEGBASE_GS_KERNEL,
                                           (uintptr_t)kernel_gs) == 0 &&
                hypercall_set_segment_base(SEGBASE_GS_USER, USER_DATA) == 0,
            "a gate for programs, and a GS base for each side");
}

/* Of the program, by (vector) with (error), at its (offset)th byte. */
static bool came(long by, long vector, uint64_t error, const char *program,
                 unsigned offset)
{
    const bool right = by == vector && seen.error == error &&
                       user.rip == address_of(program) + offset;

    if (!right)
        printf("# it came back by %ld with 0x%lx at 0x%lx, not %ld, 0x%lx, "
               "0x%lx\n",
               by, seen.error, user.rip, vector, error,
               address_of(program) + offset);
    return right;
}

static uint64_t read_gs(void)
{
    uint64_t value;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
    return value;
}

/* Where the host keeps things for kernels that call it by SYSCALL there are all
 * frames, on some machine. None of it is for programs. */
static void what_is_the_hypervisors(void)
{
    const uint64_t frames = 0xffff87a000000000; /* by machine address */
    const uint64_t of_data = frames + (page_mfn(data) << PAGE_SHIFT);
    struct xen_machphys_mapping m2p = {0};
    uint64_t entry;

    promise(run(program_read, of_data) == 14 &&
                run(program_write, of_data) == 14 && data[0] == 0x75,
            "no program can reach a frame but by its own tables");
    if (!promise(hypercall_memory_op(XENMEM_machphys_mapping, &m2p) == 0,
                 "there is an M2P table"))
        return;
    entry = m2p.v_start + page_mfn(data) * sizeof entry;
    promise(*(volatile uint64_t *)entry && run(program_read, entry) == 14,
            "which is the kernel's alone");
    promise(hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict) ==
                    0 &&
                use_space(space) && run(program_read, entry) == 14,
            "and so it is if that is strict with it");
    promise(*(volatile uint64_t *)entry &&
                hypercall_vm_assist(VMASST_CMD_disable,
                                    VMASST_TYPE_m2p_strict) == 0,
            "which need not be for ever");
}

static void system_calls(void)
{
    const uint64_t top = (uintptr_t)kernel_stack + 4 * PAGE_SIZE - 16;
    long by;

    promise(came(run(program_call, 0), 6, 0, program_call, 5),
            "a system call nobody is there for is an undefined instruction");
    promise(set_callback(CALLBACKTYPE_syscall, user_syscall) &&
                set_callback(CALLBACKTYPE_syscall32, user_syscall32),
            "callbacks for system calls can be set");

    prepare(program_call);
    user.rsi = 0x11;
    user.r8 = 0x88;
    user.r15 = 0xff;
    user.rflags |= RFLAGS_DF;
    by = user_enter(&user);
    promise(by == BY_SYSCALL && user.rax == 17,
            "a hypercall of a program is a call of its kernel");
    promise(user.rip == address_of(program_call) + 7 && user.rcx == user.rip,
            "which is told where it came from");
    promise(user.rflags == (RFLAGS_DF | 2) &&
                user.r11 == (RFLAGS_IF | RFLAGS_DF | 2),
            "with which flags, IF being the upcall mask");
    promise((user.cs & 0xff) == 0x33 && user.rsp == USER_STACK,
            "and on which stack");
    promise(user.sp_in_kernel == top - 56, "on the stack it named");
    promise(user.rsi == 0x11 && user.r8 == 0x88 && user.r15 == 0xff,
            "registers are the program's");

    user.cs = USER_CS;
    user.flags = VGCF_in_syscall;
    user.rax = 0;
    by = user_enter(&user);
    promise(by == BY_SYSCALL && user.rax == 18,
            "it goes on behind its call, to the next");
}

/* A fault for (vector); QEMU's TCG counts gates of long mode by 16 bytes. */
static bool names_int(long by, unsigned vector, const char *program)
{
    const unsigned shift = seen.error == (vector << 4 | 2) ? 4 : 3;

    return came(by, 13, vector << shift | 2, program, 0);
}

static void traps(void)
{
    const uint64_t top = (uintptr_t)kernel_stack + 4 * PAGE_SIZE - 16;

    prepare(program_breakpoint);
    user.rcx = 0xcc;
    user.r11 = 0x1111;
    promise(came(user_enter(&user), 3, 0, program_breakpoint, 1),
            "a breakpoint of a program is its kernel's trap");
    promise(user.rcx == 0xcc && user.r11 == 0x1111,
            "the iret hypercall sets all registers");
    promise(seen.rsp == USER_STACK && (seen.ss & 0xffff) == USER_SS &&
                (seen.cs & 0xffff) == USER_CS,
            "the frame has stack and segments of the program");
    promise(user.sp_in_kernel < top && user.sp_in_kernel > top - 1024,
            "and lies on the kernel's stack");

    prepare(program_breakpoint);
    user.flags = VGCF_in_syscall;
    user.rcx = 0xcc;
    user.r11 = 0x1111;
    user.rflags |= RFLAGS_DF;
    promise(came(user_enter(&user), 3, 0, program_breakpoint, 1) &&
                user.rcx == address_of(program_breakpoint) &&
                user.r11 == (RFLAGS_IF | RFLAGS_DF | 2),
            "for a system call it sets what SYSRET would");

    promise(came(run(program_ud2, 0), 6, 0, program_ud2, 0),
            "an undefined instruction is one");
    promise(came(run(program_int, 0), 4, 0, program_int, 2),
            "an INT that is open to programs is its trap");
    promise(names_int(run(program_closed_int, 0), 0x81, program_closed_int),
            "another is a fault that names it");
}

static void segment_bases(void)
{
    data[0] = 0x75;
    promise(run(program_read_gs, 0) == BY_SYSCALL && user.rax == 0x75,
            "GS is the program's in the program");
    promise(read_gs() == 0x6b, "and the kernel's in the kernel");
}

static void memory(void)
{
    const uint64_t kernel = (uintptr_t)&kernel_word;
    long by;

    data[1] = 0x1234;
    promise(run(program_read, USER_DATA + 8) == BY_SYSCALL &&
                user.rax == 0x1234,
            "a program reads its own memory");
    promise(came(run(program_read, kernel), 14, 4, program_read, 0) &&
                trap_fault_address() == kernel,
            "it cannot read the kernel's");
    by = run(program_write, kernel);
    promise(came(by, 14, 6, program_write, 0) && kernel_word == 0x6b65726e656c,
            "nor write it");
    by = run(program_jump, (uintptr_t)user_leave);
    promise(by == 14 && (seen.error | 16) == 20 &&
                user.rip == (uintptr_t)user_leave,
            "nor run its code");
    promise(came(run(program_write, USER_CODE), 14, 7, program_write, 0),
            "nor write its own code");
    by = run(program_jump, USER_DATA);
    promise(by == 14 && seen.error == 21 && user.rip == USER_DATA,
            "nor run its data");
    promise(came(run(program_read, 0x8000000000000000), 13, 0, program_read, 0),
            "no address is a fault of protection");
}

static void privileged_instructions(void)
{
    static const struct {
        const char *program, *name;
    } all[] = {
        {program_hlt, "HLT"},
        {program_cli, "CLI"},
        {program_clts, "CLTS"},
        {program_cr0, "a read of CR0"},
        {program_cr3, "a change of CR3"},
        {program_rdmsr, "RDMSR"},
        {program_wrmsr, "WRMSR"},
        {program_wbinvd, "WBINVD"},
        {program_lgdt, "LGDT"},
        {program_swapgs, "SWAPGS"},
        {program_in, "IN"},
        {program_out, "OUT"},
        {program_out_dx, "OUT by DX"},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char claim[64];

        snprintf(claim, sizeof claim, "%s is a program's fault", all[i].name);
        prepare(all[i].program);
        user.rcx = 0xc0000102; /* an MSR that the kernel may have */
        user.rdx = 0x7e;
        user.rdi = USER_DATA;
        promise(came(user_enter(&user), 13, 0, all[i].program, 0), claim);
    }
    promise(run(program_read_gs, 0) == BY_SYSCALL && user.rax == 0x75,
            "nothing came of any");
}

static void wake(void *context)
{
    *(volatile uint64_t *)context = 1;
}

static void events(void)
{
    struct timer timer = {0};
    long by;

    data[8] = data[9] = 0;
    event_upcalls(true);
    timer_arm(&timer, clock_system_ns() + 5000000, wake, &data[8]);
    prepare(program_wait);
    user.rflags |= RFLAGS_IF;
    user.rdi = USER_DATA + 64;
    user.rcx = 0xcc;
    user.r12 = 0x12;
    by = user_enter(&user);
    event_upcalls(false);
    promise(by == BY_SYSCALL && data[8] == 1,
            "an event comes while a program runs");
    promise(data[9] > 0 && user.r12 == 0x12, "which goes on as it was");
}

static void other_segments(void)
{
    long by;

    prepare(program_32);
    user.cs = FLAT_USER_CS32;
    promise(came(user_enter(&user), 4, 0, program_32, 8) &&
                user.rbx == 0x12345677,
            "32-bit code runs as such, and its INT leads back");
    promise((seen.cs & 0xffff) == FLAT_USER_CS32, "the frame says what it is");
    prepare(program_32_call);
    user.cs = FLAT_USER_CS32;
    by = user_enter(&user);
    promise(
        (by == BY_SYSCALL32 && user.rip == address_of(program_32_call) + 2) ||
            came(by, 6, 0, program_32_call, 0),
        "its SYSCALL has a callback of its own, where the CPU has one");
    prepare(program_32_enter);
    user.cs = FLAT_USER_CS32;
    by = user_enter(&user);
    promise(by == 6 || (by == 13 && seen.error == 0),
            "a SYSENTER is a fault as long as nobody is there for it");

    prepare(program_breakpoint);
    user.cs = 0x7773;
    by = user_enter(&user);
    promise(by == 13 && seen.error == 0x7770 &&
                user.rip == address_of(program_breakpoint) &&
                (seen.cs & 0xffff) == 0x7773,
            "a code segment that is none is a fault of the program");

    prepare(program_breakpoint);
    user.rip = 0x8000000000000000;
    by = user_enter(&user);
    promise(by == 13 && seen.error == 0 && user.rip == 0x8000000000000000 &&
                (seen.cs & 3) == 3,
            "so is an address that is none");
    prepare(program_breakpoint);
    user.rip = 0x8000000000000000;
    user.flags = VGCF_in_syscall;
    by = user_enter(&user);
    promise(by == 13 && seen.error == 0 && user.rip == 0x8000000000000000 &&
                (seen.cs & 3) == 3,
            "also behind a system call");
}

/* With the argument "64" for an engine that has neither 32-bit programs nor
 * addresses of its own. */
int main(int argc, char **argv)
{
    set_up();
    system_calls();
    traps();
    segment_bases();
    memory();
    privileged_instructions();
    events();
    if (argc < 2 || strcmp(argv[1], "64") != 0) {
        other_segments();
        what_is_the_hypervisors();
    }
    return verdict();
}
