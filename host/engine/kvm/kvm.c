/* host/engine/kvm/kvm.c: the engine that runs guests in a virtual machine. */
#include "host/engine/kvm/kvm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "host/build/image.h"
#include "host/domain.h"
#include "host/engine/engine.h"
#include "host/engine/fault.h"
#include "host/engine/kvm/measure.h"
#include "host/engine/tick.h"
#include "host/log.h"
#include "host/pv/bounce.h"

#define VECTOR_GP 13

static struct kvm_vm the_vm;

/* Whose thread this is, for what is not told which vCPU it works for. */
static _Thread_local struct kvm_cpu *current;

static const struct kvm_abi *abi_of(const struct domain *dom)
{
    return dom->abi == ABI_PVH ? &kvm_abi_pvh : &kvm_abi_pv;
}

static int kvm_accepts(const struct image *image, enum abi abi, char *why,
                       size_t size)
{
    if (abi == ABI_PVH ? image->offers_pvh : image->offers_pv)
        return 0;
    if (abi == ABI_PVH) {
        snprintf(why, size, "it offers no PVH entry: %s", image->pvh_refusal);
        return -ENOEXEC;
    }
    snprintf(why, size, "it offers no PV entry: %s", image->pv_refusal);
    return -ENOEXEC;
}

static bool kvm_is_slow(enum abi abi, char *what, size_t size)
{
    struct kvm_kind kind;

    if (measure_kvm(&kind, what, size)) {
        *what = '\0';
        return false;
    }
    if (abi == ABI_PV)
        measure_say_pv(&kind, what, size);
    else
        measure_say_pvh(&kind, what, size);
    return abi == ABI_PVH && kind.ring0_emulated;
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t size)
{
    memcpy(to, bytes, size);
    return to + size;
}

/* Those with a short path come by SYSCALL, which alone leads to it. */
static void kvm_write_stub(uint8_t stub[32], unsigned nr, uint64_t va)
{
    static const uint8_t pushes[] = {0x51, 0x41, 0x53, 0x50}; /* the last rax */
    static const uint8_t pops[] = {0x41, 0x5b, 0x59};         /* r11, rcx */
    static const uint8_t syscall[] = {0x0f, 0x05};
    static const uint8_t out[] = {0xe6, STUB_PORT}; /* %al,$port */
    const bool is_iret = nr == __HYPERVISOR_iret;
    const bool path = path_is_for(nr);
    uint8_t *p = stub;

    (void)va;
    memset(stub, 0xcc, 32);
    if (path)
        p = put(p, pushes, is_iret ? 4 : 3);
    *p++ = 0xb8; /* mov $nr,%eax */
    p = put(p, &nr, 4);
    p = put(p, path ? syscall : out, 2);
    if (path && !is_iret)
        p = put(p, pops, sizeof pops);
    *p = 0xc3;
}

static void kvm_invalidate_all(struct vcpu *vcpu)
{
    kvm_cpu_of(vcpu)->flush = true;
}

static void kvm_invalidate(struct vcpu *vcpu, uint64_t va, uint64_t nr_pages)
{
    (void)va;
    (void)nr_pages;
    kvm_invalidate_all(vcpu);
}

void kvm_touch(struct kvm_cpu *cpu, struct vcpu *vcpu, maddr_t maddr)
{
    if (cpu->nr_touched == STUB_TOUCHES)
        enter_touch(cpu, vcpu);
    cpu->stub->touched[cpu->nr_touched++] = STUB_WINDOW_VA + maddr;
}

static void kvm_table_written(struct domain *dom, maddr_t pte_addr)
{
    (void)dom;
    if (current) /* before that, nobody has seen the tables */
        kvm_touch(current, current->vcpu, pte_addr);
}

static void kvm_settle(struct domain *dom)
{
    (void)dom;
    if (current && current->nr_touched)
        enter_touch(current, current->vcpu);
}

static void kvm_set_gdt(struct vcpu *vcpu)
{
    struct kvm_cpu *cpu = kvm_cpu_of(vcpu);
    struct stub *stub = &cpu->vm->stub;

    stub_set_gdt(stub, vcpu);
    for (unsigned i = 0; i < VCPU_GDT_FRAMES; i++)
        kvm_touch(cpu, vcpu, stub_gdt_entry(stub, vcpu->id, i));
}

void kvm_touch_ldt(struct vcpu *vcpu, unsigned page)
{
    struct kvm_cpu *cpu = kvm_cpu_of(vcpu);

    kvm_touch(cpu, vcpu, stub_ldt_entry(&cpu->vm->stub, vcpu->id, page));
}

/* Its pages come again when they are used. */
static void kvm_set_ldt(struct vcpu *vcpu)
{
    struct kvm_cpu *cpu = kvm_cpu_of(vcpu);

    if (!cpu)
        return;
    for (unsigned i = 0; i < VCPU_LDT_FRAMES; i++) {
        stub_set_ldt_page(&cpu->vm->stub, vcpu, i, 0);
        kvm_touch_ldt(vcpu, i);
    }
    cpu->new_ldt = true;
    cpu->flush = true;
}

