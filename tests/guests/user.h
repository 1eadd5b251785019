/*
 * A kernel with user programs: how an image of the tests enters one, and what
 * leads back from it. The image has the programs, between (programs) and
 * (programs_end); each runs at USER_CODE, on page tables without the kernel.
 */
#ifndef TESTS_GUESTS_USER_H
#define TESTS_GUESTS_USER_H

#include <pvguest/page.h>
#include <pvguest/trap.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <hypercall/calls.h>

#define USER_CODE  0x40000000ul /* 32-bit code has to reach it */
#define USER_DATA  (USER_CODE + PAGE_SIZE)
#define USER_STACK (USER_DATA + PAGE_SIZE - 64)

#define PTE_TABLE     0x27ul /* present, writable, user, accessed */
#define PTE_CODE      0x25ul
#define PTE_DATA      0x8000000000000067ul
#define PTE_READ_ONLY 0x8000000000000021ul

#define USER_CS 0xe033
#define USER_SS 0xe02b

/* Registers of the program; the assembly below knows their places. */
struct user {
    uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t flags; /* VGCF_* */
    uint64_t rip, cs, rflags, rsp, ss;
    uint64_t sp_in_kernel; /* what the stack was on the way back */
};

/* What led back from the program. */
#define BY_SYSCALL   0x100
#define BY_SYSCALL32 0x101

long user_enter(struct user *user);
extern char user_leave[], user_syscall[], user_syscall32[];
uint64_t user_left_by;

/* clang-format off */
__asm__(
    ".text\n"
    "user_enter:\n\t"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n\t"
    "mov %rsp, user_kernel_rsp\n\t"
    "mov %rdi, user_now\n\t"
    "push 160(%rdi)\n\t" /* ss, rsp, rflags, cs, rip, flags */
    "push 152(%rdi)\n\t"
    "push 144(%rdi)\n\t"
    "push 136(%rdi)\n\t"
    "push 128(%rdi)\n\t"
    "push 120(%rdi)\n\t"
    "mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx\n\t"
    "mov 24(%rdi), %rbx; mov 32(%rdi), %rbp; mov 40(%rdi), %rsi\n\t"
    "mov 56(%rdi), %r8; mov 64(%rdi), %r9; mov 72(%rdi), %r10\n\t"
    "mov 80(%rdi), %r11; mov 88(%rdi), %r12; mov 96(%rdi), %r13\n\t"
    "mov 104(%rdi), %r14; mov 112(%rdi), %r15; mov 48(%rdi), %rdi\n\t"
    "jmp hypercall_page + 23 * 32\n"

    /* The frame: rcx, r11, rip, cs, rflags, rsp, ss. */
    "user_syscall32:\n\t"
    "movq $0x101, user_left_by\n\t"
    "jmp 1f\n"
    "user_syscall:\n\t"
    "movq $0x100, user_left_by\n"
    "1:\n\t"
    "push %rdi\n\t"
    "mov user_now, %rdi\n\t"
    "mov %rax, 0(%rdi); mov %rdx, 16(%rdi)\n\t"
    "mov %rbx, 24(%rdi); mov %rbp, 32(%rdi); mov %rsi, 40(%rdi)\n\t"
    "mov %r8, 56(%rdi); mov %r9, 64(%rdi); mov %r10, 72(%rdi)\n\t"
    "mov %r12, 88(%rdi); mov %r13, 96(%rdi)\n\t"
    "mov %r14, 104(%rdi); mov %r15, 112(%rdi)\n\t"
    "pop %rax; mov %rax, 48(%rdi)\n\t"
    "mov %rsp, 168(%rdi)\n\t"
    "pop %rax; mov %rax, 8(%rdi)\n\t"
    "pop %rax; mov %rax, 80(%rdi)\n\t"
    "pop %rax; mov %rax, 128(%rdi)\n\t"
    "pop %rax; mov %rax, 136(%rdi)\n\t"
    "pop %rax; mov %rax, 144(%rdi)\n\t"
    "pop %rax; mov %rax, 152(%rdi)\n\t"
    "pop %rax; mov %rax, 160(%rdi)\n"
    "user_leave:\n\t"
    "mov user_kernel_rsp, %rsp\n\t"
    "cld\n\t"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n\t"
    "mov user_left_by, %rax\n\t"
    "ret\n"

    ".local user_kernel_rsp, user_now\n"
    ".comm user_kernel_rsp, 8, 8\n"
    ".comm user_now, 8, 8\n");
