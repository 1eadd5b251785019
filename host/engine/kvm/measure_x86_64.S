/*
 * host/engine/kvm/measure_x86_64.S: the code of the throw-away VM, copied to
 * one of its pages. Each piece leaves by an `out`.
 */
#include "host/engine/kvm/stub.h"

    .section .rodata
    .globl measure_code
measure_code:

    .globl measure_exits                /* out, and out again */
measure_exits:
    outb %al, $STUB_PORT
    jmp measure_exits

    .globl measure_loop                 /* RCX times two instructions */
measure_loop:
    decq %rcx
    jnz measure_loop
    outb %al, $STUB_PORT

    .globl measure_read                 /* RAX := what is at RBX */
measure_read:
    movq (%rbx), %rax
    outb %al, $STUB_PORT

    .globl measure_reload               /* CR3 := RBX */
measure_reload:
    movq %rbx, %cr3
    outb %al, $STUB_PORT

    .globl measure_fpu
measure_fpu:
    fninit
    outb %al, $STUB_PORT

    .globl measure_watched
measure_watched:
    nop
    outb %al, $STUB_PORT

    .globl measure_code_end
measure_code_end:

    .section .note.GNU-stack, "", @progbits
