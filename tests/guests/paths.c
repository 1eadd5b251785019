/*
 * A kernel that lies to whoever carries out its iret hypercalls and the system
 * calls of its programs: stacks that are none, selectors of all kinds, flags,
 * addresses. tests/system/kvm.py runs it twice, where the kvm engine does
 * these inside of the VM and where it does not, and it must be all the same.
 *
 *   count N        that many system calls of a program
 *   faults N       that many page faults of one
 *   bases N        a thread switch's calls, so often
 *   random SEED N  that many frames, each nearly right: what became of them
 *   calls SEED N   that many calls that set bases and the like: what they did
 *   NAME           one thing that ends the domain
 */
#include "user.h"

#include <stdio.h>
#include <stdlib.h>

#include <hypercall/calls.h>
#include <pvguest/event.h>
#include <pvguest/guest.h>

#define WARM_UP 20 /* until there are short paths, if there are any */

#define NOTHING  0x700000000000ul
#define NO_PLACE 0x8000000000000000ul
#define STUB     0xffff808000000000ul
#define M2P      0xffff810000000000ul
#define WINDOW   0xffff818000000000ul
#define HOLE_END 0xffff880000000000ul

#define RFLAGS_TF 0x100ul
#define RFLAGS_IF 0x200ul

/* clang-format off */
__asm__(
    ".section .rodata\n"
    "programs:\n"
    "program_call: mov $17, %eax; syscall; mov $18, %eax; syscall\n"
    "program_read: mov (%rdi), %rax; syscall\n"
    "program_flags: pushfq; pop %rdi; syscall\n"
    "program_gs: mov %gs:0, %rax; syscall\n"
    "program_set_gs: wrgsbase %rdi; syscall\n"
    "program_get_gs: rdgsbase %rax; syscall\n"
    "program_breakpoint: int3; syscall\n"
    "program_ud2: ud2; syscall\n"
    "programs_end:\n"
    ".previous\n");
/* clang-format on */

extern const char program_call[], program_read[], program_flags[], program_gs[],
    program_set_gs[], program_get_gs[], program_breakpoint[], program_ud2[];

static uint64_t space, kernel_gs[1];
static char *kernel_stack, *read_only;

static unsigned long stack_top(void)
{
    return (unsigned long)(kernel_stack + 4 * PAGE_SIZE);
}

static void set_stack(uint64_t top)
{
    printf("stack: %ld\n", (long)hypercall_stack_switch(FLAT_KERNEL_SS, top));
}

static void set_up(void)
{
    space = make_space();
    for (unsigned i = 0; i < TRAP_NR; i++)
        trap_handle(i, note);
    kernel_stack = page_alloc(4);
    read_only = page_alloc_zeroed(1);
    data[0] = 0x75;
    kernel_gs[0] = 0x6b;
    if (!space || !use_space(space) || !set_read_only(read_only) ||
        !set_callback(CALLBACKTYPE_syscall, user_syscall) ||
        hypercall_stack_switch(FLAT_KERNEL_SS, stack_top()) ||
        hypercall_set_segment_base(SEGBASE_GS_KERNEL, (uintptr_t)kernel_gs) ||
        hypercall_set_segment_base(SEGBASE_GS_USER, USER_DATA))
        printf("not set up\n");
    for (unsigned i = 0; i < WARM_UP; i++)
        if (run(program_call, 0) != BY_SYSCALL || user.rax != 17)
            printf("the program did not call\n");
}

static uint64_t state;

/* Xorshift: the same everywhere. */
static uint64_t any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

#define ONE_OF(list) ((list)[any() % (sizeof(list) / sizeof *(list))])

