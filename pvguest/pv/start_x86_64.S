/*
 * The first instructions as PV.
 *
 * RSI is start_info, RSP the end of the boot stack, which is also the end of
 * all that the builder put into memory.
 */
    .section .text.start, "ax"
    .global _start
    .type _start, @function
_start:
    cld
    mov %rsi, %rdi
    mov %rsp, %rsi
    mov $guest_stack_top, %rsp
    xor %ebp, %ebp
    call pv_start
    ud2
    .size _start, . - _start

    .section .note.GNU-stack, "", @progbits
