/* host/engine/process/process.c: the engine that runs guests in this process.
 */
#include "host/engine/process/process.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/platform/x86.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <xen/version.h>

#include "host/build/image.h"
#include "host/domain.h"
#include "host/engine/engine.h"
#include "host/engine/fxsave.h"
#include "host/engine/tick.h"
#include "host/log.h"
#include "host/pv/bounce.h"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

#define NATIVE_CS 0x33
#define NATIVE_SS 0x2b

/* What a guest may have in RFLAGS: the arithmetic ones, TF, DF, NT, RF, AC,
 * ID. IF is always on, IOPL always 0. */
#define GUEST_RFLAGS 0x254dd5u
#define RFLAGS_IF    0x200u

#define VECTOR_GP 13

struct process_cpu process_cpus[DOMAIN_MAX_VCPUS];

/* Where the guest sees each hypercall stub; the page the builder filled. */
static uint64_t hypercall_page_va;

static int process_probe(char *why, size_t size)
{
    if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)) {
        snprintf(why, size,
                 "the CPU or kernel does not let programs set the FS base "
                 "(FSGSBASE); it takes Linux 5.9 and a CPU made since 2012");
        return -ENOTSUP;
    }
    if (!CPU_FEATURE_PRESENT(OSXSAVE)) {
        snprintf(why, size,
                 "the CPU or kernel does not keep vector state by XSAVE; it "
                 "takes a CPU made since 2011, shown in full by the VM");
        return -ENOTSUP;
    }
    if (prctl(PR_GET_SECCOMP) < 0) {
        snprintf(why, size,
                 "the kernel has no seccomp filters (CONFIG_SECCOMP_FILTER), "
                 "which are what confines a guest");
        return -ENOTSUP;
    }
    return 0;
}

static int process_accepts(const struct image *image, enum abi abi, char *why,
                           size_t size)
{
    if (abi == ABI_PVH) {
        snprintf(why, size, "PVH needs --engine kvm");
        return -ENOEXEC;
    }
    if (!image->offers_pv) {
        snprintf(why, size, "it offers no PV entry: %s", image->pv_refusal);
        return -ENOEXEC;
    }
    if (image->virt_start >= PROCESS_M2P_VA) {
        snprintf(why, size,
                 "it is linked at 0x%lx, in the upper half or beyond "
                 "0x%lx; such kernels need --engine kvm",
                 image->virt_start, PROCESS_M2P_VA);
        return -ENOEXEC;
    }
    if (image->virt_end > PROCESS_M2P_VA) {
        snprintf(why, size,
                 "it reaches up to 0x%lx, and the engine's own addresses "
                 "begin at 0x%lx: make its segments smaller",
                 image->virt_end, PROCESS_M2P_VA);
        return -ENOEXEC;
    }
    if (image->virt_start < PROCESS_VA_START) {
        snprintf(why, size,
                 "it is linked at 0x%lx, below 0x%x where Linux maps nothing "
                 "for a program; link it higher or use --engine kvm",
                 image->virt_start, PROCESS_VA_START);
        return -ENOEXEC;
    }
    return 0;
}

/*
 * A stub that may lie anywhere is the instruction itself: the way back into an
 * interrupted call is known for one page only.
 */
static void write_stub_for_anywhere(uint8_t stub[32], unsigned nr)
{
    static const uint8_t call[] = {
        0x51, 0x41, 0x53,          /* push %rcx; push %r11 */
        0xb8, 0,    0,    0,    0, /* mov $nr,%eax */
        0x0f, 0x05,                /* syscall */
        0x41, 0x5b, 0x59, 0xc3,    /* pop %r11; pop %rcx; ret */
    };
    static const uint8_t iret[] = {
        0x51, 0x41, 0x53, 0x50,    /* push %rcx; push %r11; push %rax */
        0xb8, 0,    0,    0,    0, /* mov $nr,%eax */
        0x0f, 0x05,                /* syscall */
    };
    const bool returns = nr != __HYPERVISOR_iret;

    memset(stub, 0xcc, 32);
    if (returns)
        memcpy(stub, call, sizeof call);
    else
        memcpy(stub, iret, sizeof iret);
    memcpy(stub + (returns ? 4 : 5), &nr, 4);
}