/* vcpu->regs is the truth whenever the guest is stopped. */
static void kvm_regs_are_there(struct vcpu *vcpu)
{
    (void)vcpu;
}

/* A PVH guest's registers stay where KVM left them until somebody asks. */
static void kvm_sync_regs(struct vcpu *vcpu)
{
    if (vcpu->domain->abi == ABI_PVH && vcpu->engine_vcpu)
        pvh_store_all(kvm_cpu_of(vcpu), vcpu);
}

static void kvm_start(struct vcpu *vcpu, const struct pvh_start *start)
{
    pvh_vm_start(kvm_cpu_of(vcpu), start);
}

static void kvm_set_bases(struct vcpu *vcpu)
{
    kvm_cpu_of(vcpu)->new_bases = true;
}

static void kvm_set_control(struct vcpu *vcpu)
{
    if (vcpu->engine_vcpu)
        kvm_cpu_of(vcpu)->new_debug = true;
}

static void add_work(struct kvm_cpu *cpu, uint32_t work)
{
    __atomic_fetch_or(&cpu->work, work, __ATOMIC_RELAXED);
}

static void kvm_kick(struct vcpu *vcpu)
{
    if (vcpu->engine_vcpu)
        add_work(kvm_cpu_of(vcpu), WORK_KICK);
}

/* It may arrive just before KVM_RUN, which then returns at once. */
static void on_tick(int signal)
{
    if (signal == TICK_SIGNAL) {
        tick_rang(current->vcpu);
        add_work(current, WORK_TICK);
    }
    current->run->immediate_exit = 1;
}

static void forget(struct domain *dom, struct kvm_vm *vm)
{
    for (unsigned i = 0; i < dom->nr_vcpus; i++) {
        tick_destroy(&dom->vcpus[i]);
        dom->vcpus[i].engine_vcpu = NULL;
    }
    current = NULL;
    vm_destroy(vm, &dom->mem);
}

/* The part of a vCPU's thread, which is its own from now on. */
static int begin_vcpu(struct vcpu *vcpu)
{
    current = kvm_cpu_of(vcpu);
    if (tick_create(vcpu) == 0)
        return 0;
    log_error("cannot make the timer of vCPU %u: %m", vcpu->id);
    return -errno;
}

static int kvm_create(struct domain *dom)
{
    struct sigaction action = {.sa_handler = on_tick};
    struct kvm_vm *vm = &the_vm;
    int rc;

    *vm = (struct kvm_vm){.fd = -1};
    for (unsigned i = 0; i < DOMAIN_MAX_VCPUS; i++)
        vm->cpus[i] = (struct kvm_cpu){
            .vm = vm, .vcpu = &dom->vcpus[i], .fd = -1, .work = WORK_TICK};
    rc = abi_of(dom)->create(vm, dom);
    if (rc)
        return rc;
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        dom->vcpus[i].engine_vcpu = &vm->cpus[i];
    sigaddset(&action.sa_mask, TICK_SIGNAL);
    sigaddset(&action.sa_mask, TURN_KICK_SIGNAL);
    if (fault_watch() || sigaction(TICK_SIGNAL, &action, NULL) ||
        sigaction(TURN_KICK_SIGNAL, &action, NULL)) {
        rc = -errno;
        log_error("cannot set up signals: %m");
    }
    if (rc == 0)
        rc = begin_vcpu(&dom->vcpus[0]);
    if (rc)
        forget(dom, vm);
    return rc;
}

/* What is due before the guest may go on. */
static bool before_guest(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct domain *dom = vcpu->domain;

    while (cpu->work) {
        const uint32_t work =
            __atomic_exchange_n(&cpu->work, 0, __ATOMIC_RELAXED);

        if (!vcpu->up)
            turn_wait_up(vcpu);
        if (dom->end != DOMAIN_RUNS)
            return false;
        if (work & WORK_TICK)
            domain_work(vcpu);
        tick_arm(vcpu);
    }
    return dom->end == DOMAIN_RUNS;
}

static int create_pv(struct kvm_vm *vm, struct domain *dom)
{
    int rc = vm_create(vm, dom);

    if (rc)
        return rc;
    dom->m2p_va = STUB_M2P_VA;
    for (unsigned i = 0; i < dom->nr_vcpus; i++) {
        vm->cpus[i].cr3 = INVALID_MFN;
        vm->cpus[i].in_ring0 = true;
        vm->cpus[i].new_bases = true;
        vm->cpus[i].new_ldt = true;
    }
    return 0;
}

static void enter_pv(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    struct trap trap = {.vector = VECTOR_GP, .has_error = true};

    if (cpu->in_stub)
        return;
    if (vcpu->reload)
        segment_reload(cpu, vcpu);
    if (!enter_possible(cpu, vcpu, &trap.error))
        bounce_trap(vcpu, &trap);
    bounce_event(vcpu);
    if (vcpu->domain->end == DOMAIN_RUNS)
        enter_prepare(cpu, vcpu);
}

