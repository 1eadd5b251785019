/*
 * host/engine/kvm/stub_x86_64.S: the code beside the guest in its VM, copied
 * to where the guest has it. All it can do is leave. On some KVM each of these
 * instructions is emulated: they are few, and plain.
 */
#include "host/engine/kvm/stub.h"

    .section .rodata

    /* Vector N enters at N * STUB_VECTOR_SIZE, and stops there. */
    .globl stub_code
    .balign 64
stub_code:
    .rept 256
    outb %al, $STUB_PORT
    .balign STUB_VECTOR_SIZE, 0xcc
    .endr

    /*
     * RCX addresses at RSI name page-table entries that the host wrote: write
     * them again, from where shadow paging sees it. Then RBX becomes CR3, and
     * struct stub_return at RSP says where the guest goes on.
     */
    .globl stub_helper
stub_helper:
    jrcxz 2f
1:  lodsq
    orq $0, (%rax)
    loop 1b
2:  movq %rbx, %cr3
    popq %rax
    popq %rcx
    popq %rbx
    popq %rsi
    iretq

    /* The same when the host is in the middle of a hypercall. */
    .globl stub_touch
stub_touch:
    jrcxz 2f
1:  lodsq
    orq $0, (%rax)
    loop 1b
2:  movq %rbx, %cr3
    outb %al, $STUB_PORT
    .globl stub_touch_end
stub_touch_end:

    .globl stub_code_end
stub_code_end:

    .globl stub_syscall
stub_syscall:

    /* CSTAR: from 32-bit code */
    .globl stub_syscall32
stub_syscall32:
    outb %al, $STUB_PORT

    /* In ring 3: what the selectors are. */
    .globl stub_selectors
stub_selectors:
    movl %ds, %eax
    movl %es, %ecx
    movl %fs, %edx
    movl %gs, %ebx
    .globl stub_selectors_out
stub_selectors_out:
    outb %al, $STUB_PORT

    /* To LSTAR as any program gets there. */
    .globl stub_ask
stub_ask:
    syscall
    .globl stub_syscall_end
stub_syscall_end:

    .section .note.GNU-stack, "", @progbits