static void process_write_stub(uint8_t stub[32], unsigned nr, uint64_t va)
{
    static const uint8_t iret_pushes[] = {0x51, 0x41, 0x53, 0x50};
    uint64_t entry = (uintptr_t)process_hypercall_entry;
    uint32_t distance;
    uint8_t *p = stub;

    if (!va) {
        write_stub_for_anywhere(stub, nr);
        return;
    }
    memset(stub, 0xcc, 32);
    if (nr == __HYPERVISOR_iret) {
        entry = (uintptr_t)process_iret_entry;
        memcpy(p, iret_pushes, sizeof iret_pushes); /* rcx, r11, rax */
        p += sizeof iret_pushes;
    }
    *p++ = 0xb8; /* mov $nr,%eax */
    memcpy(p, &nr, 4);
    p += 4;
    *p++ = 0xff; /* jmp *distance(%rip) */
    *p++ = 0x25;
    distance = (uint32_t)(stub + PROCESS_STUB_ENTRY - (p + 4));
    memcpy(p, &distance, 4);
    memcpy(stub + PROCESS_STUB_ENTRY, &entry, 8);
    stub[PROCESS_STUB_RET] = 0xc3; /* where an interrupted call goes on */
    if (nr == 0)
        hypercall_page_va = va;
}

/* Where the interrupted call (nr) returns from. */
static uint64_t stub_ret(uint64_t nr)
{
    return hypercall_page_va + nr * 32 + PROCESS_STUB_RET;
}

uint64_t process_gs_base(void)
{
    uint64_t base;

    __asm__ volatile("rdgsbase %0" : "=r"(base));
    return base;
}

void process_sync_regs(struct vcpu *vcpu)
{
    struct process_cpu *cpu = process_cpu_of(vcpu);

    if (cpu->changed != GO_RETURN)
        return; /* vcpu->regs is the truth already */
    vcpu->regs = cpu->regs;
    vcpu->regs.rip = stub_ret(cpu->regs.rip);
    vcpu->regs.cs = FLAT_KERNEL_CS;
    vcpu->regs.ss = FLAT_KERNEL_SS;
    vcpu->fs_base = cpu->guest_fs;
    *vcpu_gs_base(vcpu) = process_gs_base();
    cpu->changed = GO_RESUME;
}

void process_fast_restart(struct vcpu *vcpu)
{
    struct regs *r = &vcpu->regs;
    const bool many = r->rip >= (uintptr_t)process_many_version;
    const char *known = many ? process_many_known : process_fast_known;

    if (many || r->rip >= (uintptr_t)known)
        r->rax = __HYPERVISOR_xen_version;
    if (r->rip >= (uintptr_t)known)
        r->rdi = XENVER_version;
    r->rip = hypercall_page_va + (r->rax & 127) * 32;
}

/* Hand vcpu->regs to the assembly. */
static void load_regs(struct vcpu *vcpu)
{
    struct process_cpu *cpu = process_cpu_of(vcpu);

    cpu->regs = vcpu->regs;
    cpu->frame[0] = vcpu->regs.rip;
    cpu->frame[1] = NATIVE_CS;
    cpu->frame[2] = (vcpu->regs.rflags & GUEST_RFLAGS) | RFLAGS_IF | 2;
    cpu->frame[3] = vcpu->regs.rsp;
    cpu->frame[4] = NATIVE_SS;
    cpu->guest_fs = vcpu->fs_base;
}

static void process_set_regs(struct vcpu *vcpu)
{
    process_cpu_of(vcpu)->changed = GO_RESUME;
}

static void load_bases(struct vcpu *vcpu)
{
    process_cpu_of(vcpu)->guest_fs = vcpu->fs_base;
    __asm__ volatile("wrgsbase %0" : : "r"(*vcpu_gs_base(vcpu)));
}

