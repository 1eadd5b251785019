/*
 * host/engine/kvm/enter.c: into the guest.
 *
 * Usually its registers are set and it runs. When translations changed it is
 * entered through ring 0, by the stub's helper and an IRETQ. Where it goes is
 * judged here first: not every KVM does that for an IRETQ, and in a VM it
 * would be ring 0 that faults.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/guest_access.h"

/* What a guest may have in RFLAGS: the arithmetic ones, TF, DF, NT, RF, AC,
 * ID. IF is always on, IOPL always 0. */
#define GUEST_RFLAGS 0x254dd5u
#define RFLAGS_IF    0x200u
#define RFLAGS_FIXED 2u

#define OUT_LENGTH 2

static void set_segments(struct kvm_cpu *cpu, struct vcpu *vcpu, uint16_t code,
                         uint16_t stack)
{
    struct kvm_sregs *s = &cpu->run->s.regs.sregs;

    s->cs = segment_of(cpu, vcpu, code);
    s->ss = segment_of(cpu, vcpu, stack);
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
    cpu->in_ring0 = (code & 3) == 0;
}

bool enter_possible(const struct kvm_cpu *cpu, struct vcpu *vcpu,
                    uint32_t *error)
{
    const struct regs *r = &vcpu->regs;
    const uint16_t cs = (uint16_t)r->cs, ss = (uint16_t)r->ss;

    *error = 0;
    if (!va_is_canonical(r->rip))
        return false;
    if (cs == FLAT_KERNEL_CS && ss == FLAT_KERNEL_SS)
        return true;
    *error = cs & 0xfffc;
    if (!segment_fits(cpu, vcpu, cs, true))
        return false;
    *error = ss & 0xfffc;
    return segment_fits(cpu, vcpu, ss, false);
}

static void load_general(struct kvm_regs *to, const struct regs *r)
{
    *to = (struct kvm_regs){
        REGS_GENERAL(r),
        .rflags = (r->rflags & GUEST_RFLAGS) | RFLAGS_IF | RFLAGS_FIXED,
    };
}

/* The arguments of both helpers. */
static void load_touches(struct kvm_cpu *cpu, struct kvm_regs *regs)
{
    regs->rsi = cpu->stub_va + offsetof(struct stub_cpu, touched);
    regs->rcx = cpu->nr_touched;
    regs->rbx = cpu->cr3 << PAGE_SHIFT;
    regs->rflags = RFLAGS_FIXED;
    cpu->nr_touched = 0;
    cpu->flush = false;
}

static void go_by_helper(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct regs *r = &vcpu->regs;
    struct kvm_regs *regs = &cpu->run->s.regs.regs;

    cpu->stub->ret = (struct stub_return){
        .rax = r->rax,
        .rcx = r->rcx,
        .rbx = r->rbx,
        .rsi = r->rsi,
        .rip = r->rip,
        .cs = r->cs,
        .rflags = regs->rflags,
        .rsp = r->rsp,
        .ss = r->ss,
    };
    cpu->counts.by_helper++;
    load_touches(cpu, regs);
    regs->rip = stub_code_va(stub_helper);
    regs->rsp = cpu->stub_va + offsetof(struct stub_cpu, ret);
    set_segments(cpu, vcpu, STUB_CS, STUB_SS);
}

/* As on Xen the M2P table is in those tables too that are the kernel's as well,
 * unless that is strict. */
enum stub_view enter_view(const struct domain *dom, mfn_t root)
{
    bool of_kernel = false, of_users = false;

    for (unsigned i = 0; i < dom->nr_vcpus; i++) {
        of_kernel |= dom->vcpus[i].cr3 == root;
        of_users |= dom->vcpus[i].cr3_user == root;
    }
    if (!of_users)
        return STUB_KERNEL;
    if (of_kernel && !(dom->vm_assist >> VMASST_TYPE_m2p_strict & 1))
        return STUB_BOTH;
    return STUB_USER;
}

enum stub_view enter_install(struct kvm_cpu *cpu, struct vcpu *vcpu, mfn_t root)
{
    uint64_t *l4 = memory_frame(&vcpu->domain->mem, root);
    const enum stub_view view = enter_view(vcpu->domain, root);
    const uint32_t changed = stub_install(&cpu->vm->stub, l4, view);

