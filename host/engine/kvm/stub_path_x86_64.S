/*
 * host/engine/kvm/stub_path_x86_64.S: short paths: what need not leave the VM,
 * because all that it takes is the guest's: a user program's system call, most
 * faults, the kernel's iret hypercall and three others. LSTAR of each vCPU leads
 * to its own copy of these two pages, first to the entry; gates of its IDT to the
 * second. path.c says what the host does for them, and undoes what was begun;
 * host/pv/{bounce,iret}.c do the same outside. Until IRETQ nothing is lost: that
 * code starts again from what was kept here, so every `out`, fault and signal in
 * between may go there.
 *
 * Ring 0 writes and reads the guest's memory by the guest's own tables, with
 * CR0.WP, outside of the hypervisor's slots: it can do what the guest can.
 */
#include "host/engine/kvm/stub.h"

#define MSR_FS_BASE  0xc0000100
#define MSR_GS_BASE  0xc0000101
#define CR0_TS       8
#define CS64         0xe033
#define SS64         0xe02b

/* xen.h has no parts for assemblers. */
#define NR_STACK_SWITCH     3
#define NR_FPU_TASKSWITCH   5
#define NR_IRET             23
#define NR_SET_SEGMENT_BASE 25
#define SEGBASE_GS_USER     1
#define SEGBASE_GS_KERNEL   2
#define IN_SYSCALL          0x100 /* VGCF_in_syscall */

/* The slots of Xen; a page before or behind them that a frame may touch; the
 * same at the ends of all addresses. */
#define HOLE        0xffff800000000000
#define HOLE_BEFORE 0xffff7ffffffff000
#define HOLE_SIZE   0x0000080000001000
#define HOLE_SHIFT  43
#define HOLE_SLOTS  0x1ffff0
#define LOW_END     4096

#define RFLAGS_FIXED    2
#define RFLAGS_TF       0x100
#define RFLAGS_IF_SHIFT 9
#define RFLAGS_SHOWN    0x3200   /* IF and IOPL, which are virtual in frames */
#define RFLAGS_ON       0x202
#define RFLAGS_GUEST    0x254dd5 /* as enter.c */
#define RFLAGS_TRAP     0x200cd5 /* without those cleared at entry, bounce.c */
#define RFLAGS_CALL     0x2008d5 /* and without DF */

#define VECTOR_PF   14
#define HAVE_ERROR  0x227d00 /* 8, 10-14, 17, 21 */
#define PF_PRESENT  1
#define PF_WRITE    2
#define PF_USER     4
#define PF_RESERVED 8

/* The words of struct stub_frame. */
#define TRAP_RIP    8
#define TRAP_CS     16
#define TRAP_RFLAGS 24
#define TRAP_RSP    32
#define TRAP_SS     40

/* The words of struct iret_context. */
#define CONTEXT_RAX    0
#define CONTEXT_R11    8
#define CONTEXT_RCX    16
#define CONTEXT_FLAGS  24
#define CONTEXT_RIP    32
#define CONTEXT_CS     40
#define CONTEXT_RFLAGS 48
#define CONTEXT_RSP    56
#define CONTEXT_SS     64
#define CONTEXT_SIZE   72

#define INFO_PENDING 0 /* struct vcpu_info */
#define INFO_MASK    1
#define INFO_CR2     16

#define OWN(field) (path + (field))(%rip)

    /* All that is used below; then there is a stack for a trap. */
    .macro keep
    movq %rsp, OWN(PATH_RSP)
    movq %rax, OWN(PATH_RAX)
    movq %rbx, OWN(PATH_RBX)
    movq %rcx, OWN(PATH_RCX)
    movq %rdx, OWN(PATH_RDX)
    movq %r11, OWN(PATH_R11)
    .endm

    /* The GS base in use := (new); the old one is kept as (old)'s. */
    .macro read_gs old
    movl $MSR_GS_BASE, %ecx
    rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, OWN(\old)
    .endm

    .macro write_gs new
    movq OWN(\new), %rax
    movq %rax, %rdx
    shrq $32, %rdx
    wrmsr
    .endm

