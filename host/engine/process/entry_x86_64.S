/*
 * host/engine/process/entry_x86_64.S: between the guest and the shim.
 *
 * A hypercall stub has put the number into EAX and jumped here, on the guest's
 * stack, with the guest's FS base. Everything but RAX and the argument
 * registers is the guest's to find unchanged, vector state included.
 */
#include "host/engine/process/process.h"
#include "host/version.h"

#define CPU(field) process_cpu+CPU_##field(%rip)
#define REG(n)     process_cpu+CPU_REGS+8*(n)(%rip)
#define FRAME(n)   process_cpu+CPU_FRAME+8*(n)(%rip)

/* struct regs */
#define R15 0
#define R14 1
#define R13 2
#define R12 3
#define RBP 4
#define RBX 5
#define R11 6
#define R10 7
#define R9 8
#define R8 9
#define RAX 10
#define RCX 11
#define RDX 12
#define RSI 13
#define RDI 14
#define RIP 15
#define CS 16
#define RFLAGS 17
#define RSP 18
#define SS 19

#define XSAVE(offset) process_cpu+CPU_XSAVE+offset(%rip)

    .macro movaps_out n
    movaps %xmm\n, XSAVE(XSAVE_XMM+16*\n)
    .endm
    .macro movaps_in n
    movaps XSAVE(XSAVE_XMM+16*\n), %xmm\n
    .endm
    .macro XMM move
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \move \n
    .endr
    .endm

    .section .rodata
    .balign 64
initial_state:                          /* what XRSTOR makes of no component */
    .zero XSAVE_MXCSR
    .long 0x1f80
    .zero 576 - XSAVE_MXCSR - 4

    .text

    /*
     * xen_version(XENVER_version) is the ABI's null call: kernels make it only
     * to have pending events delivered, after opening their mask. It is
     * answered on the guest's own stack, from registers alone, when there is
     * nothing to deliver. A signal in here restarts the call from its stub: up to
     * process_fast_known that is any call, its registers untouched; from there
     * on it is this one, and RDI was 0.
     */
    .globl process_hypercall_entry
    .balign 64
process_hypercall_entry:
    cmpl $17, %eax                      /* __HYPERVISOR_xen_version */
    jne process_slow
    testl %edi, %edi                    /* XENVER_version */
    jne process_slow
    .globl process_fast_known
process_fast_known:
    movl CPU(WORK), %eax
    orl CPU(NO_FAST), %eax
    jnz 1f
    movq CPU(INFO), %rdi
    movzwl (%rdi), %eax                 /* evtchn_upcall_pending, _mask */
    xorl %edi, %edi
    decl %eax
    jz 1f                               /* pending and not masked */
    movl $PARAVANE_XEN_VERSION, %eax
    ret
1:  movl $17, %eax
    .globl process_fast_end
process_fast_end:

process_slow:
    movq %rsp, REG(RSP)
    movq CPU(HOST_RSP), %rsp
    movl $1, CPU(IN_SHIM)
    movq %rax, REG(RAX)
    leaq process_hypercall(%rip), %rax
    jmp process_save

    /*
     * The iret stub is jumped to with a frame on the stack, and has pushed
     * RCX, R11 and RAX in front of it.
     */
    .globl process_iret_entry
process_iret_entry:
    movq %rsp, REG(RSP)
    movq CPU(HOST_RSP), %rsp
    movl $1, CPU(IN_SHIM)
    movq %rax, REG(RAX)
    leaq process_iret(%rip), %rax

process_save:                           /* RAX: the C function to call */
    movq %r15, REG(R15)
    movq %r14, REG(R14)
    movq %r13, REG(R13)
    movq %r12, REG(R12)
    movq %rbp, REG(RBP)
    movq %rbx, REG(RBX)
    movq %r11, REG(R11)
    movq %r10, REG(R10)
    movq %r9, REG(R9)
    movq %r8, REG(R8)
    movq %rcx, REG(RCX)
    movq %rdx, REG(RDX)
    movq %rsi, REG(RSI)
    movq %rdi, REG(RDI)
    pushfq
    popq REG(RFLAGS)
    pushq $0x202                        /* no DF, AC, TF, NT in the shim */
    popfq
    movq %rax, %rbx
    rdfsbase %rax
    movq %rax, CPU(GUEST_FS)
    movq CPU(HOST_FS), %rax
    wrfsbase %rax

    /*
     * Vector state. XSAVE and XRSTOR cost more than most hypercalls; when the
     * CPU says that the guest uses nothing wider than SSE, sixteen plain stores
     * do. The shim computes nothing with x87.
     */
    xorl %ecx, %ecx
    cmpl $0, CPU(TELLS_IN_USE)
    je 1f
    incl %ecx
    xgetbv
    testl $XSTATE_WIDE, %eax
    jnz 1f
    movl $0, CPU(WIDE)
    stmxcsr XSAVE(XSAVE_MXCSR)
    XMM movaps_out
    jmp 2f
