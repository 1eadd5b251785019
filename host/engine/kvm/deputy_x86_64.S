/*
 * host/engine/kvm/deputy_x86_64.S: hypercalls by SYSCALL that are served in
 * ring 3 of the VM, see deputy.h. Until deputy_done or deputy_iret_done a call
 * can be started again by the host, from what was kept; from there on it is
 * over, and the host may finish it.
 */
#include "host/engine/kvm/deputy.h"
#include "host/engine/kvm/stub.h"

#define NR_MMU_UPDATE       1
#define NR_STACK_SWITCH     3
#define NR_XEN_VERSION      17
#define NR_IRET             23
#define NR_VCPU_OP          24
#define NR_SET_SEGMENT_BASE 25

#define GS_USER    1      /* SEGBASE_GS_USER */
#define SELF       0x7ff0 /* DOMID_SELF */
#define NO_ENTRY   -2     /* -ENOENT */
#define IN_SYSCALL 0x100  /* VGCF_in_syscall */
#define CS64       0xe033
#define SS64       0xe02b

#define RFLAGS_TF    0x100
#define RFLAGS_IF    9        /* its number */
#define RFLAGS_ON    0x202
#define RFLAGS_GUEST 0x254dd5 /* as enter.c */

#define RAM  0 /* enum frame_state */
#define FREE 1
#define L1   1 /* enum frame_type */

#define PTE_PRESENT  1
#define PTE_NOT_HERE 0x9a /* RW, and what no entry may have: PWT PCD PAT */
#define PTE_USER     4
#define PTE_GLOBAL   0x100
#define PTE_GUEST    52   /* its number */

/* Struct iret_context. */
#define CONTEXT_RAX    0
#define CONTEXT_R11    8
#define CONTEXT_RCX    16
#define CONTEXT_FLAGS  24
#define CONTEXT_RIP    32
#define CONTEXT_CS     40
#define CONTEXT_RFLAGS 48
#define CONTEXT_RSP    56
#define CONTEXT_SS     64

#define INFO_PENDING 0 /* struct vcpu_info */
#define INFO_MASK    1

    /* (index) := 24 times it, or leave if there is no such frame. */
    .macro frame_offset index
    subq DEPUTY_FIRST_MFN(%rax), \index
    cmpq DEPUTY_NR_FRAMES(%rax), \index
    jae deputy_out
    leaq (\index, \index, 2), \index
    shlq $3, \index
    .endm

    .section .rodata

    /* One block for each vCPU. Kernels elsewhere than in the upper half, and
     * user programs, leave at once: the page may not be there. */
    .globl deputy_code
    .balign 64
deputy_code:
    .set id, 0
    .rept DEPUTY_BLOCKS
1:  outb %al, $STUB_PORT
    testq %rcx, %rcx
    jns 1b
    movabsq %rax, DEPUTY_VA + id * 4096 + DEPUTY_RAX
    movabsq $(DEPUTY_VA + id * 4096), %rax
    jmp 2f
    .balign DEPUTY_BLOCK_SIZE, 0xcc
    .set id, id + 1
    .endr

    .globl deputy_keeps
deputy_keeps:
2:  movq %rbx, DEPUTY_RBX(%rax)
    movq %rdx, DEPUTY_RDX(%rax)
    movq %rsp, DEPUTY_RSP(%rax)
    .globl deputy_kept
deputy_kept:
    movl %cs, %ebx
    testb $3, %bl /* else this is ring 0 after all */
    jz deputy_out
    cmpl $0, DEPUTY_ON(%rax)
    je deputy_out
    testl $RFLAGS_TF, %r11d
    jnz deputy_out
    movl DEPUTY_RAX(%rax), %ebx
    cmpl $NR_MMU_UPDATE, %ebx
    je mmu_update
    cmpl $NR_IRET, %ebx
    je deputy_iret
    cmpl $NR_STACK_SWITCH, %ebx
    je stack_switch
    cmpl $NR_SET_SEGMENT_BASE, %ebx
    je set_segment_base
    cmpl $NR_VCPU_OP, %ebx
    je vcpu_op
    cmpl $NR_XEN_VERSION, %ebx
    je xen_version

deputy_out:
    outb %al, $STUB_PORT

    /* The entry at a machine address, of an L1 table: nothing, or that which
     * is written, lets a page be read. */
mmu_update:
    cmpq $1, %rsi
    jne deputy_out
    cmpl $SELF, %r10d
    jne deputy_out
    testq %rdx, %rdx
    jnz deputy_out
    movq (%rdi), %rbx
    testb $7, %bl
    jnz deputy_out
    movq %rbx, DEPUTY_NEW_RAX(%rax)
    shrq $12, %rbx
    frame_offset %rbx
    movabsq $(DEPUTY_VA + DEPUTY_FRAMES), %rdx
    addq %rdx, %rbx
    cmpw $(L1 << 8 | RAM), FRAME_STATE(%rbx) /* and its type */
    jne deputy_out
    testw $FRAME_NOT_PINNED, FRAME_FLAGS(%rbx)
    jnz deputy_out
    cmpl $0, FRAME_USES(%rbx)
    je deputy_out
    movq 8(%rdi), %rbx
    testb $PTE_PRESENT, %bl
    jz deputy_out
    testb $PTE_NOT_HERE, %bl
    jnz deputy_out
    movq %rbx, DEPUTY_NEW_RCX(%rax)
    shlq $12, %rbx
    shrq $24, %rbx
    frame_offset %rbx
    addq %rdx, %rbx
    cmpb $FREE, FRAME_STATE(%rbx)
    je deputy_out
    testw $FRAME_NOT_PINNED, FRAME_FLAGS(%rbx)
    jnz deputy_out
    movq DEPUTY_NEW_RCX(%rax), %rdx /* as pagetable_adjust */
    testb $PTE_USER, %dl
    jnz 1f
    btsq $PTE_GUEST, %rdx
    orq $PTE_USER, %rdx
    jmp 2f