/* An iret of the guest's is done: count it, and go where it goes. */
.macro end_iret
    incq OWN(PATH_COUNT)
    movq OWN(PATH_NEW_RAX), %rax
    movq OWN(PATH_NEW_RCX), %rcx
    movq OWN(PATH_RBX), %rbx
    movq OWN(PATH_RDX), %rdx
    iretq
.endm

    .section .rodata

    /* LSTAR: one of three, as its second byte says (stub_lead_to). */
    .globl stub_entry
    .balign 64
stub_entry:
    .set own_code, stub_entry + 4096
    .set spare, stub_entry + (STUB_SPARE_PAGE - STUB_ENTRY_PAGE) * 4096
    .byte 0xeb, stub_entry_out - stub_entry - 2
    .globl stub_entry_out
stub_entry_out:
    outb %al, $STUB_PORT
    .globl stub_entry_path
stub_entry_path:
    jmp own_code

    /* Is this ring 0? Then what is in the spare page, with nothing remembered
     * of where that was? Somewhere this runs in ring 3, and then the tables are
     * not to be asked about. */
    .globl stub_probe
stub_probe:
    movl %cs, %eax
    cmpl $STUB_CS, %eax
    jne stub_probe_out
    movq %cr3, %rbx
    movq %rbx, %cr3
    movq (spare + 8)(%rip), %rcx
    .globl stub_probe_out
stub_probe_out:
    outb %al, $STUB_PORT
    .globl stub_entry_end
stub_entry_end:

    .globl stub_path
    .balign 64
stub_path:
    .set path, stub_path + 4096
    .set frame, stub_path + (STUB_STACK_PAGE + 1 - STUB_CODE_PAGE) * 4096 - 48
    cmpq $0, OWN(PATH_USER)
    je 1f
    cmpq $0, OWN(PATH_BOUNCE)
    je stub_path_leave
    keep
    jmp stub_bounce
1:  cmpl $NR_IRET, %eax
    jne 2f
    cmpq $0, OWN(PATH_IRET)
    je stub_path_leave
    keep
    jmp stub_iret
2:  cmpl $NR_SET_SEGMENT_BASE, %eax
    je 3f
    cmpl $NR_STACK_SWITCH, %eax
    je 3f
    cmpl $NR_FPU_TASKSWITCH, %eax
    jne stub_path_leave
3:  cmpq $0, OWN(PATH_CALLS)
    je stub_path_leave
    keep
    jmp stub_call

    .globl stub_path_leave
stub_path_leave:
    outb %al, $STUB_PORT

    /* The vectors that are bounced here: each STUB_GATE_SIZE bytes. */
    .globl stub_gates
    .balign STUB_GATE_SIZE
stub_gates:
    .set vector, 0
    .rept STUB_NR_GATES
    testb $3, (frame + TRAP_CS)(%rip)
    jnz 1f
    outb %al, $STUB_PORT /* of our own: the last of the VM */
1:  movl $vector, OWN(PATH_VECTOR)
    jmp stub_trap
    .balign STUB_GATE_SIZE, 0xcc
    .set vector, vector + 1
    .endr

    .globl stub_trap
stub_trap:
    movq %rax, OWN(PATH_RAX)
    movq %rbx, OWN(PATH_RBX)
    movq %rcx, OWN(PATH_RCX)
    movq %rdx, OWN(PATH_RDX)
    movq %r11, OWN(PATH_R11)
    .globl stub_trap_kept
