/*
 * host/engine/kvm/pvh.c: in and out of a PVH guest. It runs in ring 0 on the
 * CPU's own terms; what leaves the VM is an `out` of the hypercall page, a
 * HLT, the MSR of that page, and ports and addresses where nothing is.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <hypercall/dispatch.h>

#include "host/build/image.h"
#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/engine/kvm/pvh_code.h"
#include "host/log.h"
#include "host/pvh/cpuid.h"
#include "host/pvh/ipi.h"

#define RFLAGS_IF UINT64_C(0x200)
#define EFER_LMA  UINT64_C(0x400)

#define DEBUG_PORT 0xe9

#define APIC_ADDR         0xfee00000u
#define APIC_BASE_ENABLED 0x800u

void pvh_store_all(const struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct kvm_sregs *s = &cpu->run->s.regs.sregs;

    exit_store_general(&vcpu->regs, &cpu->run->s.regs.regs);
    vcpu->regs.cs = s->cs.selector;
    vcpu->regs.ss = s->ss.selector;
    vcpu->fs_base = s->fs.base;
    vcpu->gs_base = s->gs.base;
    vcpu->cr2 = s->cr2;
}

/* How its addresses are translated, for whoever follows one. */
static void store_paging(const struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct kvm_sregs *s = &cpu->run->s.regs.sregs;

    vcpu->paging = (struct paging){s->cr0, s->cr3, s->cr4, s->efer};
}

/*
 * Can the CPU take an interrupt now? If not, KVM_RUN returns when it can. One
 * that was given to KVM is not in the guest yet when this says no.
 */
static bool may_interrupt(struct kvm_cpu *cpu)
{
    if (cpu->run->ready_for_interrupt_injection)
        return true;
    cpu->run->request_interrupt_window = 1;
    return false;
}

static void interrupt(struct kvm_cpu *cpu, struct vcpu *vcpu, uint8_t vector)
{
    const struct kvm_interrupt irq = {.irq = vector};

    if (ioctl(cpu->fd, KVM_INTERRUPT, &irq))
        domain_crash(vcpu, "KVM does not take interrupt 0x%x: %s", vector,
                     strerror(errno));
    cpu->run->ready_for_interrupt_injection = 0; /* one at a time */
}

/*
 * As a device would: a write to the APIC's address. False if the APIC does not
 * take it now, being disabled.
 */
static bool signal_apic(struct kvm_cpu *cpu, struct vcpu *vcpu, uint8_t vector)
{
    const struct kvm_msi msi = {
        .address_lo = APIC_ADDR | (uint32_t)lapic_id_of(vcpu->id) << 12,
        .data = vector};
    const int rc = ioctl(cpu->vm->fd, KVM_SIGNAL_MSI, &msi);

    if (rc < 0)
        domain_crash(vcpu, "KVM's APIC does not take vector 0x%x: %s", vector,
                     strerror(errno));
    return rc > 0;
}

/*
 * The vCPU's own vector replaces the callback; its APIC is told each time that
 * upcall_pending was set, and remembers it.
 */
static void raise_upcall(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    if (!vcpu->upcall_vector || !vcpu->upcall_raised)
        return;
    vcpu->upcall_raised = false;
    if (!cpu->vm->irqchip)
        lapic_raise(&vcpu->lapic, vcpu->upcall_vector);
    else if (!signal_apic(cpu, vcpu, vcpu->upcall_vector))
        vcpu->upcall_raised = true; /* then at the next entry */
}

/*
 * The callback vector is level-triggered by upcall_pending, with no controller
 * between; others come from the APIC.
 */
