/*
 * host/engine/process/entry_x86_64.S: between the guest and the shim.
 *
 * A hypercall stub has put the number into EAX and jumped here, on the guest's
 * stack, with the guest's FS base. Everything but RAX and the argument
 * registers is the guest's to find unchanged, vector state included.
 */
#include "host/engine/process/process.h"
#include "host/version.h"

#define FIRST(field) process_cpus+CPU_##field(%rip)
#define REG(n)       CPU_REGS+8*(n)

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

    .macro movaps_out n
    movaps %xmm\n, CPU_XSAVE+XSAVE_XMM+16*\n(%rbx)
    .endm
    .macro movaps_in n
    movaps CPU_XSAVE+XSAVE_XMM+16*\n(%rsp), %xmm\n
    .endm
    .macro XMM move
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \move \n
    .endr
    .endm

    /* RAX := the record of this thread, one of several. */
    .macro FIND_RECORD
1:  movl %es, %eax
    xorl $PROCESS_ES_BITS, %eax
    testl $~PROCESS_ES_INDEX, %eax
    jz 2f
    ud2                                 /* the handler loads ES, and goes on */
    jmp 1b
2:  shll $PROCESS_ES_SHIFT, %eax
    addq process_records(%rip), %rax
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
    movl FIRST(WORK), %eax
    orl FIRST(NO_FAST), %eax
    jnz 1f
    movq FIRST(INFO), %rdi
    movzwl (%rdi), %eax                 /* evtchn_upcall_pending, _mask */
    xorl %edi, %edi
    decl %eax
    jz 1f                               /* pending and not masked */
    movl $PARAVANE_XEN_VERSION, %eax
    ret
1:  movl $17, %eax
    jmp process_slow

    /* The same where there are several vCPUs; any other call begins below. */
    .globl process_many_version
process_many_version:
    testl %edi, %edi
    jne 4f
    .globl process_many_known
process_many_known:
    FIND_RECORD
    movl CPU_WORK(%rax), %edi
    orl CPU_NO_FAST(%rax), %edi
    jnz 3f
    movq CPU_INFO(%rax), %rdi
    movzwl (%rdi), %eax
    xorl %edi, %edi
    decl %eax
    jz 3f
    movl $PARAVANE_XEN_VERSION, %eax
    ret
3:  xorl %edi, %edi
4:  jmp process_many + 17*PROCESS_MANY_ENTRY
    .globl process_fast_end
process_fast_end:

    /* One vCPU: its record is the first. */
process_slow:
    movq %rcx, process_cpus+REG(RCX)(%rip)
    leaq process_cpus(%rip), %rcx
    movq %rax, REG(RAX)(%rcx)
process_call:
    leaq process_hypercall(%rip), %rax
    jmp process_save

    /*
     * The iret stub is jumped to with a frame on the stack, and has pushed
     * RCX, R11 and RAX in front of it.
     */
    .globl process_iret_entry
process_iret_entry:
    movq %rcx, process_cpus+REG(RCX)(%rip)
    leaq process_cpus(%rip), %rcx
    movq %rax, REG(RAX)(%rcx)
process_call_iret:
    leaq process_iret(%rip), %rax
    jmp process_save

    /*
     * RAX: the C function to call. RCX: the record, which has the guest's RAX
     * and RCX already.
     */
process_save:
    movq %rsp, REG(RSP)(%rcx)
    movq CPU_HOST_RSP(%rcx), %rsp
    movl $1, CPU_IN_SHIM(%rcx)
    movq %r15, REG(R15)(%rcx)
    movq %r14, REG(R14)(%rcx)
    movq %r13, REG(R13)(%rcx)
    movq %r12, REG(R12)(%rcx)
    movq %rbp, REG(RBP)(%rcx)
    movq %rbx, REG(RBX)(%rcx)
    movq %r11, REG(R11)(%rcx)
    movq %r10, REG(R10)(%rcx)
    movq %r9, REG(R9)(%rcx)
    movq %r8, REG(R8)(%rcx)
    movq %rdx, REG(RDX)(%rcx)
    movq %rsi, REG(RSI)(%rcx)
    movq %rdi, REG(RDI)(%rcx)
    pushfq
    popq REG(RFLAGS)(%rcx)
    pushq $0x202                        /* no DF, AC, TF, NT in the shim */
    popfq
    movq %rcx, %rbx
    movq %rax, %r12
    rdfsbase %rax
    movq %rax, CPU_GUEST_FS(%rbx)
    movq CPU_HOST_FS(%rbx), %rax
    wrfsbase %rax

    /*
     * Vector state. XSAVE and XRSTOR cost more than most hypercalls; when the
     * CPU says that the guest uses nothing wider than SSE, sixteen plain stores
     * do. The shim computes nothing with x87.
     */
    xorl %ecx, %ecx
    cmpl $0, CPU_TELLS_IN_USE(%rbx)
    je 1f
    incl %ecx
    xgetbv
    testl $XSTATE_WIDE, %eax
    jnz 1f
    movl $0, CPU_WIDE(%rbx)
    stmxcsr CPU_XSAVE+XSAVE_MXCSR(%rbx)
    XMM movaps_out
    jmp 2f
