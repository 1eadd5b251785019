/*
 * host/engine/process/process.h: the process engine's own record.
 *
 * Guest code runs natively in this process, below PROCESS_VA_END; the shim
 * lives above it. There are three ways in from the guest:
 *
 *   call through the hypercall page   entry_x86_64.S, process_hypercall
 *   a fault, or a raw SYSCALL         signals.c, process_signal
 *   the tick                          signals.c, process_signal
 *
 * and three ways back: a plain return (nothing changed but RAX), an iretq from
 * the record's frame (anything may have changed), and sigreturn.
 *
 * Each vCPU has a record and a thread; the thread's signal stack says which
 * record is its own, and, if there are several vCPUs, so does its ES.
 */
#ifndef HOST_ENGINE_PROCESS_PROCESS_H
#define HOST_ENGINE_PROCESS_PROCESS_H

/* The guest may map [PROCESS_VA_START, PROCESS_M2P_VA). Below, mmap refuses
 * an ordinary user (vm.mmap_min_addr). */
#define PROCESS_VA_START 0x10000
#ifdef __SANITIZE_THREAD__ /* which leaves less, and wants the rest itself */
#define PROCESS_M2P_VA 0x7f00000000
#define PROCESS_VA_END 0x8000000000
#else
#define PROCESS_M2P_VA 0x3f0000000000
#define PROCESS_VA_END 0x400000000000
#endif

/*
 * A hypercall stub: mov $nr,%eax; jmp *entry; entry; ret. The entry is aligned
 * for guests that set AC.
 */
#define PROCESS_STUB_ENTRY 16
#define PROCESS_STUB_RET   24

/*
 * Who calls by the hypercall page has no register to spare, and threads share
 * their memory. What they do not share, and 64-bit code has no use for, is the
 * selector in ES: entry (id) of a local descriptor table, which becomes an
 * offset by a shift. A guest that loads another one has it loaded again at its
 * next call, by a signal.
 */
#define PROCESS_ES(id)   ((id) << 3 | PROCESS_ES_BITS)
#define PROCESS_ES_BITS  7    /* of a local table, for ring 3 */
#define PROCESS_ES_INDEX 0xf8 /* where (id) is */
#define PROCESS_ES_SHIFT 9    /* to the record's offset */
#define PROCESS_RECORD   4096 /* from one record to the next */

/* Entries for several vCPUs: so many bytes from one number's to the next. */
#define PROCESS_MANY_ENTRY 64
#define PROCESS_NR_STUBS   128

/* A signal stack's size and alignment; its first word is the record. */
#define PROCESS_ALT_STACK 0x20000

/* Offsets into struct process_cpu for entry_x86_64.S, proven in process.c. */
#define CPU_WORK         0
#define CPU_NO_FAST      4
#define CPU_IN_SHIM      8
#define CPU_CHANGED      12
#define CPU_INFO         16
#define CPU_HOST_RSP     24
#define CPU_HOST_FS      32
#define CPU_GUEST_FS     40
#define CPU_VCPU         48
#define CPU_XSTATE       56
#define CPU_WIDE         60
#define CPU_REGS         64
#define CPU_FRAME        224
#define CPU_TELLS_IN_USE 264
#define CPU_XSAVE        320

/* State components (XCR0) that the shim keeps for the guest. */
#define XSTATE_MASK 0xe7 /* x87, SSE, AVX, AVX-512 */
#define XSTATE_WIDE 0xe4 /* what is wider than SSE */
/* In an XSAVE area: */
#define XSAVE_MXCSR 24
#define XSAVE_XMM   160

/* Bits of (work). */
#define WORK_KICK 1 /* a deadline may be nearer, or the domain ended */
#define WORK_TICK 2 /* look at everything that may be due */

/* Results of process_hypercall: how to go on. */
#define GO_RETURN 0 /* same context */
#define GO_RESUME 1 /* registers changed: load them all */
#define GO_LEAVE  2 /* the domain ended */

#ifndef __ASSEMBLER__

#include <assert.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "host/vcpu.h"

/* x87 and SSE, the header, AVX, and AVX-512 in the standard format, whose
 * offsets every CPU with AVX-512 has in the same places. */
#define PROCESS_XSAVE_SIZE 2752

/* One vCPU thread's corner; the assembly knows its layout. */
struct process_cpu {
    volatile uint32_t work;    /* look before entering the guest */
    uint32_t no_fast;          /* every call takes the long way (tracing) */
    volatile uint32_t in_shim; /* set between slow entry and return */
    uint32_t changed;          /* regs differ from the interrupted ones */
    struct vcpu_info *info;    /* where upcall_pending and _mask are */
    uint64_t host_rsp;
    uint64_t host_fs;
    uint64_t guest_fs;
    struct vcpu *vcpu;
    uint32_t xstate; /* XSTATE_MASK, as far as this CPU has them */
    uint32_t wide;   /* (xsave) holds all of it, not just the XMM registers */
    struct regs regs;
    uint64_t frame[5];     /* for iretq: rip, cs, rflags, rsp, ss */
    uint32_t tells_in_use; /* XGETBV(1) works: the CPU knows what is in use */
    uint32_t nr_misses;    /* of the page and place below, in a row */
    uint64_t miss_va, miss_rip;
    mfn_t root; /* the page tables it was last seen with */
    uint32_t pad[6];
    uint8_t xsave[PROCESS_XSAVE_SIZE] __attribute__((aligned(64)));
} __attribute__((aligned(PROCESS_RECORD)));

