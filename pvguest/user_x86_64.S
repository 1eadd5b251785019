/*
 * To user mode and back, with what both ABIs share: their own entries have made
 * a struct trap_frame, at the end of the stack of a struct user_entry.
 */
#define __ASSEMBLY__
#include "registers_x86_64.inc"
#include "user_entry.h"

/*
 * void user_enter(struct user_state *state, struct user_entry *entry)
 */
    .text
    .global user_enter
    .type user_enter, @function
user_enter:
    PUSH_KEPT
    mov %rsp, ENTRY_KERNEL_SP(%rsi)
    mov %rdi, ENTRY_STATE(%rsi)

    cmpb $0, user_xsave(%rip)
    je 1f
    mov $USER_XSAVE_PARTS, %eax
    xor %edx, %edx
    xrstor64 USER_EXTENDED_AT(%rdi)
    jmp 2f
1:  fxrstor64 USER_EXTENDED_AT(%rdi)
2:
    cmpb $0, user_swaps_gs(%rip)
    je 1f
    swapgs
1:
    /* What the way out writes below the frame's upper part is dead by then. */
    mov %rdi, %rsp
    POP_ALL
    jmp *guest_trap_return(%rip) /* RSP at (vector) */
    .size user_enter, . - user_enter

/* From guest_trap_common, RSP at the frame: out of user_enter again. */
    .global user_left
    .type user_left, @function
user_left:
    cld
    cmpb $0, user_swaps_gs(%rip)
    je 1f
    swapgs
1:
    mov %rsp, %rsi
    mov ENTRY_STATE(%rsp), %rdi
    mov %rdi, %rbx
    mov $USER_FRAME_SIZE / 8, %ecx
    rep movsq
    mov ENTRY_KERNEL_SP(%rsp), %rsp

    cmpb $0, user_xsave(%rip)
    je 1f
    mov $USER_XSAVE_PARTS, %eax
    xor %edx, %edx
    xsave64 USER_EXTENDED_AT(%rbx)
    jmp 2f
1:  fxsave64 USER_EXTENDED_AT(%rbx)
2:
    POP_KEPT
    ret
    .size user_left, . - user_left

    .bss
    .global user_enabled, user_xsave, user_swaps_gs
user_enabled:
    .skip 1
user_xsave:
    .skip 1
user_swaps_gs:
    .skip 1

    .section .note.GNU-stack, "", @progbits
