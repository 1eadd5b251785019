/*
 * Traps and events as PVH: gates of the IDT in, IRET out.
 */
#define __ASSEMBLY__
#include <hypercall/calls.h>

#include "../this_vcpu.h"
#include "selector.h"

#define VECTOR_UPCALL 256
#define FRAME_CS      8 /* in what the CPU pushes without error code */
#define FRAME_RFLAGS  16
#define RPL           3
#define RFLAGS_IF     0x200

/* In a struct guest_vcpu. */
#define USER_FRAME_END (VCPU_USER + USER_FRAME_SIZE)
#define USER_SP        (VCPU_USER + ENTRY_USER_SP)

/*
 * The gates, 16 bytes from one to the next. The CPU's frame, with an error
 * code, is the upper part of a struct trap_frame.
 */
    .text
    .balign 16
    .global pvh_traps
    .type pvh_traps, @function
pvh_traps:
    .irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, \
        17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    .balign 16
    .if (0x60227d00 >> \vector) & 1 == 0 /* 8 10-14 17 21 29 30 have one */
    push $0
    .endif
    push $\vector
    jmp guest_trap_common
    .endr
    .size pvh_traps, . - pvh_traps

    .global pvh_trap_return
    .type pvh_trap_return, @function
pvh_trap_return:
    add $16, %rsp /* vector, error code */
    iretq
    .size pvh_trap_return, . - pvh_trap_return

/* No event comes in between STI and HLT; the gate it comes by clears IF. */
    .global pvh_sleep
    .type pvh_sleep, @function
pvh_sleep:
    test %rdi, %rdi
    jz 1f
    call HYPERCALL_STUB(__HYPERVISOR_set_timer_op)
1:  sti
    hlt
    cli
    jmp guest_woken
    .size pvh_sleep, . - pvh_sleep

/*
 * Cooperative guests let it in at the HLT of pvh_sleep alone: it comes out of
 * guest_block. One that comes while interrupts are off is none: QEMU's SVM may
 * deliver what VMRUN injected a second time, whatever IF says by then (CPUs of
 * silicon never do). It goes back; an event that is pending stays so.
 */
    .global pvh_upcall
    .type pvh_upcall, @function
pvh_upcall:
    testl $RFLAGS_IF, FRAME_RFLAGS(%rsp)
    jz 3f
    testb $RPL, FRAME_CS(%rsp)
    jnz 2f
    cmpb $0, guest_smp(%rip)
    jne 1f
    cmpb $0, guest_boot_vcpu + VCPU_PREEMPT(%rip)
    je guest_woken
    jmp 2f
1:  cmpb $0, %gs:VCPU_PREEMPT
    je guest_woken
2:  push $0
    push $VECTOR_UPCALL
    jmp guest_trap_common
3:  iretq
    .size pvh_upcall, . - pvh_upcall

/*
 * SYSCALL in user mode: the user's stack still, RIP in RCX and RFLAGS in R11.
 * Make what an interrupt would have pushed.
 */
    .global pvh_syscall
    .type pvh_syscall, @function
pvh_syscall:
    swapgs
    mov %rsp, %gs:USER_SP
    mov %gs:0, %rsp
    add $USER_FRAME_END, %rsp
    push $SELECTOR_USER_DATA
    push %gs:USER_SP
    swapgs
    push %r11
    push $SELECTOR_USER_CODE
    push %rcx
    push $0
    push $VECTOR_SYSCALL
    jmp guest_trap_common
    .size pvh_syscall, . - pvh_syscall

    .section .note.GNU-stack, "", @progbits
