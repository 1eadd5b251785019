/*
 * host/engine/kvm/enter.c: into the guest.
 *
 * Usually its registers are set and it runs. When translations changed, or
 * when only the CPU can say whether its selectors and RIP are any good, it is
 * entered through ring 0, by the stub's helper and an IRETQ.
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

#define TYPE_CODE 11 /* readable, accessed */
#define TYPE_DATA 3  /* writable, accessed */

static struct kvm_segment flat(uint16_t selector, uint8_t type)
{
    return (struct kvm_segment){
        .limit = 0xffffffff,
        .selector = selector,
        .type = type,
        .present = 1,
        .dpl = selector & 3,
        .db = type == TYPE_DATA,
        .s = 1,
        .l = type == TYPE_CODE,
        .g = 1,
    };
}

static void set_ring(struct kvm_cpu *cpu, unsigned ring)
{
    struct kvm_sregs *s = &cpu->run->s.regs.sregs;

    s->cs = flat(ring ? FLAT_KERNEL_CS : STUB_CS, TYPE_CODE);
    s->ss = flat(ring ? FLAT_KERNEL_SS : STUB_SS, TYPE_DATA);
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
    cpu->in_ring0 = ring == 0;
}

static bool canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* Is this a place where ring 3 can go on without anybody checking? */
static bool is_plain(const struct regs *r)
{
    return r->cs == FLAT_KERNEL_CS && r->ss == FLAT_KERNEL_SS &&
           canonical(r->rip);
}

static void load_general(struct kvm_regs *to, const struct regs *r)
{
    *to = (struct kvm_regs){
        .rax = r->rax,
        .rbx = r->rbx,
        .rcx = r->rcx,
        .rdx = r->rdx,
        .rsi = r->rsi,
        .rdi = r->rdi,
        .rsp = r->rsp,
        .rbp = r->rbp,
        .r8 = r->r8,
        .r9 = r->r9,
        .r10 = r->r10,
        .r11 = r->r11,
        .r12 = r->r12,
        .r13 = r->r13,
        .r14 = r->r14,
        .r15 = r->r15,
        .rip = r->rip,
        .rflags = (r->rflags & GUEST_RFLAGS) | RFLAGS_IF | RFLAGS_FIXED,
    };
}

/* The arguments of both helpers. */
static void load_touches(struct kvm_cpu *cpu, struct kvm_regs *regs)
{
    regs->rsi = STUB_VA + offsetof(struct stub_pages, touched);
    regs->rcx = cpu->nr_touched;
    regs->rbx = cpu->cr3 << PAGE_SHIFT;
    regs->rflags = RFLAGS_FIXED;
    cpu->nr_touched = 0;
    cpu->flush = false;
}

static void go_by_helper(struct kvm_cpu *cpu, const struct regs *r)
{
    struct kvm_regs *regs = &cpu->run->s.regs.regs;

    cpu->stub.pages->ret = (struct stub_return){
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
    load_touches(cpu, regs);
    regs->rip = stub_code_va(stub_helper);
    regs->rsp = STUB_VA + offsetof(struct stub_pages, ret);
    set_ring(cpu, 0);
}

static void load_table(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    uint64_t *l4 = memory_frame(&vcpu->domain->mem, vcpu->cr3);

    if (cpu->cr3 == vcpu->cr3 || !l4)
        return;
    stub_install(&cpu->stub, l4);
    cpu->cr3 = vcpu->cr3;
    cpu->run->s.regs.sregs.cr3 = vcpu->cr3 << PAGE_SHIFT;
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
    cpu->flush = true;
}

static void load_bases(struct kvm_cpu *cpu, const struct vcpu *vcpu)
{
    if (!cpu->new_bases)
        return;
    cpu->new_bases = false;
    cpu->run->s.regs.sregs.fs.base = vcpu->fs_base;
    cpu->run->s.regs.sregs.gs.base = vcpu->gs_base;
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
}

void enter_prepare(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct regs *r = &vcpu->regs;

    load_general(&cpu->run->s.regs.regs, r);
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    load_table(cpu, vcpu);
    load_bases(cpu, vcpu);
    if (cpu->flush || cpu->nr_touched || !is_plain(r))
        go_by_helper(cpu, r);
    else if (cpu->in_ring0)
        set_ring(cpu, 3);
}

int enter_run(struct kvm_cpu *cpu)
{
    int rc = ioctl(cpu->fd, KVM_RUN, 0) ? -errno : 0;

    cpu->nr_exits++;
    cpu->run->immediate_exit = 0;
    return rc;
}

void enter_touch(struct kvm_cpu *cpu)
{
    const uint64_t done = stub_code_va(stub_touch_end);
    struct kvm_regs *regs = &cpu->run->s.regs.regs;
    int rc;

    load_touches(cpu, regs);
    regs->rip = stub_code_va(stub_touch);
    regs->rsp = STUB_VA + offsetof(struct stub_pages, ret);
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    set_ring(cpu, 0);
    do
        rc = enter_run(cpu);
    while (rc == -EINTR);
    if (rc || cpu->run->exit_reason != KVM_EXIT_IO || regs->rip != done)
        cpu->flush = true; /* the next entry meets the same and reports it */
}