static uint64_t some_selector(uint64_t right)
{
    static const uint64_t others[] = {
        0,      1,      2,      3,      4,      7,      0x33,   0x2b,
        0xe008, 0xe00b, 0xe010, 0xe013, 0xe019, 0xe01b, 0xe023, 0xe020,
        0xe02b, 0xe028, 0xe033, 0xe030, 0xe040, 0xe043, 0xe04b, 0xe050,
        0xe053, 0xe060, 0xe07b, 0xfff8, 0xffff, 0x7773, 0x0c,   0x4f,
    };

    switch (any() % 8) {
    case 0:
        return any() & 0xffff;
    case 1:
    case 2:
        return ONE_OF(others) | any() << 16;
    default:
        return right | (any() & 1 ? any() << 16 : 0);
    }
}

static uint64_t some_address(uint64_t right)
{
    static const uint64_t others[] = {
        0,
        1,
        NOTHING,
        0x7fffffffffffull,
        NO_PLACE,
        ~0ul,
        0x800000000000,
        HOLE_END - 8,
        STUB,
        STUB + 4096,
        M2P,
        WINDOW,
        HOLE_END,
        0x40002000,
        0x123456789abc,
        0xffff7fffffffffff,
    };

    switch (any() % 8) {
    case 0:
        return any();
    case 1:
        return ONE_OF(others);
    default:
        return right;
    }
}

static uint64_t some_flags(void)
{
    const uint64_t half = any();
    uint64_t flags = half & any();

    if (any() % 8)
        flags &= ~RFLAGS_TF;
    return any() % 4 ? flags & ~RFLAGS_IF : flags;
}

/* The program's. What 32-bit code keeps of the upper half is the CPU's affair.
 */
static unsigned long stack_of(long by)
{
    const uint64_t rsp = by < TRAP_NR ? seen.rsp : user.rsp;
    const uint64_t cs = by < TRAP_NR ? seen.cs : user.cs;

    return (uint16_t)cs == FLAT_USER_CS32 ? (uint32_t)rsp : rsp;
}

/* What came of a frame. */
static void say(unsigned long i, long by)
{
    printf("%lu: %lx error %lx rip %lx cs %lx ss %lx rsp %lx flags %lx rax "
           "%lx rcx %lx rbx %lx r11 %lx rdi %lx at %ld gs %lx mask %d\n",
           i, (unsigned long)by, seen.error, by < TRAP_NR ? seen.rip : user.rip,
           by < TRAP_NR ? seen.cs : user.cs, by < TRAP_NR ? seen.ss : user.ss,
           stack_of(by), by < TRAP_NR ? seen.rflags : user.rflags, user.rax,
           user.rcx, user.rbx, user.r11, user.rdi,
           (long)(stack_top() - user.sp_in_kernel), *(uint64_t *)kernel_gs,
           guest_shared_info->vcpu_info[0].evtchn_upcall_mask);
}

static void one_frame(unsigned long i)
{
    static const char *const all[] = {
        program_call, program_read,       program_flags,
        program_gs,   program_set_gs,     program_get_gs,
        program_call, program_breakpoint, program_ud2,
    };
    const char *program = ONE_OF(all);
    long by;

    prepare(program);
    user.cs = some_selector(USER_CS) | 3; /* of a program */
    user.ss = some_selector(USER_SS);
    user.rip = some_address(user.rip);
    user.rsp = some_address(user.rsp);
    user.rflags = some_flags();
    user.flags =
        any() % 8 ? any() & ~(uint64_t)VGCF_in_syscall : VGCF_in_syscall;
    user.rax = any();
    user.rbx = any();
    user.rcx = any();
    user.rdx = any();
    user.rsi = any();
    user.r11 = any();
    user.rdi = program == program_set_gs ? any() & 0x7fffffffffff
                                         : some_address(USER_DATA);
    by = user_enter(&user);
    say(i, by);
}

static void random_frames(uint64_t seed, unsigned long number)
{
    state = seed * 0x9e3779b97f4a7c15 + 1;
    for (unsigned long i = 0; i < number; i++)
        one_frame(i);
}

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return low | (uint64_t)high << 32;
}