stub_trap_kept:
    movq OWN(PATH_USER), %rax
    movq %rax, OWN(PATH_FROM_USER)
    .set word, 0
    .rept 6
    movq (frame + word)(%rip), %rax
    movq %rax, (path + PATH_TRAP + word)(%rip)
    .set word, word + 8
    .endr
    movq %cr2, %rax
    movq %rax, OWN(PATH_CR2)

    movl OWN(PATH_VECTOR), %ecx
    leaq OWN(PATH_HANDLERS), %rbx
    movq (%rbx, %rcx, 8), %rax
    testq %rax, %rax /* none, or not now */
    jz stub_trap_leave
    movq %rax, OWN(PATH_FRAME)
    xorl %eax, %eax
    btl %ecx, OWN(PATH_MASKING)
    setc %al
    movq %rax, OWN(PATH_MASKS)
    xorl %eax, %eax
    movl $HAVE_ERROR, %edx
    btl %ecx, %edx
    setc %al
    movq %rax, OWN(PATH_HAS_ERROR)
    movq $RFLAGS_TRAP, OWN(PATH_KEEP)
    cmpl $VECTOR_PF, %ecx
    jne 1f

    /* Not ours: the hypervisor's slots, reserved bits, a kernel's write to
     * what may be a page table. */
    movq OWN(PATH_CR2), %rax
    shrq $HOLE_SHIFT, %rax
    cmpl $HOLE_SLOTS, %eax
    je stub_trap_leave
    movl OWN(PATH_TRAP), %eax
    testl $PF_RESERVED, %eax
    jnz stub_trap_leave
    cmpq $0, OWN(PATH_USER)
    jne 1f
    andl $~PF_USER, %eax
    movl %eax, OWN(PATH_TRAP)
    notl %eax
    testl $(PF_PRESENT + PF_WRITE), %eax
    jz stub_trap_leave
1:  jmp stub_frame_begin

stub_trap_leave:
    outb %al, $STUB_PORT

    /* A user program's SYSCALL, as if it were a trap (bounce_syscall). */
    .globl stub_bounce
stub_bounce:
    movl $STUB_SYSCALL, OWN(PATH_VECTOR)
    movq $1, OWN(PATH_FROM_USER)
    movq %rcx, OWN(PATH_TRAP + TRAP_RIP)
    movq $CS64, OWN(PATH_TRAP + TRAP_CS)
    movq %r11, OWN(PATH_TRAP + TRAP_RFLAGS)
    movq OWN(PATH_RSP), %rax
    movq %rax, OWN(PATH_TRAP + TRAP_RSP)
    movq $SS64, OWN(PATH_TRAP + TRAP_SS)
    movq OWN(PATH_CALLBACK), %rax
    movq %rax, OWN(PATH_FRAME)
    movq OWN(PATH_CALLBACK_MASKS), %rax
    movq %rax, OWN(PATH_MASKS)
    movq $0, OWN(PATH_HAS_ERROR)
    movq $RFLAGS_CALL, OWN(PATH_KEEP)
    jmp stub_frame_begin

    /*
     * The frame (push_frame_with): of what PATH_TRAP says, with an error code
     * if PATH_HAS_ERROR, to PATH_FRAME.
     */
    .globl stub_frame, stub_frame_leave
stub_frame:
stub_frame_leave:
    outb %al, $STUB_PORT
stub_frame_begin:
    leaq OWN(PATH_FRAME), %rsp
    movq OWN(PATH_INFO), %rbx
    movzwl INFO_PENDING(%rbx), %eax
    xorl %edx, %edx
    cmpb $1, %ah /* the mask */
    cmc
    setc %dl
    movq %rdx, OWN(PATH_MASK)
    jc 1f
    testb %al, %al
    jnz stub_frame_leave
1:  movq OWN(PATH_TRAP + TRAP_RSP), %rbx
    cmpq $0, OWN(PATH_USER)
    je 2f
    movq OWN(PATH_KERNEL_SP), %rbx
2:  andq $~15, %rbx
    cmpq $LOW_END, %rbx
    jb stub_frame_leave
    movabsq $HOLE, %rax
    movq %rbx, %rdx
    subq %rax, %rdx
    movabsq $HOLE_SIZE, %rax
    cmpq %rax, %rdx
    jb stub_frame_leave

    cmpq $0, OWN(PATH_USER)
    je 3f
    read_gs PATH_GS + 8
    .globl stub_frame_gs
stub_frame_gs:
    write_gs PATH_GS
    movq OWN(PATH_CR3), %rax
    movq %rax, %cr3

