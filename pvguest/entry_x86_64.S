/*
 * The ways in and out that C cannot write: traps, upcalls, the block that ends
 * in an upcall, and the switch from thread to thread.
 */
#define __ASSEMBLY__
#include <hypercall/calls.h>

#define SCHEDOP_block  1
#define UPCALL_MASK    1 /* offset of evtchn_upcall_mask in shared_info */
#define VECTOR_UPCALL  256
#define FRAME_RIP      (17 * 8) /* in struct trap_frame */
#define FXSAVE_SIZE    512
#define XSAVE_HEADER   512

/*
 * A bounce frame is, upwards: RCX, R11, perhaps an error code, RIP, CS,
 * RFLAGS, RSP, SS. Make a struct trap_frame of it.
 */
.macro entry name, vector, has_error
    .global \name
    .type \name, @function
\name:
    pop %rcx
    pop %r11
    .if \has_error == 0
    push $0
    .endif
    push $\vector
    jmp trap_common
    .size \name, . - \name
.endm

    .text
    entry trap_0, 0, 0
    entry trap_1, 1, 0
    entry trap_3, 3, 0
    entry trap_4, 4, 0
    entry trap_5, 5, 0
    entry trap_6, 6, 0
    entry trap_7, 7, 0
    entry trap_9, 9, 0
    entry trap_10, 10, 1
    entry trap_11, 11, 1
    entry trap_12, 12, 1
    entry trap_13, 13, 1
    entry trap_14, 14, 1
    entry trap_16, 16, 0
    entry trap_17, 17, 1
    entry trap_18, 18, 0
    entry trap_19, 19, 0
    entry trap_21, 21, 1

    .type trap_common, @function
trap_common:
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    cld
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
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    movq $0, 8(%rsp) /* the error code's slot is the iret frame's flags */
    add $8, %rsp
    jmp HYPERCALL_STUB(__HYPERVISOR_iret)
    .size trap_common, . - trap_common

/*
 * Events. Cooperative guests open the upcall mask nowhere but inside
 * SCHEDOP_block, so there is nothing to go back to: the wake-up is the end of
 * guest_block.
 */
    .global guest_upcall
    .type guest_upcall, @function
guest_upcall:
    cmpb $0, event_preempt(%rip)
    jne 1f
    mov block_sp(%rip), %rsp
    jmp .Lblock_end
1:  pop %rcx
    pop %r11
    push $0
    push $VECTOR_UPCALL
    jmp trap_common
    .size guest_upcall, . - guest_upcall

/* void guest_block(void): sleep until an event is pending. */
    .global guest_block
    .type guest_block, @function
guest_block:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, block_sp(%rip)
    mov $SCHEDOP_block, %edi
    xor %esi, %esi
    call HYPERCALL_STUB(__HYPERVISOR_sched_op)
.Lblock_end:
    movb $1, guest_shared_page + UPCALL_MASK(%rip)
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size guest_block, . - guest_block

/*
 * A callback the hypervisor makes when it could not reload a segment: nothing
 * here loads any.
 */
    .global guest_failsafe
    .type guest_failsafe, @function
guest_failsafe:
    ud2
    .size guest_failsafe, . - guest_failsafe

/*
 * void guest_switch(void **save_sp, void *sp): park the running thread and
 * continue the one parked at (sp). Control words of x87 and SSE are its own.
 */
    .global guest_switch
    .type guest_switch, @function
guest_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    sub $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    add $8, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
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

    .bss
    .balign 8
block_sp:
    .skip 8

    .section .bss_pages, "aw", @nobits
    .balign 4096
    .global guest_shared_page
guest_shared_page:
    .skip 4096

    .section .note.GNU-stack, "", @progbits