static uint64_t read_cr0(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

/* By the instruction itself, for which RCX and R11 are the caller's to lose. */
static long raw_call(unsigned nr, uint64_t first, uint64_t second)
{
    uint64_t rax = nr;

    __asm__ volatile("syscall"
                     : "+a"(rax)
                     : "D"(first), "S"(second)
                     : "rcx", "r11", "memory");
    return (long)rax;
}

/* By the page, which loses nothing: 0 is for that. */
static long page_call(unsigned nr, uint64_t first, uint64_t second,
                      uint64_t *lost)
{
    const uint64_t was_rcx = any(), was_r11 = any();
    uint64_t rax, rcx = was_rcx;
    register uint64_t r11 __asm__("r11") = was_r11;

    __asm__ volatile("call *%[page]"
                     : "=a"(rax), "+c"(rcx), "+r"(r11)
                     : [page] "b"(hypercall_page + nr * 32), "D"(first),
                       "S"(second)
                     : "memory");
    *lost = (rcx ^ was_rcx) | (r11 ^ was_r11);
    return (long)rax;
}

#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_USER_GS 0xc0000102

/* A call that leaves its mark in registers alone, and what mark. */
static void one_call(unsigned long i)
{
    static const unsigned all[] = {
        __HYPERVISOR_set_segment_base, __HYPERVISOR_set_segment_base,
        __HYPERVISOR_stack_switch, __HYPERVISOR_fpu_taskswitch};
    const unsigned nr = ONE_OF(all);
    uint64_t first = any() % 5, second = some_address(any() >> 17), lost = 0;
    uint64_t cr0;
    long by, result;

    if (nr == __HYPERVISOR_stack_switch) {
        first = any();
        second = stack_top() - any() % 64;
    } else if (nr == __HYPERVISOR_fpu_taskswitch) {
        first = any() % 3 << (any() & 32);
    } else if (first == SEGBASE_FS) { /* by which we live */
        second = rdmsr(MSR_FS_BASE);
    } else if (any() % 8 == 0) {
        first |= any() << 32;
    }
    result = any() & 1 ? raw_call(nr, first, second)
                       : page_call(nr, first, second, &lost);
    cr0 = read_cr0();
    HYPERCALL_1(__HYPERVISOR_fpu_taskswitch, 0); /* before anybody computes */
    by = run(program_call, 0);
    printf("%lu: %u %lx %lx: %ld lost %lx cr0 %lx gs %lx user %lx fs %d by %ld "
           "at %ld\n",
           i, nr, first, second, result, lost, cr0, rdmsr(MSR_GS_BASE),
           rdmsr(MSR_USER_GS), second == rdmsr(MSR_FS_BASE), by,
           (long)(stack_top() - user.sp_in_kernel));
}

static void random_calls(uint64_t seed, unsigned long number)
{
    state = seed * 0x9e3779b97f4a7c15 + 1;
    for (unsigned long i = 0; i < number; i++)
        one_call(i);
}

/* What a kernel says of another thread. */
static void bases(unsigned long number)
{
    for (unsigned long i = 0; i < number; i++) {
        hypercall_stack_switch(FLAT_KERNEL_SS, stack_top());
        hypercall_set_segment_base(SEGBASE_GS_USER, USER_DATA);
        HYPERCALL_1(__HYPERVISOR_fpu_taskswitch, 0);
    }
}

static void faults(unsigned long number)
{
    for (unsigned long i = 0; i < number; i++)
        if (run(program_read, NOTHING) != 14)
            printf("the program did not fault\n");
}

static void count(unsigned long number)
{
    for (unsigned long i = 0; i < number; i++)
        if (run(program_call, 0) != BY_SYSCALL)
            printf("the program did not call\n");
}

/* Let the kernel's stack be at (top) when a program calls. */
static void call_with_stack(uint64_t top)
{
    set_stack(top);
    printf("by %ld\n", run(program_call, 0));
}

/* The iret hypercall, whose frame is at (rsp). */
static void iret_at(uint64_t rsp)
{
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "mov $23, %%eax\n\t"
                     "syscall" ::"r"(rsp)
                     : "memory");
}

