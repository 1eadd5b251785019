/*
 * host/engine/process/signals.c: what the guest did that a program cannot, and
 * the tick that interrupts it.
 *
 * A handler runs on the alternate stack. If the guest was interrupted, the
 * signal's context is the guest's state: it is copied to vcpu->regs, served by
 * the same code as on any engine, and copied back. If the shim was, the tick
 * only leaves a note (the record's work); a fault there is a bug, ours or, as
 * the guest can jump anywhere, its.
 */
#include <errno.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/fault.h"
#include "host/engine/process/process.h"
#include "host/engine/tick.h"
#include "host/log.h"
#include "host/pv/bounce.h"
#include "host/pv/emulate.h"

#define SA_RESTORER   0x04000000
#define VECTOR_DB     1
#define VECTOR_GP     13
#define VECTOR_PF     14
#define PF_PRESENT    1u
#define PF_WRITE      2u
#define PF_USER       4u
#define PF_FETCH      16u
#define UD2_LENGTH    2
#define RFLAGS_TF     0x100u
#define DR6_STEP      0x4000u
#define ERROR_IDT     2u
#define INT_LENGTH    2
#define RFLAGS_SHIM   0x202u    /* no DF, AC, TF, NT */
#define ERROR_VECTORS 0x227d00u /* 8, 10-14, 17, 21 */
#define EXIT_CRASHED  125
#define EXIT_INTERNAL 1
#define PATIENCE      3 /* seconds for a report from what is left */

/* The kernel's own layout: glibc's would insist on its own restorer. */
struct kernel_sigaction {
    void (*handler)(void);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static int handle(int signal)
{
    const struct kernel_sigaction action = {
        .handler = (void (*)(void))(uintptr_t)process_signal_entry,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER,
        .restorer = (void (*)(void))(uintptr_t)process_sigreturn,
        .mask = UINT64_C(1) << (TICK_SIGNAL - 1) |
                UINT64_C(1) << (TURN_KICK_SIGNAL - 1),
    };

    return syscall(SYS_rt_sigaction, signal, &action, NULL, 8) ? -errno : 0;
}

int process_signals_create(void)
{
    static const int signals[] = {SIGSEGV,     SIGILL,          SIGTRAP,
                                  SIGFPE,      SIGBUS,          SIGSYS,
                                  TICK_SIGNAL, TURN_KICK_SIGNAL};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        if (handle(signals[i]) == 0)
            continue;
        log_error("cannot set up signals: %m");
        return -errno;
    }
    return 0;
}