/* clang-format on */

extern const char programs[], programs_end[];

static struct user user;
static struct trap_frame seen;
static uint64_t *data; /* the page that programs may write */

/* A trap: of the program it ends its run; the kernel makes none. */
static inline bool note(struct trap_frame *frame)
{
    if ((frame->cs & 3) != 3)
        return false;
    seen = *frame;
    user.rax = frame->rax;
    user.rcx = frame->rcx;
    user.rbx = frame->rbx;
    user.r11 = frame->r11;
    user.rip = frame->rip;
    user.sp_in_kernel = (uintptr_t)frame;
    user_left_by = frame->vector;
    frame->rip = (uintptr_t)user_leave;
    frame->cs = FLAT_KERNEL_CS & ~3ul;
    frame->ss = FLAT_KERNEL_SS;
    frame->rsp = (uintptr_t)frame;
    frame->rflags = 2;
    return true;
}

static inline uint64_t address_of(const char *program)
{
    return USER_CODE + (uint64_t)(program - programs);
}

static inline void prepare(const char *program)
{
    user = (struct user){
        .rip = address_of(program),
        .cs = USER_CS,
        .rflags = 2, /* upcalls stay masked */
        .rsp = USER_STACK,
        .ss = USER_SS,
    };
    seen = (struct trap_frame){0};
}

static inline long run(const char *program, uint64_t rdi)
{
    prepare(program);
    user.rdi = rdi;
    return user_enter(&user);
}

static inline bool set_read_only(const void *page)
{
    return hypercall_update_va_mapping(
               (uintptr_t)page, page_mfn(page) << PAGE_SHIFT | PTE_READ_ONLY,
               UVMF_INVLPG) == 0;
}

static inline uint64_t *link_table(uint64_t *above, unsigned slot)
{
    uint64_t *table = page_alloc_zeroed(1);

    above[slot] = page_mfn(table) << PAGE_SHIFT | PTE_TABLE;
    return table;
}

/* Tables with two pages and nothing of the kernel. */
static inline uint64_t make_space(void)
{
    uint64_t *l4 = page_alloc_zeroed(1);
    uint64_t *l3 = link_table(l4, USER_CODE >> 39 & 511);
    uint64_t *l2 = link_table(l3, USER_CODE >> 30 & 511);
    uint64_t *l1 = link_table(l2, USER_CODE >> 21 & 511);
    char *code = page_alloc_zeroed(1);
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L4_TABLE};

    memcpy(code, programs, (size_t)(programs_end - programs));
    data = page_alloc_zeroed(1);
    l1[0] = page_mfn(code) << PAGE_SHIFT | PTE_CODE;
    l1[1] = page_mfn(data) << PAGE_SHIFT | PTE_DATA;
    pin.arg1.mfn = page_mfn(l4);
    if (!set_read_only(l4) || !set_read_only(l3) || !set_read_only(l2) ||
        !set_read_only(l1) || hypercall_mmuext_op(&pin, 1, NULL, DOMID_SELF))
        return 0;
    return page_mfn(l4);
}

static inline bool use_space(uint64_t l4)
{
    const struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR,
                                 .arg1.mfn = l4};

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF) == 0;
}

static inline bool set_callback(uint16_t type, const char *address)
{
    struct callback_register op = {.type = type,
                                   .flags = CALLBACKF_mask_events,
                                   .address = (uintptr_t)address};

    return hypercall_callback_op(CALLBACKOP_register, &op) == 0;
}

#endif
