/*
 * Traps and events as PV: bounce frames in, the iret hypercall out.
 */
#define __ASSEMBLY__
#include <hypercall/calls.h>

#include "../this_vcpu.h"

#define SCHEDOP_block 1
#define UPCALL_MASK   1 /* offset of evtchn_upcall_mask in vcpu_info */
#define VECTOR_UPCALL 256
#define BOUNCE_CS     24 /* in a bounce frame without error code */
#define RPL           3

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
    jmp guest_trap_common
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

/* The error code's slot becomes the flags of an iret frame. */
    .global pv_trap_return
    .type pv_trap_return, @function
pv_trap_return:
    movq $0, 8(%rsp)
    add $8, %rsp
    jmp HYPERCALL_STUB(__HYPERVISOR_iret)
    .size pv_trap_return, . - pv_trap_return

/* SCHEDOP_block opens the mask; an upcall has closed it. */
    .global pv_sleep
    .type pv_sleep, @function
pv_sleep:
    test %rdi, %rdi
    jnz 1f
    mov $SCHEDOP_block, %edi
    xor %esi, %esi
    call HYPERCALL_STUB(__HYPERVISOR_sched_op)
    jmp 2f
1:  xor %eax, %eax /* two multicall_entry: the timer, then sleep */
    push %rax
    push %rax
    push %rax
    push %rax
    push %rax
    push $SCHEDOP_block
    push %rax
    push $__HYPERVISOR_sched_op
    push %rax
    push %rax
    push %rax
    push %rax
    push %rax
    push %rdi
    push %rax
    push $__HYPERVISOR_set_timer_op
    mov %rsp, %rdi
    mov $2, %esi
    call HYPERCALL_STUB(__HYPERVISOR_multicall)
2:  cmpb $0, guest_smp(%rip)
    jne 1f
    movb $1, guest_shared_page + UPCALL_MASK(%rip)
    jmp guest_woken
1:  mov %gs:VCPU_INFO, %rax
    movb $1, UPCALL_MASK(%rax)
    jmp guest_woken
    .size pv_sleep, . - pv_sleep

    .global pv_upcall
    .type pv_upcall, @function
pv_upcall:
    testb $RPL, BOUNCE_CS(%rsp)
    jnz 2f
    cmpb $0, guest_smp(%rip)
    jne 1f
    cmpb $0, guest_boot_vcpu + VCPU_PREEMPT(%rip)
    je guest_woken
    jmp 2f
1:  cmpb $0, %gs:VCPU_PREEMPT
    je guest_woken
2:  pop %rcx
    pop %r11
    push $0
    push $VECTOR_UPCALL
    jmp guest_trap_common
    .size pv_upcall, . - pv_upcall

/* SYSCALL in user mode. */
    .global pv_syscall
    .type pv_syscall, @function
pv_syscall:
    pop %rcx
    pop %r11
    push $0
    push $VECTOR_SYSCALL
    jmp guest_trap_common
    .size pv_syscall, . - pv_syscall

/*
 * A callback the hypervisor makes when it could not reload a segment: nothing
 * here loads any.
 */
    .global pv_failsafe
    .type pv_failsafe, @function
pv_failsafe:
    ud2
    .size pv_failsafe, . - pv_failsafe

    .section .note.GNU-stack, "", @progbits