1:  btq $PTE_GUEST, %rdx
    jc 2f
    orq $PTE_GLOBAL, %rdx
2:  movabsq $(DEPUTY_VA + DEPUTY_WINDOW), %rbx
    addq DEPUTY_NEW_RAX(%rax), %rbx
    movq %rax, %rsp /* what another vCPU writes there meanwhile stays */
    movq (%rbx), %rax
    testb $PTE_PRESENT, %al
    jnz 3f
    lock cmpxchgq %rdx, (%rbx)
    jne 3f
    movq %rsp, %rax
    jmp no_error
3:  movq %rsp, %rax
    jmp deputy_out

stack_switch:
    movq %rdi, DEPUTY_KERNEL_SS(%rax)
    movq %rsi, DEPUTY_KERNEL_SP(%rax)
    jmp no_error

set_segment_base:
    cmpq $GS_USER, %rdi
    jne deputy_out
    movq %rsi, %rbx
    shlq $16, %rbx
    sarq $16, %rbx
    cmpq %rsi, %rbx
    jne deputy_out
    movq %rsi, DEPUTY_GS_USER(%rax)
    jmp no_error

    /* Of a vCPU that does not exist. */
vcpu_op:
    cmpl DEPUTY_NR_VCPUS(%rax), %esi
    jb deputy_out
    movq $NO_ENTRY, %rbx
    jmp answer

    /* XENVER_version: how a kernel asks for its events. */
xen_version:
    testq %rdi, %rdi
    jnz deputy_out
    movq DEPUTY_INFO_VA(%rax), %rdx
    cmpb $0, INFO_PENDING(%rdx)
    jne deputy_out
    movq DEPUTY_VERSION(%rax), %rbx
    jmp answer

no_error:
    xorl %ebx, %ebx
answer:
    incq DEPUTY_COUNT(%rax)
    movq %rbx, DEPUTY_RAX(%rax)
    .globl deputy_done
deputy_done:
    leaq DEPUTY_STACK(%rax), %rsp
    pushq %r11
    movq DEPUTY_RBX(%rax), %rbx
    movq DEPUTY_RDX(%rax), %rdx
    popfq
    movq DEPUTY_RSP(%rax), %rsp
    movq DEPUTY_RAX(%rax), %rax
    jmpq *%rcx

    /* From the kernel to itself. */
    .globl deputy_iret
deputy_iret:
    cmpl $0, DEPUTY_MAY_IRET(%rax)
    je deputy_out
    testl $IN_SYSCALL, CONTEXT_FLAGS(%rsp)
    jnz deputy_out
    movzwl CONTEXT_CS(%rsp), %ebx
    testb $3, %bl
    jnz deputy_out
    orl $3, %ebx
    cmpl $CS64, %ebx
    jne deputy_out
    movzwl CONTEXT_SS(%rsp), %ebx
    orl $3, %ebx
    cmpl $SS64, %ebx
    jne deputy_out
    movq CONTEXT_RIP(%rsp), %rbx
    movq %rbx, DEPUTY_FRAME(%rax)
    shlq $16, %rbx
    sarq $16, %rbx
    cmpq DEPUTY_FRAME(%rax), %rbx
    jne deputy_out
    movl %cs, %ebx
    movq %rbx, DEPUTY_FRAME + 8(%rax)
    movl %ss, %ebx
    movq %rbx, DEPUTY_FRAME + 32(%rax)
    movq CONTEXT_RFLAGS(%rsp), %rdx
    testl $RFLAGS_TF, %edx
    jnz deputy_out
    movl %edx, %ebx
    andl $RFLAGS_GUEST, %ebx
    orl $RFLAGS_ON, %ebx
    movq %rbx, DEPUTY_FRAME + 16(%rax)
    movq CONTEXT_RSP(%rsp), %rbx
    movq %rbx, DEPUTY_FRAME + 24(%rax)
    movq CONTEXT_RAX(%rsp), %rbx
    movq %rbx, DEPUTY_NEW_RAX(%rax)
    movq CONTEXT_RCX(%rsp), %rbx
    movq %rbx, DEPUTY_NEW_RCX(%rax)
    movq CONTEXT_R11(%rsp), %rbx
    movq %rbx, DEPUTY_NEW_R11(%rax)

    /* First the mask, then the look: who sees it set wakes nobody. */
    movq DEPUTY_INFO_VA(%rax), %rbx
    shrl $RFLAGS_IF, %edx
    notl %edx
    andl $1, %edx
    jnz 1f
    xchgb %dl, INFO_MASK(%rbx)
    cmpb $0, INFO_PENDING(%rbx)
    jne deputy_out
    jmp 2f
1:  xchgb %dl, INFO_MASK(%rbx)
2:  incq DEPUTY_COUNT(%rax)
    .globl deputy_iret_done
deputy_iret_done:
    leaq DEPUTY_FRAME(%rax), %rsp
    movq DEPUTY_RBX(%rax), %rbx
    movq DEPUTY_RDX(%rax), %rdx
    movq DEPUTY_NEW_RCX(%rax), %rcx
    movq DEPUTY_NEW_R11(%rax), %r11
    movq DEPUTY_NEW_RAX(%rax), %rax
    iretq
    .globl deputy_code_end
deputy_code_end:

    .section .note.GNU-stack, "", @progbits