/* Aligned to its size, so that a handler finds the record from RSP. */
static void *make_stack(struct process_cpu *cpu)
{
    uint8_t *room = mmap(NULL, 2ul * PROCESS_ALT_STACK, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uintptr_t stack;

    if (room == MAP_FAILED)
        return NULL;
    stack = ((uintptr_t)room + PROCESS_ALT_STACK - 1) &
            ~(uintptr_t)(PROCESS_ALT_STACK - 1);
    memcpy((void *)stack, &cpu, sizeof(struct process_cpu *));
    return (void *)stack;
}

int process_signals_begin(struct vcpu *vcpu)
{
    stack_t stack = {.ss_size = PROCESS_ALT_STACK};

    stack.ss_sp = make_stack(process_cpu_of(vcpu));
    if (!stack.ss_sp) {
        log_error("no memory for the signal stack: %m");
        return -ENOMEM;
    }
    if (sigaltstack(&stack, NULL) || tick_create(vcpu)) {
        log_error("cannot set up the signals of vCPU %u: %m", vcpu->id);
        return -errno;
    }
    return 0;
}

static void regs_from_context(struct regs *regs, const ucontext_t *context)
{
    const greg_t *g = context->uc_mcontext.gregs;

    *regs = (struct regs){
        .r15 = g[REG_R15],
        .r14 = g[REG_R14],
        .r13 = g[REG_R13],
        .r12 = g[REG_R12],
        .rbp = g[REG_RBP],
        .rbx = g[REG_RBX],
        .r11 = g[REG_R11],
        .r10 = g[REG_R10],
        .r9 = g[REG_R9],
        .r8 = g[REG_R8],
        .rax = g[REG_RAX],
        .rcx = g[REG_RCX],
        .rdx = g[REG_RDX],
        .rsi = g[REG_RSI],
        .rdi = g[REG_RDI],
        .rip = g[REG_RIP],
        .cs = FLAT_KERNEL_CS,
        .rflags = g[REG_EFL],
        .rsp = g[REG_RSP],
        .ss = FLAT_KERNEL_SS,
    };
}

static void regs_to_context(const struct regs *regs, ucontext_t *context)
{
    unsigned long long *g = (unsigned long long *)context->uc_mcontext.gregs;

    g[REG_R15] = regs->r15, g[REG_R14] = regs->r14, g[REG_R13] = regs->r13;
    g[REG_R12] = regs->r12, g[REG_RBP] = regs->rbp, g[REG_RBX] = regs->rbx;
    g[REG_R11] = regs->r11, g[REG_R10] = regs->r10, g[REG_R9] = regs->r9;
    g[REG_R8] = regs->r8, g[REG_RAX] = regs->rax, g[REG_RCX] = regs->rcx;
    g[REG_RDX] = regs->rdx, g[REG_RSI] = regs->rsi, g[REG_RDI] = regs->rdi;
    g[REG_RIP] = regs->rip, g[REG_RSP] = regs->rsp;
    g[REG_EFL] = regs->rflags; /* the kernel keeps its own IF and IOPL */
}

/* Go on in the shim at (label), with its stack, once the handler returns. */
static void continue_in_shim(const struct process_cpu *cpu, ucontext_t *context,
                             void *label, uint64_t *fs_base)
{
    greg_t *g = context->uc_mcontext.gregs;

    g[REG_RIP] = (greg_t)(uintptr_t)label;
    g[REG_RBX] = (greg_t)(uintptr_t)cpu; /* where these labels want it */
    g[REG_RSP] = (greg_t)cpu->host_rsp;
    g[REG_EFL] = RFLAGS_SHIM; /* not the guest's */
    *fs_base = cpu->host_fs;
}

/* A page fault: a miss in our cache, or one for the guest to see. */
static void guest_page_fault(struct vcpu *vcpu, uint64_t va, uint64_t error)
{
    struct trap trap = {.vector = VECTOR_PF, .has_error = true, .cr2 = va};
    const bool write = error & PF_WRITE, fetch = error & PF_FETCH;
    struct process_cpu *cpu = process_cpu_of(vcpu);

    switch (tlb_fill(vcpu, va, write, fetch)) {
    case TLB_FILLED:
        /* The same miss over and over would be a loop that nobody sees. */
        if (va != cpu->miss_va || vcpu->regs.rip != cpu->miss_rip)
            cpu->nr_misses = 0;
        cpu->nr_misses++;
        cpu->miss_va = va;
        cpu->miss_rip = vcpu->regs.rip;
        if (cpu->nr_misses > 1000)
            domain_crash(vcpu, "the page at 0x%lx cannot be kept mapped", va);
        return;
    case TLB_REFUSED:
        domain_crash(vcpu,
                     "the host does not map the page at 0x%lx for a program "
                     "(see vm.mmap_min_addr); this guest needs --engine kvm",
                     va);
        return;
    case TLB_DENIED:
        trap.error = PF_PRESENT;
        break;
    case TLB_ABSENT:
        break;
    }
    trap.error |= (uint32_t)error & (PF_WRITE | PF_FETCH);
    if (vcpu->user_mode)
        trap.error |= PF_USER;
    if (!emulate(vcpu, &trap))
        bounce_trap(vcpu, &trap);
}

static void guest_fault(struct vcpu *vcpu, const siginfo_t *info,
                        const ucontext_t *context)
{
    const greg_t *g = context->uc_mcontext.gregs;
    struct trap trap = {.vector = (uint8_t)g[REG_TRAPNO],
                        .error = (uint32_t)g[REG_ERR]};

    if (trap.vector == VECTOR_PF) {
        guest_page_fault(vcpu, (uint64_t)g[REG_CR2], (uint64_t)g[REG_ERR]);
        return;
    }
    if (trap.vector == VECTOR_DB && info->si_code == TRAP_TRACE)
        debugreg_note_trap(vcpu, DR6_STEP);
    if (emulate(vcpu, &trap))
        return;
    trap.has_error = trap.vector < 32 && (ERROR_VECTORS >> trap.vector & 1);
    bounce_trap(vcpu, &trap);
}

/* INT 0x80, which the host takes for a call by its other table. */
static void guest_int80(struct vcpu *vcpu)
{
    const struct trap trap = {
        .vector = VECTOR_GP, .has_error = true, .error = 0x80 << 3 | ERROR_IDT};

    vcpu->regs.rip -= INT_LENGTH;
    if (!emulate(vcpu, &trap))
        bounce_trap(vcpu, &trap);
}

/*
 * A SYSCALL instruction of the guest is a hypercall (xen-abi: 4.4), of its user
 * programs a call of the guest's own.
 */
static void guest_syscall(struct vcpu *vcpu)
{
    const struct regs *r = &vcpu->regs;
    const uint64_t nr = r->rax & 0xffffffff;
    const uint64_t args[5] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8};
    long result = domain_hypercall(vcpu, nr, args);

    if (nr != __HYPERVISOR_iret)
        vcpu->regs.rax = (uint64_t)result;
}

