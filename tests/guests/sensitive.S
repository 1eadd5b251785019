/*
 * Never run: for paravane inspect --lint. Each line that ends in a comment
 * "finds NAME" must be found, as that, and no other line.
 */
#include <xen/elfnote.h>

    .section .note.Xen, "a", @note
    .macro note type, directive, value:vararg
    .balign 4
    .long 2f - 1f, 4f - 3f, \type
1:  .asciz "Xen"
2:  .balign 4
3:  \directive \value
4:  .balign 4
    .endm
    note XEN_ELFNOTE_XEN_VERSION, .asciz, "xen-3.0"
    note XEN_ELFNOTE_LOADER, .asciz, "generic"
    note XEN_ELFNOTE_ENTRY, .quad, start
    note XEN_ELFNOTE_VIRT_BASE, .quad, 0
    note XEN_ELFNOTE_PADDR_OFFSET, .quad, 0

    .text
    .globl start
    .type start, @function
start:
    xor %eax, %eax
    syscall
    nop
    .ascii "\x0f\x0b" "xen" "\x0f\xa2"          /* CPUID behind Xen's prefix */
    lock; addl $0, -4(%rsp)                     /* a barrier */
    lea -8(%rsp), %rax
    mov %ds, %eax
    mov %eax, %es
    int3
    rdtsc
    call silent
    call faults
    call emulated
1:  pause
    jmp 1b
    .size start, . - start

    .type silent, @function
silent:
    popf                                        /* finds popf */
    pushf                                       /* finds pushf */
    popfw                                       /* finds popf */
    sgdt (%rdi)                                 /* finds sgdt */
    sidt (%rdi)                                 /* finds sidt */
    sldt %eax                                   /* finds sldt */
    str %eax                                    /* finds str */
    smsw %eax                                   /* finds smsw */
    lar %eax, %ecx                              /* finds lar */
    lsl %eax, %ecx                              /* finds lsl */
    verr %ax                                    /* finds verr */
    verw %ax                                    /* finds verw */
    mov %cs, %eax                               /* finds mov from cs */
    mov %ss, (%rdi)                             /* finds mov from ss */
    lcall *(%rdi)                               /* finds call far */
    ljmp *(%rdi)                                /* finds jmp far */
    lretq                                       /* finds ret far */
    iretq                                       /* finds iret */
    cpuid                                       /* finds cpuid */
    mov %rax, -8(%rsp)                          /* finds red zone */
    ret
    .size silent, . - silent

    .type table, @object                        /* data is not code */
table:
    .byte 0xf4, 0xfa, 0xfb, 0x9d
    .size table, . - table

    .type faults, @function
faults:
    cli                                         /* finds cli */
    sti                                         /* finds sti */
    hlt                                         /* finds hlt */
    lgdt (%rdi)                                 /* finds lgdt */
    lidt (%rdi)                                 /* finds lidt */
    lldt %ax                                    /* finds lldt */
    ltr %ax                                     /* finds ltr */
    lmsw %ax                                    /* finds lmsw */
    invlpg (%rdi)                               /* finds invlpg */
    invpcid (%rdi), %rax                        /* finds invpcid */
    invd                                        /* finds invd */
    swapgs                                      /* finds swapgs */
    sysretq                                     /* finds sysret */
    sysexitl                                    /* finds sysexit */
    sysenter                                    /* finds sysenter */
    monitor                                     /* finds monitor */
    mwait                                       /* finds mwait */
    clac                                        /* finds clac */
    stac                                        /* finds stac */
    rdpmc                                       /* finds rdpmc */
    xsaves (%rdi)                               /* finds xsaves */
    xrstors (%rdi)                              /* finds xrstors */
    vmcall                                      /* finds vmcall */
    vmmcall                                     /* finds vmmcall */
    vmxoff                                      /* finds vmxoff */
    vmlaunch                                    /* finds vmlaunch */
    vmresume                                    /* finds vmresume */
    vmrun                                       /* finds vmrun */
    vmload                                      /* finds vmload */
    vmsave                                      /* finds vmsave */
    vmxon (%rdi)                                /* finds vmxon */
    stgi                                        /* finds stgi */
    clgi                                        /* finds clgi */
    mov %rax, %cr8                              /* finds mov to cr8 */
    mov %cr8, %rax                              /* finds mov from cr8 */
    int $0x82                                   /* finds int 0x82 */
    ret
    .size faults, . - faults

emulated:                                       /* a label without a size */
    mov %rax, %cr0                              /* finds mov to cr0 */
    mov %cr0, %rax                              /* finds mov from cr0 */
    clts                                        /* finds clts */
    mov %rax, %cr2                              /* finds mov to cr2 */
    mov %cr2, %rax                              /* finds mov from cr2 */
    mov %rax, %cr3                              /* finds mov to cr3 */
    mov %cr3, %rax                              /* finds mov from cr3 */
    mov %rax, %cr4                              /* finds mov to cr4 */
    mov %cr4, %rax                              /* finds mov from cr4 */
    mov %rax, %dr7                              /* finds mov to dr */
    mov %dr6, %rax                              /* finds mov from dr */
    rdmsr                                       /* finds rdmsr */
    wrmsr                                       /* finds wrmsr */
    xsetbv                                      /* finds xsetbv */
    wbinvd                                      /* finds wbinvd */
    int $0x20                                   /* finds int */
    in $0x80, %al                               /* finds in */
    out %eax, %dx                               /* finds out */
    insb                                        /* finds ins */
    rep outsw                                   /* finds outs */
    ret