1:  movl $1, CPU(WIDE)
    movl CPU(XSTATE), %eax
    xorl %edx, %edx
    xsave64 XSAVE(0)
2:  movl $0x1f80, -8(%rsp)
    ldmxcsr -8(%rsp)
    movq CPU(VCPU), %rdi
    call *%rbx

process_go:                             /* EAX: GO_* */
    cmpl $GO_LEAVE, %eax
    je process_leave
    movl %eax, CPU(CHANGED)

    /*
     * From here to the return no C code runs, and REG() and XSAVE hold the
     * whole guest: a signal in this window goes back to process_recheck, so
     * that work it announced is not missed.
     */
    .globl process_window
process_window:
    cmpl $0, CPU(WORK)
    jne process_recheck
    cmpl $0, CPU(WIDE)
    jne 2f
    movl $1, %ecx
    xgetbv
    andl $XSTATE_WIDE, %eax
    jz 1f
    /* The shim's library used wider registers: as unused as they were. */
    xorl %edx, %edx
    xrstor64 initial_state(%rip)
1:  ldmxcsr XSAVE(XSAVE_MXCSR)
    XMM movaps_in
    jmp 3f
2:  movl CPU(XSTATE), %eax
    xorl %edx, %edx
    xrstor64 XSAVE(0)
3:
    movq CPU(GUEST_FS), %rax
    wrfsbase %rax
    movq REG(R15), %r15
    movq REG(R14), %r14
    movq REG(R13), %r13
    movq REG(R12), %r12
    movq REG(RBP), %rbp
    movq REG(RBX), %rbx
    movq REG(R11), %r11
    movq REG(R10), %r10
    movq REG(R9), %r9
    movq REG(R8), %r8
    movq REG(RCX), %rcx
    movq REG(RDX), %rdx
    movq REG(RSI), %rsi
    movq REG(RDI), %rdi
    movq REG(RAX), %rax
    movl $0, CPU(IN_SHIM)
    cmpl $GO_RETURN, CPU(CHANGED)
    jne 4f
    movq REG(RSP), %rsp
    ret
4:  leaq process_cpu+CPU_FRAME(%rip), %rsp
    iretq
    .globl process_window_end
process_window_end:

    .globl process_recheck
process_recheck:
    movl $1, CPU(IN_SHIM)
    movq CPU(HOST_FS), %rax
    wrfsbase %rax
    movq CPU(HOST_RSP), %rsp
    movq CPU(VCPU), %rdi
    call process_before_guest
    cmpl $GO_LEAVE, %eax
    je process_leave
    orl %eax, CPU(CHANGED)
    jmp process_window

    /* void process_enter(void) */
    .globl process_enter
process_enter:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp                       /* calls from here are aligned */
    movq %rsp, CPU(HOST_RSP)
    rdfsbase %rax
    movq %rax, CPU(HOST_FS)
    movl $GO_RESUME, CPU(CHANGED)
    jmp process_recheck

    .globl process_leave
process_leave:
    movl $1, CPU(IN_SHIM)               /* nobody goes back from here */
    movq CPU(HOST_FS), %rax
    wrfsbase %rax
    movq CPU(HOST_RSP), %rsp
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

    /*
     * Every signal handler: (signal, info, context) in RDI, RSI, RDX, on the
     * alternate stack, with whatever FS base was there.
     */
    .globl process_signal_entry
process_signal_entry:
    rdfsbase %rax
    pushq %rax
    movq CPU(HOST_FS), %rcx
    wrfsbase %rcx
    pushq $0x202                        /* the kernel leaves AC as it was */
    popfq
    movq %rsp, %rcx                     /* the handler may change it */
    call process_signal
    popq %rax
    wrfsbase %rax
    ret                                 /* to process_sigreturn */

    .globl process_sigreturn
process_sigreturn:
    movl $15, %eax                      /* __NR_rt_sigreturn */
    syscall
    ud2
    .globl process_entry_end
process_entry_end:

    .section .note.GNU-stack, "", @progbits