3:  movq OWN(PATH_TRAP + TRAP_SS), %rax
    movq %rax, -8(%rbx)
    movq OWN(PATH_TRAP + TRAP_RSP), %rax
    movq %rax, -16(%rbx)
    movl OWN(PATH_MASK), %edx
    movl %edx, %eax
    xorl $1, %eax
    shll $RFLAGS_IF_SHIFT, %eax
    movq OWN(PATH_TRAP + TRAP_RFLAGS), %r11
    movq %r11, %rcx
    andq $~RFLAGS_SHOWN, %rcx
    orq %rax, %rcx
    orq $RFLAGS_FIXED, %rcx
    orq OWN(PATH_IOPL), %rcx
    movq %rcx, -24(%rbx)
    movzwl OWN(PATH_TRAP + TRAP_CS), %eax
    cmpq $0, OWN(PATH_USER)
    jne 4f
    andl $~3, %eax /* this was the kernel */
4:  shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, -32(%rbx)
    movq OWN(PATH_TRAP + TRAP_RIP), %rcx
    movq %rcx, -40(%rbx)
    cmpq $0, OWN(PATH_HAS_ERROR)
    je 5f
    movl OWN(PATH_TRAP), %eax
    movq %rax, -48(%rbx)
    subq $8, %rbx
5:  movq OWN(PATH_R11), %rax
    movq %rax, -48(%rbx)
    movq OWN(PATH_RCX), %rax
    movq %rax, -56(%rbx)
    subq $56, %rbx

    movq %rbx, OWN(PATH_FRAME + 24)
    movl %r11d, %eax
    andl OWN(PATH_KEEP), %eax
    orl $RFLAGS_ON, %eax
    movq %rax, OWN(PATH_FRAME + 16)
    movq $CS64, OWN(PATH_FRAME + 8)
    movq $SS64, OWN(PATH_FRAME + 32)
    movq OWN(PATH_INFO), %rbx
    cmpl $VECTOR_PF, OWN(PATH_VECTOR)
    jne 6f
    movq OWN(PATH_CR2), %rax
    movq %rax, OWN(PATH_GUEST_CR2)
    movq %rax, INFO_CR2(%rbx)
6:  movq $0, OWN(PATH_USER)
    incq OWN(PATH_COUNT)
    cmpq $0, OWN(PATH_MASKS)
    je 7f
    .globl stub_frame_mask
stub_frame_mask:
    movb $1, INFO_MASK(%rbx)
7:  movq OWN(PATH_RAX), %rax
    movq OWN(PATH_RBX), %rbx
    movq OWN(PATH_RDX), %rdx
    iretq
    .globl stub_frame_end
stub_frame_end:
    nop

    /* Where the frame on the kernel's stack says (bounce_iret). */
    .globl stub_iret
stub_iret:
    leaq OWN(PATH_FRAME), %rsp
    movq OWN(PATH_RSP), %rbx
    movabsq $HOLE_BEFORE, %rax
    movq %rbx, %rdx
    subq %rax, %rdx
    movabsq $HOLE_SIZE, %rax
    cmpq %rax, %rdx
    jb 7f
    cmpq $-CONTEXT_SIZE, %rbx
    ja 7f

    testl $IN_SYSCALL, CONTEXT_FLAGS(%rbx)
    jnz 7f
    movq CONTEXT_RIP(%rbx), %rax
    movq %rax, %rdx
    shlq $16, %rdx
    sarq $16, %rdx
    cmpq %rax, %rdx
    jne 7f
    movq %rax, OWN(PATH_FRAME)
    movq CONTEXT_RSP(%rbx), %rax
    movq %rax, OWN(PATH_FRAME + 24)
    movzwl CONTEXT_SS(%rbx), %eax
    orl $3, %eax
    movq %rax, OWN(PATH_FRAME + 32)
    movzwl CONTEXT_CS(%rbx), %edx
    movl %edx, %eax
    orl $3, %eax
    movq %rax, OWN(PATH_FRAME + 8)
    movq CONTEXT_RAX(%rbx), %rax
    movq %rax, OWN(PATH_NEW_RAX)
    movq CONTEXT_RCX(%rbx), %rax
    movq %rax, OWN(PATH_NEW_RCX)
    movq CONTEXT_R11(%rbx), %r11
    movq CONTEXT_RFLAGS(%rbx), %rcx
    testl $RFLAGS_TF, %ecx
    jnz 7f
    movq %rcx, %rax
    andq OWN(PATH_IOPL_MASK), %rax
    cmpq OWN(PATH_IOPL), %rax
    jne 7f
    movl %ecx, %eax
    andl $RFLAGS_GUEST, %eax
    orl $RFLAGS_ON, %eax
    movq %rax, OWN(PATH_FRAME + 16)

    /* First the mask, then the look: who sees it set wakes nobody. */
    movq OWN(PATH_INFO), %rbx
    movl %ecx, %eax
    notl %eax
    shrl $9, %eax
    andl $1, %eax
    xchgb %al, INFO_MASK(%rbx)
    btl $9, %ecx
    jnc 4f
    cmpb $0, INFO_PENDING(%rbx)
    jne 7f