1:  movl $1, CPU_WIDE(%rbx)
    movl CPU_XSTATE(%rbx), %eax
    xorl %edx, %edx
    xsave64 CPU_XSAVE(%rbx)
2:  movl $0x1f80, -8(%rsp)
    ldmxcsr -8(%rsp)
    movq CPU_VCPU(%rbx), %rdi
    call *%r12

process_go:                             /* EAX: GO_*, RBX: the record */
    cmpl $GO_LEAVE, %eax
    je process_leave
    movl %eax, CPU_CHANGED(%rbx)

    /*
     * From here to the return no C code runs, and the record holds the whole
     * guest: a signal in this window goes back to process_recheck, so that
     * work it announced is not missed. RSP is the record: signals have a
     * stack of their own.
     */
    .globl process_window
process_window:
    cmpl $0, CPU_WORK(%rbx)
    jne process_recheck
    movq %rbx, %rsp
    cmpl $0, CPU_WIDE(%rsp)
    jne 2f
    movl $1, %ecx
    xgetbv
    andl $XSTATE_WIDE, %eax
    jz 1f
    /* The shim's library used wider registers: as unused as they were. */
    xorl %edx, %edx
    xrstor64 initial_state(%rip)
1:  ldmxcsr CPU_XSAVE+XSAVE_MXCSR(%rsp)
    XMM movaps_in
    jmp 3f
2:  movl CPU_XSTATE(%rsp), %eax
    xorl %edx, %edx
    xrstor64 CPU_XSAVE(%rsp)
3:
    movq CPU_GUEST_FS(%rsp), %rax
    wrfsbase %rax
    movq REG(R15)(%rsp), %r15
    movq REG(R14)(%rsp), %r14
    movq REG(R13)(%rsp), %r13
    movq REG(R12)(%rsp), %r12
    movq REG(RBP)(%rsp), %rbp
    movq REG(RBX)(%rsp), %rbx
    movq REG(R11)(%rsp), %r11
    movq REG(R10)(%rsp), %r10
    movq REG(R9)(%rsp), %r9
    movq REG(R8)(%rsp), %r8
    movq REG(RCX)(%rsp), %rcx
    movq REG(RDX)(%rsp), %rdx
    movq REG(RSI)(%rsp), %rsi
    movq REG(RDI)(%rsp), %rdi
    movq REG(RAX)(%rsp), %rax
    movl $0, CPU_IN_SHIM(%rsp)
    cmpl $GO_RETURN, CPU_CHANGED(%rsp)
    jne 4f
    movq REG(RSP)(%rsp), %rsp
    ret
4:  leaq CPU_FRAME(%rsp), %rsp
    iretq
    .globl process_window_end
process_window_end:

    .globl process_recheck
process_recheck:                        /* RBX: the record */
    movl $1, CPU_IN_SHIM(%rbx)
    movq CPU_HOST_FS(%rbx), %rax
    wrfsbase %rax
    movq CPU_HOST_RSP(%rbx), %rsp
    movq CPU_VCPU(%rbx), %rdi
    call process_again
    cmpl $GO_LEAVE, %eax
    je process_leave
    orl %eax, CPU_CHANGED(%rbx)
    jmp process_window

    /* void process_enter(struct process_cpu *cpu) */
    .globl process_enter
process_enter:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp                       /* calls from here are aligned */
    movq %rdi, %rbx
    movq %rsp, CPU_HOST_RSP(%rbx)
    rdfsbase %rax
    movq %rax, CPU_HOST_FS(%rbx)
    movl $GO_RESUME, CPU_CHANGED(%rbx)
    jmp process_recheck

    .globl process_leave
process_leave:                          /* RBX: the record */
    movl $1, CPU_IN_SHIM(%rbx)          /* nobody goes back from here */
    movq CPU_HOST_FS(%rbx), %rax
    wrfsbase %rax
    movq CPU_HOST_RSP(%rbx), %rsp
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
    movq %rsp, %r8
    andq $-PROCESS_ALT_STACK, %r8
    movq (%r8), %r8                     /* the record */
    rdfsbase %rax
    pushq %rax
    movq CPU_HOST_FS(%r8), %rcx
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

    /* Several: an entry for each number, so that RAX is free to find which. */
    .balign PROCESS_MANY_ENTRY
    .globl process_many
process_many:
    .set number, 0
    .rept PROCESS_NR_STUBS
    .balign PROCESS_MANY_ENTRY, 0xcc
    FIND_RECORD
    movq %rcx, REG(RCX)(%rax)
    movq $number, REG(RAX)(%rax)
    movq %rax, %rcx
    .if number == 23                    /* __HYPERVISOR_iret */
    jmp process_call_iret
    .else
    jmp process_call
    .endif
    .set number, number + 1
    .endr
    .globl process_many_end
process_many_end:
    .globl process_entry_end
process_entry_end:

    .section .note.GNU-stack, "", @progbits
