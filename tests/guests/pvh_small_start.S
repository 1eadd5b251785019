/*
 * From the PVH entry (32-bit, flat, paging off, EBX: hvm_start_info) to C in
 * 64-bit mode: own GDT, identity map of the first 4 GiB by 2 MiB pages.
 */
    .section .note.Xen, "a", @note
    .align 4
    .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long start32

    .section .text.start, "ax", @progbits
    .code32
    .globl start32
start32:
    movl $stack_top, %esp
    movl %ebx, %edi

    movl $l2_tables, %eax /* 4 pages of L2: 2048 entries of 2 MiB */
    movl $0x83, %edx
    movl $2048, %ecx
1:  movl %edx, (%eax)
    movl $0, 4(%eax)
    addl $8, %eax
    addl $0x200000, %edx
    loop 1b

    movl $l2_tables + 3, %edx
    movl $l3_table, %eax
    movl $4, %ecx
2:  movl %edx, (%eax)
    addl $8, %eax
    addl $0x1000, %edx
    loop 2b
    movl $l3_table + 3, l4_table

    movl $0x220, %eax /* PAE OSFXSR */
    movl %eax, %cr4
    movl $l4_table, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER.LME */
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010000, %eax /* PG WP */
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $start64

    .code64
start64:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %ebp, %ebp
    movl %edi, %edi
    call small_main
    hlt

/* The event's interrupt: as an interrupt gate has it, IF is off here. */
    .globl upcall_entry
upcall_entry:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    cld
    call small_upcall
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    iretq

    .data
    .align 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* code, 64 bits */
    .quad 0x00cf93000000ffff /* data */
gdt_pointer:
    .word . - gdt - 1
    .long gdt

    .bss
    .align 4096
l4_table:
    .skip 4096
l3_table:
    .skip 4096
l2_tables:
    .skip 4 * 4096
    .globl hypercall_page
hypercall_page:
    .skip 4096
    .skip 16384
stack_top:

    .section .note.GNU-stack, "", @progbits