4:  andl $3, %edx
    cmpl $3, %edx
    je 5f
    end_iret

7:  outb %al, $STUB_PORT

    /* To user mode. From stub_iret_gs on, the base may be another. */
5:  cmpq $0, OWN(PATH_CR3 + 8)
    je 7b
    read_gs PATH_GS
    .globl stub_iret_gs
stub_iret_gs:
    write_gs PATH_GS + 8
    movq OWN(PATH_CR3 + 8), %rax
    movq %rax, %cr3
    movq $1, OWN(PATH_USER)
    end_iret
    .globl stub_iret_end
stub_iret_end:
    nop

    /* What kernels call to switch threads, and where it leaves no trace but in
     * registers and here (calls/segment.c, trap.c, cpu.c). */
    .globl stub_call
stub_call:
    testl $RFLAGS_TF, %r11d
    jnz 9f
    leaq OWN(PATH_FRAME), %rsp
    movq %rcx, OWN(PATH_FRAME)
    movq $CS64, OWN(PATH_FRAME + 8)
    movl %r11d, %edx
    andl $RFLAGS_GUEST, %edx
    orl $RFLAGS_ON, %edx
    movq %rdx, OWN(PATH_FRAME + 16)
    movq OWN(PATH_RSP), %rdx
    movq %rdx, OWN(PATH_FRAME + 24)
    movq $SS64, OWN(PATH_FRAME + 32)
    movq OWN(PATH_INFO), %rbx
    movzwl INFO_PENDING(%rbx), %edx
    testb %dh, %dh /* the mask */
    jnz 1f
    testb %dl, %dl
    jnz 9f
1:  cmpl $NR_STACK_SWITCH, %eax
    je 2f
    cmpl $NR_FPU_TASKSWITCH, %eax
    je 3f

    movq %rsi, %rdx
    shlq $16, %rdx
    sarq $16, %rdx
    cmpq %rsi, %rdx
    jne 9f
    cmpq $SEGBASE_GS_USER, %rdi
    jb 4f
    je 5f
    cmpq $SEGBASE_GS_KERNEL, %rdi
    jne 9f
    movq %rsi, OWN(PATH_GS)
    write_gs PATH_GS
    jmp 8f
4:  movl $MSR_FS_BASE, %ecx
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
    wrmsr
    jmp 8f
5:  movq %rsi, OWN(PATH_GS + 8)
    jmp 8f

2:  movq %rdi, OWN(PATH_KERNEL_SS)
    movq %rsi, OWN(PATH_KERNEL_SP)
    jmp 8f

3:  clts
    testl %edi, %edi
    jz 8f
    movq %cr0, %rax
    orl $CR0_TS, %eax
    movq %rax, %cr0

8:  incq OWN(PATH_COUNT)
    xorl %eax, %eax
    movq OWN(PATH_RBX), %rbx
    movq OWN(PATH_RCX), %rcx
    movq OWN(PATH_RDX), %rdx
    iretq

9:  outb %al, $STUB_PORT

    .globl stub_path_end
stub_path_end:

    .section .note.GNU-stack, "", @progbits