static void guest_called(struct vcpu *vcpu, const siginfo_t *info)
{
    if (info->si_arch != AUDIT_ARCH_X86_64)
        guest_int80(vcpu);
    else if (vcpu->user_mode)
        bounce_syscall(vcpu);
    else
        guest_syscall(vcpu);
}

/* Who kicks has noted the work already. */
UNSANITIZED static bool is_call_to_work(int signal)
{
    return signal == TICK_SIGNAL || signal == TURN_KICK_SIGNAL;
}

UNSANITIZED static void note_work(struct process_cpu *cpu, int signal)
{
    if (signal != TICK_SIGNAL)
        return;
    tick_rang(cpu->vcpu);
    process_add_work(cpu, WORK_TICK);
}

/* The guest was running: serve what stopped it and go on, or leave. */
static void from_guest(struct process_cpu *cpu, int signal,
                       const siginfo_t *info, ucontext_t *context,
                       uint64_t *fs_base)
{
    struct vcpu *vcpu = cpu->vcpu;

    turn_leave_guest(&vcpu->domain->turn, &vcpu->turn);

    cpu->changed = GO_RESUME; /* vcpu->regs is the truth */
    cpu->guest_fs = vcpu->fs_base = *fs_base;
    *vcpu_gs_base(vcpu) = process_gs_base();
    if (is_call_to_work(signal)) {
        note_work(cpu, signal);
    } else if (signal == SIGSYS) {
        guest_called(vcpu, info);
    } else {
        guest_fault(vcpu, info, context);
    }

    if (process_before_guest(vcpu) == GO_LEAVE) {
        continue_in_shim(cpu, context, process_leave, fs_base);
        return;
    }
    regs_to_context(&vcpu->regs, context);
    *fs_base = cpu->guest_fs;
}

UNSANITIZED static bool between(uint64_t rip, const char *start,
                                const char *end)
{
    return rip >= (uintptr_t)start && rip < (uintptr_t)end;
}

/* Is (rip) nowhere that the shim could be executing? */
UNSANITIZED static bool process_stray(uint64_t rip)
{
    extern char __executable_start[], etext[];

    return rip < PROCESS_VA_END || !between(rip, __executable_start, etext);
}

/*
 * Nothing in the shim faults. Either it has a bug, or the guest jumped into
 * it, or damaged it, which the sandbox makes pointless but not impossible. Then
 * nothing here can be relied on, the report neither: one more fault, or too
 * long a time, and the process ends as it is.
 */
static struct {
    volatile sig_atomic_t happened;
    struct process_cpu *cpu;
    bool internal; /* not the guest's doing, as far as one can see */
    int signal;
    bool refused; /* by the sandbox */
    int system_call;
    uint64_t rip, address;
} wreck;