const struct kvm_abi kvm_abi_pv = {
    .create = create_pv,
    .enter = enter_pv,
    .serve = exit_serve,
    .interrupted = exit_interrupted,
};

static int run(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    struct domain *dom = vcpu->domain;
    const struct kvm_abi *abi = abi_of(dom);

    while (before_guest(cpu, vcpu)) {
        int rc;

        abi->enter(cpu, vcpu);
        if (dom->end != DOMAIN_RUNS)
            break;
        turn_enter_guest(&dom->turn, &vcpu->turn);
        rc = enter_run(cpu);
        turn_leave_guest(&dom->turn, &vcpu->turn);
        if (rc == 0) {
            abi->serve(cpu, vcpu);
        } else if (rc == -EINTR) {
            abi->interrupted(cpu, vcpu);
        } else {
            log_error("KVM does not run the guest: %s", strerror(-rc));
            return rc;
        }
    }
    return 0;
}

static void run_other(struct vcpu *vcpu)
{
    if (run(kvm_cpu_of(vcpu), vcpu))
        domain_end(vcpu->domain, DOMAIN_HOST_TROUBLE);
}

static void allow_vcpu(struct sandbox *sandbox, const struct domain *dom,
                       const struct kvm_cpu *cpu)
{
    sandbox_allow_args(sandbox, SYS_ioctl, cpu->fd, KVM_RUN);
    if (dom->abi != ABI_PVH)
        return;
    sandbox_allow_args(sandbox, SYS_ioctl, cpu->fd, KVM_INTERRUPT);
    sandbox_allow_args(sandbox, SYS_ioctl, cpu->fd, KVM_NMI);
    if (!cpu->vm->irqchip)
        return;
    sandbox_allow_args(sandbox, SYS_ioctl, cpu->fd, KVM_GET_MP_STATE);
    sandbox_allow_args(sandbox, SYS_ioctl, cpu->fd, KVM_SET_MP_STATE);
}

static void allow(struct domain *dom, const struct kvm_vm *vm)
{
    struct sandbox *sandbox = &dom->sandbox;

    /* Breakpoints: few guests have any, and only a vCPU knows these. */
    if (dom->abi == ABI_PV) {
        sandbox_allow(sandbox, SYS_ioctl, SANDBOX_ANY, KVM_SET_DEBUGREGS,
                      SANDBOX_ANY);
        sandbox_allow(sandbox, SYS_ioctl, SANDBOX_ANY, KVM_GET_DEBUGREGS,
                      SANDBOX_ANY);
    }
    if (dom->abi == ABI_PV && dom->nr_vcpus > 1)
        sandbox_allow(sandbox, SYS_ioctl, SANDBOX_ANY, KVM_SET_XSAVE,
                      SANDBOX_ANY);
    for (unsigned i = 0; i < dom->nr_vcpus; i++)
        allow_vcpu(sandbox, dom, &vm->cpus[i]);
    if (dom->abi == ABI_PVH)
        sandbox_allow_args(sandbox, SYS_ioctl, vm->fd,
                           KVM_SET_USER_MEMORY_REGION);
    if (vm->irqchip)
        sandbox_allow_args(sandbox, SYS_ioctl, vm->fd, KVM_SIGNAL_MSI);
}

static int kvm_run_domain(struct domain *dom)
{
    static const struct sandbox_engine needs = {0};
    struct vcpu *vcpu = &dom->vcpus[0];
    int rc;

    rc = turn_start_threads(dom, begin_vcpu, run_other);
    if (rc)
        return rc;
    allow(dom, &the_vm);
    rc = sandbox_enter(&dom->sandbox, &needs, dom->mem.fd);
    if (rc)
        return rc;
    rc = run(kvm_cpu_of(vcpu), vcpu);
    if (rc)
        domain_end(dom, DOMAIN_HOST_TROUBLE);
    turn_end_threads(dom);
    count_say(dom, &the_vm);
    return rc;
}

static void kvm_destroy(struct domain *dom)
{
    forget(dom, &the_vm);
}

const struct engine_ops engine_kvm = {
    .name = "kvm",
    .probe = vm_probe,
    .accepts = kvm_accepts,
    .is_slow = kvm_is_slow,
    .create = kvm_create,
    .run = kvm_run_domain,
    .destroy = kvm_destroy,
    .write_stub = kvm_write_stub,
    .invalidate = kvm_invalidate,
    .invalidate_all = kvm_invalidate_all,
    .table_written = kvm_table_written,
    .settle = kvm_settle,
    .set_gdt = kvm_set_gdt,
    .set_ldt = kvm_set_ldt,
    .sync_regs = kvm_sync_regs,
    .set_regs = kvm_regs_are_there,
    .set_bases = kvm_set_bases,
    .set_fpu = control_set_fpu,
    .set_control = kvm_set_control,
    .start = kvm_start,
    .kick = kvm_kick,
    .va_start = 0,
    .va_end = UINT64_MAX,
};