    for (unsigned i = 0; changed >> i; i++)
        if (changed >> i & 1)
            kvm_touch(cpu, vcpu,
                      (root << PAGE_SHIFT) +
                          (STUB_FIRST_SLOT + i) * sizeof *l4);
    return view;
}

static void load_table(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const mfn_t root = vcpu_root(vcpu);

    if (!memory_frame(&vcpu->domain->mem, root) ||
        (cpu->cr3 == root &&
         (cpu->cr3_view == STUB_KERNEL) == (root != vcpu->cr3_user)))
        return;
    cpu->cr3_view = enter_install(cpu, vcpu, root);
    cpu->cr3 = root;
    cpu->run->s.regs.sregs.cr3 = root << PAGE_SHIFT;
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
    cpu->flush = false; /* KVM forgets what the CPU had of the old one */
}

static void load_bases(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    if (!cpu->new_bases)
        return;
    cpu->new_bases = false;
    cpu->run->s.regs.sregs.fs.base = vcpu->fs_base;
    cpu->run->s.regs.sregs.gs.base = *vcpu_gs_base(vcpu);
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
}

void enter_prepare(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct regs *r = &vcpu->regs;

    load_table(cpu, vcpu);
    load_bases(cpu, vcpu);
    control_load(cpu, vcpu);
    segment_load_ldt(cpu, vcpu);
    deputy_load(cpu, vcpu);
    path_load(cpu, vcpu);
    /* last: the above may pass through ring 0 */
    load_general(&cpu->run->s.regs.regs, r);
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    if (cpu->flush || cpu->nr_touched)
        go_by_helper(cpu, vcpu);
    else if (cpu->in_ring0 || cpu->run->s.regs.sregs.cs.selector != r->cs ||
             cpu->run->s.regs.sregs.ss.selector != r->ss)
        set_segments(cpu, vcpu, (uint16_t)r->cs, (uint16_t)r->ss);
}

int enter_run(struct kvm_cpu *cpu)
{
    int rc;

    cpu->run->s.regs.sregs.tr.type = cpu->vm->tss_type;
    rc = ioctl(cpu->fd, KVM_RUN, 0) ? -errno : 0;
    cpu->nr_exits++;
    cpu->counts.nr[EXIT_SIGNAL] += rc == -EINTR;
    cpu->run->immediate_exit = 0;
    return rc;
}

void enter_touch(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const uint64_t done = stub_code_va(stub_touch_end);
    struct kvm_regs *regs = &cpu->run->s.regs.regs;
    int rc;

    cpu->counts.nr[EXIT_TABLES]++;
    load_touches(cpu, regs);
    regs->rip = stub_code_va(stub_touch);
    regs->rsp = cpu->stub_va + offsetof(struct stub_cpu, ret);
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    set_segments(cpu, vcpu, STUB_CS, STUB_SS);
    do
        rc = enter_run(cpu);
    while (rc == -EINTR);
    if (rc || cpu->run->exit_reason != KVM_EXIT_IO || regs->rip != done)
        cpu->flush = true; /* the next entry meets the same and reports it */
}

bool enter_own(struct kvm_cpu *cpu, struct vcpu *vcpu, uint64_t from,
               uint64_t end)
{
    struct kvm_regs *regs = &cpu->run->s.regs.regs;
    int rc;

    regs->rip = from;
    regs->rflags = RFLAGS_IF | RFLAGS_FIXED;
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    set_segments(cpu, vcpu, FLAT_KERNEL_CS, FLAT_KERNEL_SS);
    do
        rc = enter_run(cpu);
    while (rc == -EINTR);
    cpu->in_ring0 = true; /* whatever they are now, they are not the guest's */
    return rc == 0 && cpu->run->exit_reason == KVM_EXIT_IO &&
           regs->rip == end + OUT_LENGTH;
}

bool enter_read_selectors(struct kvm_cpu *cpu, struct vcpu *vcpu,
                          uint16_t selectors[4])
{
    const struct kvm_regs *regs = &cpu->run->s.regs.regs;

    if (!enter_own(cpu, vcpu, stub_syscall_va(stub_selectors),
                   stub_syscall_va(stub_selectors_out)))
        return false;
    selectors[0] = (uint16_t)regs->rax;
    selectors[1] = (uint16_t)regs->rcx;
    selectors[2] = (uint16_t)regs->rdx;
    selectors[3] = (uint16_t)regs->rbx;
    return true;
}
