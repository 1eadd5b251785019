/*
 * The ways in and out that C cannot write and both ABIs share: the middle of a
 * trap, the block that ends in an upcall, and the switch from thread to thread.
 */
#define __ASSEMBLY__
#include "registers_x86_64.inc"
#include "this_vcpu.h"

#define FRAME_RIP    (17 * 8) /* in struct trap_frame */
#define FRAME_CS     (18 * 8)
#define RPL          3
#define FXSAVE_SIZE  512
#define XSAVE_HEADER 512

/*
 * From an ABI's own entry, with a struct trap_frame on the stack from (vector)
 * upwards.
 */
    .text
    .global guest_trap_common
    .type guest_trap_common, @function
guest_trap_common:
    PUSH_ALL
    testb $RPL, FRAME_CS(%rsp)
    jz 1f
    cmpb $0, user_enabled(%rip)
    jne user_left
1:  cld
    mov %rsp, %rbx

    /* A frame for who walks RBP: the trap was called from where it hit. */
    push FRAME_RIP(%rbx)
    push %rbp
    mov %rsp, %rbp
    and $-64, %rsp

    /* The interrupted code may be using any register; so does C. */
    call trap_state_size
    mov %rax, %r12
    sub %rax, %rsp
    and $-64, %rsp
    cmp $FXSAVE_SIZE, %r12
    ja 1f
    fxsave64 (%rsp)
    jmp 2f
1:  lea XSAVE_HEADER(%rsp), %rdi /* the CPU leaves parts of it as they are */
    mov $8, %ecx
    xor %eax, %eax
    rep stosq
    mov $-1, %eax
    mov $-1, %edx
    xsave64 (%rsp)
2:
    mov %rbx, %rdi
    call guest_trap

    cmp $FXSAVE_SIZE, %r12
    ja 1f
    fxrstor64 (%rsp)
    jmp 2f
1:  mov $-1, %eax
    mov $-1, %edx
    xrstor64 (%rsp)
2:
    mov %rbx, %rsp
    POP_ALL
    jmp *guest_trap_return(%rip) /* RSP at (vector) */
    .size guest_trap_common, . - guest_trap_common

/*
 * void guest_block(uint64_t deadline_ns): sleep until an event is pending, the
 * timer set to (deadline_ns) if that is not 0. guest_sleep has it in RDI.
 *
 * Cooperative guests let no event in but here, so an upcall has nothing to go
 * back to: it comes out as the end of this function. guest_sleep jumps there
 * as well, when it woke without one. Events are kept out again by then.
 */
    .global guest_block
    .type guest_block, @function
guest_block:
    PUSH_KEPT
    cmpb $0, guest_smp(%rip)
    jne 1f
    mov %rsp, guest_boot_vcpu + VCPU_BLOCK_SP(%rip)
    jmp *guest_sleep(%rip)
1:  mov %rsp, %gs:VCPU_BLOCK_SP
    jmp *guest_sleep(%rip)

    .global guest_woken
guest_woken:
    cmpb $0, guest_smp(%rip)
    jne 1f
    mov guest_boot_vcpu + VCPU_BLOCK_SP(%rip), %rsp
    jmp 2f
1:  mov %gs:VCPU_BLOCK_SP, %rsp
2:
    POP_KEPT
    ret
    .size guest_block, . - guest_block

/*
 * void guest_switch(void **save_sp, void *sp): park the running thread and
 * continue the one parked at (sp). Control words of x87 and SSE are its own.
 */
    .global guest_switch
    .type guest_switch, @function
guest_switch:
    PUSH_KEPT
    sub $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    add $8, %rsp
    POP_KEPT
    ret
    .size guest_switch, . - guest_switch

/* Where a new thread comes out of guest_switch, its function in RBX. */
    .global guest_thread_entry
    .type guest_thread_entry, @function
guest_thread_entry:
    xor %ebp, %ebp
    mov %rbx, %rdi
    mov %r12, %rsi
    call thread_begin
    ud2
    .size guest_thread_entry, . - guest_thread_entry

/* _Noreturn void guest_vcpu_rerun(struct guest_vcpu *vcpu, void *stack_top) */
    .global guest_vcpu_rerun
    .type guest_vcpu_rerun, @function
guest_vcpu_rerun:
    mov %rsi, %rsp
    xor %ebp, %ebp
    call guest_vcpu_run
    ud2
    .size guest_vcpu_rerun, . - guest_vcpu_rerun

    .bss
    .balign 8
    .global guest_trap_return, guest_sleep
guest_trap_return:
    .skip 8
guest_sleep:
    .skip 8

    .section .bss_pages, "aw", @nobits
    .balign 4096
    .global guest_shared_page
guest_shared_page:
    .skip 4096

    .section .note.GNU-stack, "", @progbits