/* A trap of the kernel, with nothing to stand on. */
static void trap_at(uint64_t rsp)
{
    __asm__ volatile("mov %0, %%rsp\n\tint3" ::"r"(rsp) : "memory");
}

/* Its handler is none. */
static void handle_at(uint64_t address)
{
    const struct trap_info table[] = {{3, 3, FLAT_KERNEL_CS, address},
                                      {0, 0, 0, 0}};

    printf("table: %ld\n", (long)hypercall_set_trap_table(table));
    printf("by %ld\n", run(program_breakpoint, 0));
}

static void without_tables(void)
{
    printf("space: %d\n", use_space(0));
    printf("by %ld\n", run(program_call, 0));
}

static void call_to(uint64_t address)
{
    printf("callback: %d\n",
           set_callback(CALLBACKTYPE_syscall, (const char *)address));
    printf("by %ld\n", run(program_call, 0));
}

static const struct {
    const char *name;
    void (*lie)(uint64_t value);
    uint64_t value;
} lies[] = {
    {"stack-nowhere", call_with_stack, NOTHING},
    {"stack-no-place", call_with_stack, NO_PLACE},
    {"stack-zero", call_with_stack, 0},
    {"stack-low", call_with_stack, 0x30},
    {"stack-stub", call_with_stack, STUB + 0x202000},
    {"stack-window", call_with_stack, WINDOW + 0x100000},
    {"stack-hole-end", call_with_stack, HOLE_END + 16},
    {"stack-hole-start", call_with_stack, 0xffff800000000000},
    {"frame-nowhere", iret_at, NOTHING},
    {"frame-no-place", iret_at, NO_PLACE},
    {"frame-zero", iret_at, 0},
    {"frame-top", iret_at, ~0ul - 7},
    {"frame-stub", iret_at, STUB + 0x201000},
    {"frame-window", iret_at, WINDOW + 0x100000},
    {"frame-hole", iret_at, 0xffff800000000000 - 16},
    {"trap-nowhere", trap_at, NOTHING},
    {"trap-no-place", trap_at, NO_PLACE},
    {"trap-zero", trap_at, 0},
    {"trap-low", trap_at, 0x30},
    {"trap-stub", trap_at, STUB + 0x202000},
    {"trap-window", trap_at, WINDOW + 0x100000},
    {"trap-hole-end", trap_at, HOLE_END + 16},
    {"handler-nowhere", handle_at, NOTHING},
    {"handler-no-place", handle_at, NO_PLACE},
    {"handler-none", handle_at, 0},
    {"callback-nowhere", call_to, NOTHING},
    {"callback-no-place", call_to, NO_PLACE},
    {"callback-none", call_to, 0},
    {"callback-stub", call_to, STUB},
};

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    set_up();
    if (strcmp(what, "count") == 0 && argc > 2)
        count(strtoul(argv[2], NULL, 10));
    else if (strcmp(what, "faults") == 0 && argc > 2)
        faults(strtoul(argv[2], NULL, 10));
    else if (strcmp(what, "bases") == 0 && argc > 2)
        bases(strtoul(argv[2], NULL, 10));
    else if (strcmp(what, "calls") == 0 && argc > 3)
        random_calls(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    else if (strcmp(what, "random") == 0 && argc > 3)
        random_frames(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    else if (strcmp(what, "no-tables") == 0)
        without_tables();
    else if (strcmp(what, "stack-read-only") == 0)
        call_with_stack((uintptr_t)read_only + PAGE_SIZE);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        if (strcmp(what, lies[i].name) == 0)
            lies[i].lie(lies[i].value);
    printf("done\n");
    return 0;
}