static void inject_event(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const uint8_t callback = vcpu->domain->hvm.callback_vector;
    int vector;

    if (vcpu->nmi_pending)
        vcpu->nmi_pending = ioctl(cpu->fd, KVM_NMI) != 0;
    cpu->run->request_interrupt_window = 0;
    if (!vcpu->upcall_vector && callback && vcpu_event_deliverable(vcpu)) {
        if (may_interrupt(cpu))
            interrupt(cpu, vcpu, callback);
        return;
    }
    raise_upcall(cpu, vcpu);
    vector = cpu->vm->irqchip ? -1 : lapic_next(&vcpu->lapic);
    if (vector < 0 || !may_interrupt(cpu))
        return;
    interrupt(cpu, vcpu, (uint8_t)vector);
    lapic_take(&vcpu->lapic, (uint8_t)vector);
}

static void enter_pvh(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    int rc = pvh_vm_follow(cpu->vm, &vcpu->domain->mem);

    if (rc) {
        log_error("KVM does not rearrange the guest's memory: %s",
                  strerror(-rc));
        domain_end(vcpu->domain, DOMAIN_HOST_TROUBLE);
        return;
    }
    inject_event(cpu, vcpu);
}

static bool is_64bit(const struct kvm_sregs *s)
{
    return (s->efer & EFER_LMA) && s->cs.l;
}

static long serve_call32(struct vcpu *vcpu, const struct kvm_regs *r)
{
    const uint64_t args[HYPERCALL_NR_ARGS] = {
        (uint32_t)r->rbx, (uint32_t)r->rcx, (uint32_t)r->rdx, (uint32_t)r->rsi,
        (uint32_t)r->rdi};

    return domain_hypercall(vcpu, (uint32_t)r->rax, args);
}

static long serve_call64(struct vcpu *vcpu, const struct kvm_regs *r)
{
    const uint64_t args[HYPERCALL_NR_ARGS] = {r->rdi, r->rsi, r->rdx, r->r10,
                                              r->r8};

    return domain_hypercall(vcpu, r->rax & 0xffffffff, args);
}

static void serve_hypercall(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct kvm_sregs *s = &cpu->run->s.regs.sregs;
    struct kvm_regs *r = &cpu->run->s.regs.regs;
    long result;

    store_paging(cpu, vcpu);
    vcpu->in_32bit = !is_64bit(s);
    vcpu->interrupts_off = !(r->rflags & RFLAGS_IF);
    if (s->ss.dpl != 0)
        result = -EPERM;
    else if (vcpu->in_32bit)
        result = serve_call32(vcpu, r);
    else
        result = serve_call64(vcpu, r);
    r->rax = vcpu->in_32bit ? (uint32_t)result : (uint64_t)result;
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}

/* Shown with -v, line by line. */
static void collect_debug(const uint8_t *bytes, size_t size)
{
    static char line[128];
    static unsigned len;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != '\n')
            line[len++] = (char)bytes[i];
        if (bytes[i] == '\n' || len == sizeof line) {
            log_info("guest: %.*s", (int)len, line);
            len = 0;
        }
    }
}

/* Nothing is at the ports, but a place for the first words of a kernel. */
static void serve_port(struct kvm_cpu *cpu)
{
    const struct kvm_run *run = cpu->run;
    uint8_t *data = (uint8_t *)cpu->run + run->io.data_offset;
    const size_t size = (size_t)run->io.size * run->io.count;

    if (run->io.data_offset > cpu->run_size ||
        size > cpu->run_size - run->io.data_offset)
        return;
    if (run->io.direction == KVM_EXIT_IO_IN)
        memset(data, 0xff, size);
    else if (run->io.port == DEBUG_PORT)
        collect_debug(data, size);
}

static void serve_out(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    if (cpu->run->io.port == STUB_PORT &&
        cpu->run->io.direction == KVM_EXIT_IO_OUT)
        serve_hypercall(cpu, vcpu);
    else
        serve_port(cpu);
}