/* Of a vCPU that is not here they are loaded when it comes up. */
static void process_set_bases(struct vcpu *vcpu)
{
    if (!vcpu->domain->turn.shared || vcpu == turn_self())
        load_bases(vcpu);
}

/* A plain one is whole for a signal of this thread, and cheaper. */
UNSANITIZED void process_add_work(struct process_cpu *cpu, uint32_t work)
{
    if (cpu->vcpu->domain->turn.shared)
        __atomic_fetch_or(&cpu->work, work, __ATOMIC_RELAXED);
    else
        cpu->work |= work;
}

static void process_kick(struct vcpu *vcpu)
{
    process_add_work(process_cpu_of(vcpu), WORK_KICK);
}

/* Down until somebody brings it up, with registers of its own or new ones. */
static void wait_up(struct vcpu *vcpu)
{
    process_sync_regs(vcpu);
    turn_wait_up(vcpu);
    load_bases(vcpu);
}

/* Take the guest to the mode that it is in now. */
static void follow_mode(struct vcpu *vcpu)
{
    struct trap trap = {.vector = VECTOR_GP, .has_error = true};

    if (vcpu->user_mode && !mode_can_go(vcpu, &trap.error))
        bounce_trap(vcpu, &trap);
    /* what looks like a hypercall there is none, not even the null call */
    process_cpu_of(vcpu)->no_fast =
        vcpu->user_mode || vcpu->domain->config->trace;
    tlb_follow(vcpu);
}

/* What is due before the guest may go on, then an event if there is one. */
int process_before_guest(struct vcpu *vcpu)
{
    struct process_cpu *cpu = process_cpu_of(vcpu);
    struct domain *dom = vcpu->domain;

    while (cpu->work) {
        const uint32_t work =
            __atomic_exchange_n(&cpu->work, 0, __ATOMIC_RELAXED);

        if (!vcpu->up)
            wait_up(vcpu);
        if (dom->end != DOMAIN_RUNS)
            return GO_LEAVE;
        if (work & WORK_TICK)
            domain_work(vcpu);
        tick_arm(vcpu);
    }
    cpu->info = vcpu->info;
    if (bounce_is_due(vcpu)) {
        process_sync_regs(vcpu);
        bounce_event(vcpu);
    }
    if (dom->end == DOMAIN_RUNS && process_root_agrees(vcpu) &&
        cpu->changed == GO_RESUME)
        follow_mode(vcpu);
    if (dom->end != DOMAIN_RUNS)
        return GO_LEAVE;
    if (cpu->changed == GO_RESUME)
        load_regs(vcpu);
    turn_enter_guest(&dom->turn, &vcpu->turn);
    return (int)cpu->changed;
}

int process_again(struct vcpu *vcpu)
{
    turn_leave_guest(&vcpu->domain->turn, &vcpu->turn);
    return process_before_guest(vcpu);
}

/* A user program found the hypercall page: to the hypervisor a system call. */
static int call_of_user(struct vcpu *vcpu)
{
    process_sync_regs(vcpu);
    bounce_syscall(vcpu);
    return process_before_guest(vcpu);
}

int process_hypercall(struct vcpu *vcpu)
{
    struct process_cpu *cpu = process_cpu_of(vcpu);
    const uint64_t nr = cpu->regs.rax & 0xffffffff;
    const uint64_t args[5] = {cpu->regs.rdi, cpu->regs.rsi, cpu->regs.rdx,
                              cpu->regs.r10, cpu->regs.r8};
    long result;

    turn_leave_guest(&vcpu->domain->turn, &vcpu->turn);
    cpu->changed = GO_RETURN;
    cpu->regs.rip = nr; /* until somebody asks for the real one */
    if (vcpu->user_mode)
        return call_of_user(vcpu);
    result = domain_hypercall(vcpu, nr, args);
    if (cpu->changed == GO_RETURN)
        cpu->regs.rax = (uint64_t)result;
    else if (nr != __HYPERVISOR_iret)
        vcpu->regs.rax = (uint64_t)result;
    return process_before_guest(vcpu);
}

