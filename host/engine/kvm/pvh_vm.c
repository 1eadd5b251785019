/*
 * host/engine/kvm/pvh_vm.c: the VM of a PVH guest: its memory, which follows
 * the physmap, and its vCPU in the state of the PVH boot ABI.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/log.h"
#include "host/pvh/cpuid.h"
#include "host/pvh/physmap.h"
#include "host/pvh/start.h"

#define MAX_CPUID 256

/* For CPUs that cannot run real mode by themselves: nothing of the guest's. */
#define TSS_ADDR      0xfffbd000u
#define IDENTITY_ADDR 0xfffbc000u

/* Other hypervisors' MSRs: none of them is here, and one is Xen's. */
#define FIRST_FOREIGN_MSR 0x40000000u
#define NR_FOREIGN_MSRS   0x1000u

#define CR0_PE 1u

/* What the VM has now, slot by slot; nr 0: the slot is free. */
static struct physmap_range slots[PHYSMAP_MAX_RANGES];
static unsigned nr_changes_followed;

static int set_slot(struct kvm_vm *vm, const struct memory *mem, unsigned slot,
                    const struct physmap_range *range)
{
    return vm_add_memory(vm->fd, slot, range->gfn << PAGE_SHIFT,
                         mem->base + (range->index << PAGE_SHIFT),
                         range->nr << PAGE_SHIFT, 0);
}

static bool is_among(const struct physmap_range *ranges, unsigned nr,
                     const struct physmap_range *wanted)
{
    for (unsigned i = 0; i < nr; i++)
        if (ranges[i].gfn == wanted->gfn && ranges[i].nr == wanted->nr &&
            ranges[i].index == wanted->index)
            return true;
    return false;
}