/* Registers of the APIC are of 32 bits; all else is a hole. */
static void serve_mmio(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    struct kvm_run *run = cpu->run;
    const uint64_t base = run->apic_base & ~(uint64_t)(LAPIC_SIZE - 1);
    const uint64_t offset = run->mmio.phys_addr - base;
    uint32_t value;

    if (!(run->apic_base & APIC_BASE_ENABLED) || offset >= LAPIC_SIZE ||
        run->mmio.len != sizeof value) {
        if (!run->mmio.is_write)
            memset(run->mmio.data, 0xff, sizeof run->mmio.data);
    } else if (run->mmio.is_write) {
        memcpy(&value, run->mmio.data, sizeof value);
        lapic_write(&vcpu->lapic, (uint32_t)offset, value);
        if (offset == LAPIC_COMMAND)
            ipi_send(vcpu);
    } else {
        value = lapic_read(&vcpu->lapic, (uint32_t)offset);
        memcpy(run->mmio.data, &value, sizeof value);
    }
}

/* A physical address, and in its low bits which page: there is one. */
static bool fill_hypercall_page(struct domain *dom, uint64_t value)
{
    uint8_t *page = memory_frame(&dom->mem, value >> PAGE_SHIFT);
    const struct frame *frame = memory_record(&dom->mem, value >> PAGE_SHIFT);

    if (value % PAGE_SIZE || !page || frame->state != FRAME_RAM)
        return false;
    pvh_write_page(page);
    return true;
}

static void serve_wrmsr(struct kvm_cpu *cpu, struct domain *dom)
{
    const bool done = cpu->run->msr.index == PVH_HYPERCALL_MSR &&
                      fill_hypercall_page(dom, cpu->run->msr.data);

    cpu->run->msr.error = !done;
}

static bool has_interrupt(struct vcpu *vcpu)
{
    return lapic_next(&vcpu->lapic) >= 0;
}

/* With interrupts off nothing will end it: that is how a CPU is left. */
static void serve_halt(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    if (!(cpu->run->s.regs.regs.rflags & RFLAGS_IF))
        vcpu_take_down(vcpu);
    else if (!has_interrupt(vcpu))
        domain_sleep(vcpu, UINT64_MAX, has_interrupt);
}

static void serve_pvh(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    switch (cpu->run->exit_reason) {
    case KVM_EXIT_IO:
        serve_out(cpu, vcpu);
        return;
    case KVM_EXIT_HLT:
        serve_halt(cpu, vcpu);
        return;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        return;
    case KVM_EXIT_MMIO:
        serve_mmio(cpu, vcpu);
        return;
    case KVM_EXIT_X86_RDMSR:
        cpu->run->msr.error = 1;
        return;
    case KVM_EXIT_X86_WRMSR:
        serve_wrmsr(cpu, vcpu->domain);
        return;
    default:
        store_paging(cpu, vcpu);
        exit_serve_failure(cpu, vcpu);
        return;
    }
}

/*
 * With KVM's APIC, HLT stays in the kernel until an interrupt or the tick; one
 * with interrupts off would stay for ever.
 */
static void interrupted_pvh(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    struct kvm_mp_state state;

    store_paging(cpu, vcpu);
    if (!cpu->vm->irqchip || (cpu->run->s.regs.regs.rflags & RFLAGS_IF))
        return;
    if (ioctl(cpu->fd, KVM_GET_MP_STATE, &state) == 0 &&
        state.mp_state == KVM_MP_STATE_HALTED)
        vcpu_take_down(vcpu);
}

/* The code that was loaded, before anybody runs it. */
static void replace_calls(struct domain *dom)
{
    const struct image *image = dom->image;
    unsigned nr = 0;

    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *segment = &image->segments[i];

        if (segment->flags & PF_X)
            nr += pvh_replace_calls(dom->mem.base + segment->paddr,
                                    segment->file_size, segment->paddr);
    }
    if (nr)
        log_info("replaced %u functions that call by VMCALL or VMMCALL", nr);
}

static int create_pvh(struct kvm_vm *vm, struct domain *dom)
{
    replace_calls(dom);
    return pvh_vm_create(vm, dom);
}

const struct kvm_abi kvm_abi_pvh = {
    .create = create_pvh,
    .enter = enter_pvh,
    .serve = serve_pvh,
    .interrupted = interrupted_pvh,
};