int process_iret(struct vcpu *vcpu)
{
    struct process_cpu *cpu = process_cpu_of(vcpu);
    const uint64_t none[5] = {0};

    turn_leave_guest(&vcpu->domain->turn, &vcpu->turn);
    cpu->changed = GO_RETURN;
    cpu->regs.rip = __HYPERVISOR_iret;
    if (vcpu->user_mode)
        return call_of_user(vcpu);
    process_sync_regs(vcpu);
    domain_hypercall(vcpu, __HYPERVISOR_iret, none);
    return process_before_guest(vcpu);
}

static void create_record(struct vcpu *vcpu)
{
    struct process_cpu *cpu = &process_cpus[vcpu->id];
    uint32_t lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    cpu->xstate = lo & XSTATE_MASK;
    cpu->tells_in_use = CPU_FEATURE_PRESENT(XGETBV_ECX_1);
    cpu->vcpu = vcpu;
    cpu->info = vcpu->info;
    cpu->changed = GO_RESUME;
    cpu->work = WORK_TICK;
    cpu->no_fast = vcpu->domain->config->trace != 0;
    /* A fresh vCPU: all in the state that an empty XSAVE area stands for. */
    cpu->wide = 1;
    memset(cpu->xsave, 0, 576);
    memcpy(cpu->xsave + XSAVE_MXCSR, &(uint32_t){0x1f80}, 4);
    vcpu->engine_vcpu = cpu;
}

static void process_set_fpu(struct vcpu *vcpu, const void *fxsave)
{
    struct process_cpu *cpu = process_cpu_of(vcpu);

    fxsave_to_xsave(cpu->xsave, fxsave);
    cpu->wide = 1;
}

/* The part of a vCPU's thread, which is its own from now on. */
static int begin_vcpu(struct vcpu *vcpu)
{
    if (vcpu->domain->turn.shared)
        process_mark_thread(process_cpu_of(vcpu));
    return process_signals_begin(vcpu);
}

static int process_create(struct domain *dom)
{
    int rc;

    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        create_record(&dom->vcpus[i]);
    rc = tlb_create(dom);
    if (rc)
        return rc;
    if (dom->nr_vcpus > 1)
        rc = process_become_many(dom, hypercall_page_va);
    if (rc == 0)
        rc = process_signals_create();
    if (rc == 0)
        rc = begin_vcpu(&dom->vcpus[0]);
    if (rc)
        tlb_destroy(dom);
    else
        tlb_prefill(&dom->vcpus[0]);
    return rc;
}

/* With the turn; and has it again when the domain ended. */
static void run(struct vcpu *vcpu)
{
    if (!vcpu->up) /* it may have no registers yet */
        turn_wait_up(vcpu);
    load_bases(vcpu);
    turn_give(&vcpu->domain->turn);
    process_enter(process_cpu_of(vcpu));
}

static int process_run(struct domain *dom)
{
    static const struct sandbox_engine needs = {
        .guest_va_end = PROCESS_M2P_VA,
        .trap_below = PROCESS_VA_END,
    };
    int rc;

    rc = turn_start_threads(dom, begin_vcpu, run);
    if (rc)
        return rc;
    rc = sandbox_enter(&dom->sandbox, &needs, dom->mem.fd);
    if (rc)
        return rc;
    run(&dom->vcpus[0]);
    turn_end_threads(dom);
    return 0;
}

static void process_destroy(struct domain *dom)
{
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        tick_destroy(&dom->vcpus[i]);
    tlb_destroy(dom);
}

const struct engine_ops engine_process = {
    .name = "process",
    .probe = process_probe,
    .accepts = process_accepts,
    .create = process_create,
    .run = process_run,
    .destroy = process_destroy,
    .write_stub = process_write_stub,
    .invalidate = tlb_invalidate,
    .invalidate_all = tlb_invalidate_all,
    .one_cache = true,
    .sync_regs = process_sync_regs,
    .set_regs = process_set_regs,
    .set_bases = process_set_bases,
    .set_fpu = process_set_fpu,
    .kick = process_kick,
    .va_start = PROCESS_VA_START,
    .va_end = PROCESS_M2P_VA,
};