/* By itself: no library, no errno, no stack to speak of. */
static long plain_syscall(long nr, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;

    __asm__ volatile("syscall"
                     : "+a"(nr)
                     : "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return nr;
}

_Noreturn static void end_now(int status)
{
    for (;;)
        plain_syscall(SYS_exit_group, status, 0, 0, 0);
}

_Noreturn static void give_up(void)
{
    static const char last_words[] =
        "\nparavane: the report ends here: the memory it is made from is "
        "damaged\n";

    plain_syscall(SYS_write, STDERR_FILENO, (long)(uintptr_t)last_words,
                  sizeof last_words - 1, 0);
    end_now(wreck.internal ? EXIT_INTERNAL : EXIT_CRASHED);
}

/* Runs in place of what faulted, with the tick to end it. */
_Noreturn static void report_wreck(void)
{
    struct vcpu *vcpu = wreck.cpu->vcpu;

    if (wreck.internal) {
        fault_end(wreck.signal, wreck.rip, wreck.refused,
                  wreck.refused ? (uint64_t)wreck.system_call : wreck.address);
    } else if (wreck.refused) {
        domain_crash(vcpu,
                     "the sandbox refused system call %d, made from inside "
                     "the shim",
                     wreck.system_call);
    } else {
        domain_crash(vcpu, "signal %d: the guest executes the shim's code",
                     wreck.signal);
    }
    end_now(EXIT_CRASHED);
}

static void shim_fault(struct process_cpu *cpu, int signal,
                       const siginfo_t *info, ucontext_t *context,
                       uint64_t *fs_base)
{
    static const struct itimerspec patience = {.it_value.tv_sec = PATIENCE};
    greg_t *g = context->uc_mcontext.gregs;

    wreck.happened = 1;
    wreck.cpu = cpu;
    wreck.signal = signal;
    wreck.refused = signal == SIGSYS;
    wreck.system_call = info->si_syscall;
    wreck.rip = (uint64_t)g[REG_RIP];
    wreck.address = (uint64_t)(uintptr_t)info->si_addr;
    if (cpu->vcpu->domain->end == DOMAIN_CRASHED)
        end_now(EXIT_CRASHED); /* which has been reported */
    /* Once the guest is over there is nothing left that it could have done. */
    wreck.internal = cpu->in_shim &&
                     !(wreck.refused && cpu->vcpu->domain->end == DOMAIN_RUNS);
    if (!wreck.internal) {
        cpu->changed = GO_RESUME; /* vcpu->regs is the truth */
        regs_from_context(&cpu->vcpu->regs, context);
    }
    plain_syscall(SYS_timer_settime, cpu->vcpu->tick.timer, 0,
                  (long)(uintptr_t)&patience, 0);
    sigdelset(&context->uc_sigmask, TICK_SIGNAL);
    continue_in_shim(cpu, context, (void *)(uintptr_t)report_wreck, fs_base);
    /* On what will be free of this stack: the other may be anywhere. */
    g[REG_RSP] = (greg_t)(((uintptr_t)context & ~UINT64_C(15)) - 8);
}

UNSANITIZED void process_signal(int signal, siginfo_t *info,
                                ucontext_t *context, uint64_t *fs_base,
                                struct process_cpu *cpu)
{
    struct vcpu *vcpu = cpu->vcpu;
    greg_t *g = context->uc_mcontext.gregs;
    const uint64_t rip = (uint64_t)g[REG_RIP];
    const bool fault = !is_call_to_work(signal);

    if (wreck.happened && wreck.cpu == cpu)
        give_up();
    if (wreck.happened)
        return; /* another thread ends this */
    if (signal == SIGILL && vcpu->domain->turn.shared &&
        (between(rip, process_many_version, process_fast_end) ||
         between(rip, process_many, process_many_end))) {
        process_mark_thread(cpu);
        g[REG_RIP] += UD2_LENGTH;
    } else if (signal == SIGTRAP && g[REG_TRAPNO] == VECTOR_DB &&
               between(rip, process_hypercall_entry, process_entry_end)) {
        /* Stepping ends at the door: a call begun again never gets done. */
        g[REG_EFL] &= ~(greg_t)RFLAGS_TF;
    } else if (between(rip, process_hypercall_entry, process_fast_end)) {
        /* Still the guest's registers: as if the stub had not jumped yet. */
        regs_from_context(&vcpu->regs, context);
        process_fast_restart(vcpu);
        from_guest(cpu, signal, info, context, fs_base);
    } else if (between(rip, process_window, process_window_end)) {
        if (!fault) {
            note_work(cpu, signal);
            continue_in_shim(cpu, context, process_recheck, fs_base);
            return;
        }
        /* The return itself faulted: blame where it was going. */
        cpu->in_shim = 1;
        *fs_base = cpu->guest_fs;
        process_sync_regs(vcpu);
        from_guest(cpu, signal, info, context, fs_base);
        /* vector state was restored already: the context has it */
        cpu->in_shim = 0;
    } else if (!cpu->in_shim && process_stray(rip)) {
        regs_from_context(&vcpu->regs, context);
        from_guest(cpu, signal, info, context, fs_base);
    } else if (!fault && (cpu->in_shim || between(rip, process_hypercall_entry,
                                                  process_entry_end))) {
        note_work(cpu, signal);
    } else {
        shim_fault(cpu, signal, info, context, fs_base);
    }
}