static_assert(offsetof(struct process_cpu, work) == CPU_WORK, "layout");
static_assert(offsetof(struct process_cpu, no_fast) == CPU_NO_FAST, "layout");
static_assert(offsetof(struct process_cpu, in_shim) == CPU_IN_SHIM, "layout");
static_assert(offsetof(struct process_cpu, changed) == CPU_CHANGED, "layout");
static_assert(offsetof(struct process_cpu, info) == CPU_INFO, "layout");
static_assert(offsetof(struct process_cpu, host_rsp) == CPU_HOST_RSP, "");
static_assert(offsetof(struct process_cpu, host_fs) == CPU_HOST_FS, "layout");
static_assert(offsetof(struct process_cpu, guest_fs) == CPU_GUEST_FS, "");
static_assert(offsetof(struct process_cpu, vcpu) == CPU_VCPU, "layout");
static_assert(offsetof(struct process_cpu, xstate) == CPU_XSTATE, "layout");
static_assert(offsetof(struct process_cpu, wide) == CPU_WIDE, "layout");
static_assert(offsetof(struct process_cpu, tells_in_use) == CPU_TELLS_IN_USE,
              "layout");
static_assert(offsetof(struct process_cpu, regs) == CPU_REGS, "layout");
static_assert(offsetof(struct process_cpu, frame) == CPU_FRAME, "layout");
static_assert(offsetof(struct process_cpu, xsave) == CPU_XSAVE, "layout");

static_assert(sizeof(struct process_cpu) == PROCESS_RECORD, "layout");

extern struct process_cpu process_cpus[];

static inline struct process_cpu *process_cpu_of(const struct vcpu *vcpu)
{
    return vcpu->engine_vcpu;
}

/* entry_x86_64.S */
extern char process_hypercall_entry[], process_fast_known[], process_fast_end[];
extern char process_many_version[], process_many_known[];
extern char process_many[], process_many_end[];
extern struct process_cpu *process_records; /* process_cpus, for these */
extern char process_iret_entry[], process_entry_end[];
extern char process_window[], process_window_end[];
extern char process_recheck[];
extern char process_leave[];
extern char process_signal_entry[], process_sigreturn[];

/* Run the guest from the record's registers until the domain ends. */
void process_enter(struct process_cpu *cpu);

/* Called by the assembly: GO_*. */
int process_hypercall(struct vcpu *vcpu);
int process_iret(struct vcpu *vcpu);
int process_again(struct vcpu *vcpu);
void process_signal(int signal, siginfo_t *info, ucontext_t *context,
                    uint64_t *fs_base, struct process_cpu *cpu);

/* With the turn: what is due before the guest may go on; gives the turn. */
int process_before_guest(struct vcpu *vcpu);

/* Note WORK_* for (cpu), from any thread or signal. */
void process_add_work(struct process_cpu *cpu, uint32_t work);

/* threads.c: make ES say that this thread is that of (cpu). */
void process_mark_thread(const struct process_cpu *cpu);

/* Let the hypercall page and threads' ES serve several vCPUs: 0, or -errno
 * with a sentence logged. */
int process_become_many(struct domain *dom, uint64_t page_va);

/* Do all vCPUs that are up use the tables that (vcpu) does? Else it crashed. */
bool process_root_agrees(struct vcpu *vcpu);

/* The guest's GS base, which it may change by an instruction of its own. */
uint64_t process_gs_base(void);

/* vcpu->regs := the interrupted registers, if they are not there yet; the bases
 * with them. */
void process_sync_regs(struct vcpu *vcpu);
/* vcpu->regs were caught on the way in: back to the start of the call's stub.
 */
void process_fast_restart(struct vcpu *vcpu);

/* signals.c: install handlers; this thread's alternate stack and tick. */
int process_signals_create(void);
int process_signals_begin(struct vcpu *vcpu);

/* tlb.c: the process's own mappings as a cache of the guest's tables. */
int tlb_create(struct domain *dom);
void tlb_destroy(struct domain *dom);
void tlb_invalidate(struct vcpu *vcpu, uint64_t va, uint64_t nr_pages);
void tlb_invalidate_all(struct vcpu *vcpu);
/* Unmap [from, to) as far as anything was ever mapped there; may it have been?
 */
void tlb_drop(uint64_t from, uint64_t to);
bool tlb_may_have(uint64_t from, uint64_t to);
/* The guest went from kernel to user mode or back: so do the mappings. */
void tlb_follow(struct vcpu *vcpu);
/* Map at once what the guest touches first. */
void tlb_prefill(struct vcpu *vcpu);

/*
 * mode.c: drop what the L4 (from), by which all is mapped, and vcpu_root() map
 * differently.
 */
void mode_follow(struct vcpu *vcpu, mfn_t from);

/*
 * Can vcpu->regs go on in user mode, by selectors that mean the same in a
 * process? If not, (error) is that of the general protection fault.
 */
bool mode_can_go(const struct vcpu *vcpu, uint32_t *error);

enum tlb_result {
    TLB_FILLED,  /* try again, it works now */
    TLB_ABSENT,  /* the guest's tables have nothing there */
    TLB_DENIED,  /* present, but this access is not allowed */
    TLB_REFUSED, /* the host kernel will not map it */
};
enum tlb_result tlb_fill(struct vcpu *vcpu, uint64_t va, bool write, bool exec);

#endif /* __ASSEMBLER__ */
#endif