/* Slots whose range is not there any more are emptied. */
static int drop_slots(struct kvm_vm *vm, const struct memory *mem,
                      const struct physmap_range *ranges, unsigned nr)
{
    for (unsigned i = 0; i < PHYSMAP_MAX_RANGES; i++) {
        int rc;

        if (!slots[i].nr || is_among(ranges, nr, &slots[i]))
            continue;
        slots[i].nr = 0;
        rc = set_slot(vm, mem, i, &slots[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static int fill_slots(struct kvm_vm *vm, const struct memory *mem,
                      const struct physmap_range *ranges, unsigned nr)
{
    unsigned slot = 0;

    for (unsigned i = 0; i < nr; i++) {
        int rc;

        if (is_among(slots, PHYSMAP_MAX_RANGES, &ranges[i]))
            continue;
        while (slots[slot].nr)
            slot++;
        slots[slot] = ranges[i];
        rc = set_slot(vm, mem, slot, &slots[slot]);
        if (rc)
            return rc;
    }
    return 0;
}

int pvh_vm_follow(struct kvm_vm *vm, const struct memory *mem)
{
    struct physmap_range ranges[PHYSMAP_MAX_RANGES];
    unsigned nr;
    int rc;

    if (nr_changes_followed == mem->physmap->nr_changes)
        return 0;
    nr_changes_followed = mem->physmap->nr_changes;
    nr = physmap_ranges(mem->physmap, ranges);
    rc = drop_slots(vm, mem, ranges, nr);
    return rc ? rc : fill_slots(vm, mem, ranges, nr);
}

static int set_cpuid(int kvm, int vcpu, unsigned id)
{
    struct kvm_cpuid2 *cpuid =
        calloc(1, sizeof *cpuid + MAX_CPUID * sizeof *cpuid->entries);
    unsigned nr = 0;
    int rc;

    if (!cpuid)
        return -ENOMEM;
    cpuid->nent = MAX_CPUID - PVH_NR_LEAVES;
    rc = ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) ? -errno : 0;
    for (unsigned i = 0; rc == 0 && i < cpuid->nent; i++) {
        struct kvm_cpuid_entry2 e = cpuid->entries[i];
        uint32_t regs[4] = {e.eax, e.ebx, e.ecx, e.edx};

        if (e.function >> 8 == PVH_FIRST_LEAF >> 8)
            continue;
        pvh_adjust_leaf(e.function, e.index, id, regs);
        e.eax = regs[0];
        e.ebx = regs[1];
        e.ecx = regs[2];
        e.edx = regs[3];
        cpuid->entries[nr++] = e;
    }
    for (uint32_t i = 0; rc == 0 && i < PVH_NR_LEAVES; i++) {
        uint32_t out[4];

        pvh_xen_leaf(i, id, out);
        cpuid->entries[nr++] =
            (struct kvm_cpuid_entry2){.function = PVH_FIRST_LEAF + i,
                                      .eax = out[0],
                                      .ebx = out[1],
                                      .ecx = out[2],
                                      .edx = out[3]};
    }
    cpuid->nent = nr;
    if (rc == 0)
        rc = ioctl(vcpu, KVM_SET_CPUID2, cpuid) ? -errno : 0;
    free(cpuid);
    return rc;
}

/* KVM would take Xen's hypercall page for one of Hyper-V's MSRs. */
static int filter_msrs(int vm)
{
    static uint8_t none[NR_FOREIGN_MSRS / 8];
    struct kvm_enable_cap cap = {
        .cap = KVM_CAP_X86_USER_SPACE_MSR,
        .args[0] = KVM_MSR_EXIT_REASON_FILTER,
    };
    struct kvm_msr_filter filter = {
        .flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
        .ranges[0] =
            {
                .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
                .nmsrs = NR_FOREIGN_MSRS,
                .base = FIRST_FOREIGN_MSR,
                .bitmap = none,
            },
    };

    if (ioctl(vm, KVM_ENABLE_CAP, &cap) ||
        ioctl(vm, KVM_X86_SET_MSR_FILTER, &filter))
        return -errno;
    return 0;
}

static struct kvm_segment segment(const struct pvh_segment *from)
{
    return (struct kvm_segment){
        .base = from->base,
        .limit = PVH_AR_G(from->ar) && from->limit != UINT32_MAX
                     ? from->limit << 12 | 0xfff
                     : from->limit,
        .selector = from->selector,
        .type = PVH_AR_TYPE(from->ar),
        .present = PVH_AR_P(from->ar),
        .dpl = PVH_AR_DPL(from->ar),
        .db = PVH_AR_DB(from->ar),
        .s = PVH_AR_S(from->ar),
        .l = PVH_AR_L(from->ar),
        .g = PVH_AR_G(from->ar),
        .avl = PVH_AR_AVL(from->ar),
        .unusable = !PVH_AR_P(from->ar),
    };
}

static void set_sregs(struct kvm_cpu *cpu, const struct pvh_start *start)
{
    struct kvm_sregs *s = &cpu->run->s.regs.sregs;

    s->cr0 = start->cr0;
    s->cr3 = start->cr3;
    s->cr4 = start->cr4;
    s->efer = start->efer;
    s->cs = segment(&start->cs);
    s->ds = s->fs = s->gs = segment(&start->ds);
    s->es = segment(&start->es);
    s->ss = segment(&start->ss);
    s->tr = segment(&start->tr);
    if (start->cr0 & CR0_PE)
        s->tr.type = cpu->vm->tss_type; /* of 32 bits */
    s->ldt = (struct kvm_segment){.type = 2, .unusable = 1};
    s->gdt = s->idt = (struct kvm_dtable){0};
    if (!(start->cr0 & CR0_PE))
        s->gdt.limit = s->idt.limit = 0xffff;
}

void pvh_vm_start(struct kvm_cpu *cpu, const struct pvh_start *start)
{
    const struct kvm_mp_state runnable = {KVM_MP_STATE_RUNNABLE};
    const struct regs *r = &start->regs;

    cpu->run->s.regs.regs = (struct kvm_regs){
        REGS_GENERAL(r),
        .rflags = r->rflags,
    };
    set_sregs(cpu, start);
    if (cpu->vm->irqchip) /* else it is what it is: those wait for a SIPI */
        ioctl(cpu->fd, KVM_SET_MP_STATE, &runnable);
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
}

/* Needed by old Intel CPUs, not understood by others. */
static void set_hidden_pages(int vm)
{
    uint64_t identity = IDENTITY_ADDR;

    ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
    ioctl(vm, KVM_SET_TSS_ADDR, TSS_ADDR);
}

/* KVM's APIC, and no controllers beside it; for the vCPUs that come. */
static int make_irqchip(int vm)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_SPLIT_IRQCHIP};

    return ioctl(vm, KVM_ENABLE_CAP, &cap) ? -errno : 0;
}

static int set_up_vcpu(struct kvm_cpu *cpu, int kvm, const struct vcpu *vcpu,
                       const char **step)
{
    struct pvh_start start;
    int rc;

    *step = "give it a CPU";
    rc = vm_create_vcpu(cpu, lapic_id_of(vcpu->id), kvm, cpu->vm->fd);
    if (rc)
        return rc;
    *step = "describe the CPU";
    rc = set_cpuid(kvm, cpu->fd, vcpu->id);
    if (rc)
        return rc;
    *step = "let it have the host's TSC";
    rc = vm_set_tsc(cpu->fd);
    if (rc)
        return rc;
    *step = "set its registers";
    if (ioctl(cpu->fd, KVM_GET_SREGS, &cpu->run->s.regs.sregs))
        return -errno;
    pvh_start_boot(&start, &vcpu->regs);
    pvh_vm_start(cpu, &start);
    return 0;
}

static int set_up(struct kvm_vm *vm, int kvm, struct domain *dom,
                  const char **step)
{
    int rc;

    *step = "give it memory";
    set_hidden_pages(vm->fd);
    nr_changes_followed = dom->mem.physmap->nr_changes - 1;
    memset(slots, 0, sizeof slots);
    rc = pvh_vm_follow(vm, &dom->mem);
    if (rc)
        return rc;
    *step = "answer the MSR of Xen's hypercall page";
    rc = filter_msrs(vm->fd);
    if (rc)
        return rc;
    *step = "give it an interrupt controller";
    vm->irqchip = dom->config->kernel_irqchip;
    rc = vm->irqchip ? make_irqchip(vm->fd) : 0;
    for (unsigned i = 0; rc == 0 && i < dom->nr_vcpus; i++)
        rc = set_up_vcpu(&vm->cpus[i], kvm, &dom->vcpus[i], step);
    return rc;
}

int pvh_vm_create(struct kvm_vm *vm, struct domain *dom)
{
    const char *step = "make a VM";
    char why[256];
    int kvm, rc;

    kvm = vm_open(why, sizeof why);
    if (kvm < 0) {
        log_error("%s", why);
        return kvm;
    }
    vm->fd = vm_new(kvm);
    rc = vm->fd < 0 ? -errno : set_up(vm, kvm, dom, &step);
    close(kvm);
    if (rc) {
        log_error("cannot %s: %s: %s", step, strerror(-rc), vm_remedy(-rc));
        vm_destroy(vm, &dom->mem);
    }
    return rc;
}
