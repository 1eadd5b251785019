/*
 * The first instructions of a program, which the kernel enters with the number
 * of its arguments in RDI and the arguments in RSI, and the way into the kernel.
 */
#define SYS_EXIT 0

    .section .text.start, "ax"
    .global _start
_start:
    xor %ebp, %ebp
    call main
    mov %eax, %edi
    mov $SYS_EXIT, %eax
    syscall
    ud2

/* long syscall(long number, long, long, long) */
    .text
    .global syscall
syscall:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    syscall
    ret

    .section .note.GNU-stack, "", @progbits
