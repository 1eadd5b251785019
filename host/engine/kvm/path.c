/*
 * host/engine/kvm/path.c: the host's part in the short paths of the stub
 * (stub_path_x86_64.S). Before an entry it says what they may do, and by which
 * values; after an exit it takes back what they changed: the mode, the GS base
 * of the other mode, the kernel's stack, CR2, CR3. One that did not come to its
 * end is undone here, and what it was for is served as if there were no such
 * paths.
 */
#include <assert.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/guest_access.h"

#define RFLAGS_IOPL 0x3000u
#define IOPL_SHIFT  12
#define CR0_TS      8u

#define TRAP_MASKS_EVENTS 4u /* trap_info.flags: TI_GET_IF */

/* Which of these words it finds there, the code knows. */
static_assert(offsetof(struct vcpu_info, evtchn_upcall_mask) == 1, "INFO_MASK");
static_assert(offsetof(struct vcpu_info, arch.cr2) == 16, "INFO_CR2");

bool path_is_for(unsigned nr)
{
    return nr == __HYPERVISOR_iret || nr == __HYPERVISOR_set_segment_base ||
           nr == __HYPERVISOR_stack_switch || nr == __HYPERVISOR_fpu_taskswitch;
}

static uint64_t info_va(const struct vcpu *vcpu)
{
    const struct memory *mem = &vcpu->domain->mem;
    const size_t at = (size_t)((const uint8_t *)vcpu->info - mem->base);

    return STUB_WINDOW_VA + (memory_mfn(mem, at >> PAGE_SHIFT) << PAGE_SHIFT) +
           at % PAGE_SIZE;
}

/* Our slots in the L4 (root); its CR3, or 0 if there is none. */
static uint64_t cr3_of(struct kvm_cpu *cpu, struct vcpu *vcpu, mfn_t root)
{
    if (!root || !memory_frame(&vcpu->domain->mem, root))
        return 0;
    enter_install(cpu, vcpu, root);
    return root << PAGE_SHIFT;
}

/* (address) if a short path may enter it, else 0. */
static uint64_t handler_at(uint64_t address, bool allowed)
{
    return allowed && va_is_canonical(address) ? address : 0;
}

static void load_handlers(struct stub_path *path, const struct vcpu *vcpu,
                          bool allowed)
{
    uint64_t masking = 0;

    for (unsigned i = 0; i < STUB_NR_GATES; i++) {
        if (!(STUB_GATES >> i & 1))
            continue;
        path->handlers[i] = handler_at(vcpu->traps[i].address, allowed);
        if (vcpu->traps[i].flags & TRAP_MASKS_EVENTS)
            masking |= 1u << i;
    }
    path->masking = masking;
    path->callback = handler_at(vcpu->syscall.address, allowed);
    path->callback_masks = vcpu->syscall.mask_events;
}

static void begin(struct kvm_cpu *cpu)
{
    cpu->short_paths = true;
    stub_fill_paths(cpu->stub, cpu->vcpu->id);
    cpu->run->s.regs.sregs.idt.base =
        cpu->stub_va + offsetof(struct stub_cpu, idt);
    cpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
}

void path_load(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct domain *dom = vcpu->domain;
    const bool allowed = !cpu->armed && !dom->config->trace;
    const bool iopl = dom->vm_assist >> VMASST_TYPE_architectural_iopl & 1;
    struct stub_path *path;

    if (cpu->vm->paths != PATHS_USED)
        return;
    path = &cpu->stub->path;
    if (!cpu->short_paths)
        begin(cpu);
    path->user_mode = vcpu->user_mode;
    path->gs_base[0] = vcpu->gs_base;
    path->gs_base[1] = vcpu->gs_base_user;
    path->cr3[0] = cr3_of(cpu, vcpu, vcpu->cr3);
    path->cr3[1] = cr3_of(cpu, vcpu, vcpu->cr3_user);
    path->info = info_va(vcpu);
    path->kernel_ss = vcpu->kernel_ss;
    path->kernel_sp = vcpu->kernel_sp;
    path->guest_cr2 = vcpu->cr2;
    path->iopl = iopl ? (uint64_t)vcpu->iopl << IOPL_SHIFT : 0;
    path->iopl_mask = iopl ? RFLAGS_IOPL : 0;
    load_handlers(path, vcpu, allowed && path->cr3[0]);
    path->may_bounce = path->callback != 0;
    path->may_call = allowed;
    path->may_iret = allowed && !vcpu->nmi_pending && !vcpu->nmi_blocked;
}

void path_take(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct stub_path *path;

    if (!cpu->short_paths)
        return;
    path = &cpu->stub->path;
    vcpu->user_mode = path->user_mode;
    vcpu->gs_base = path->gs_base[0];
    vcpu->gs_base_user = path->gs_base[1];
    vcpu->kernel_ss = (path->kernel_ss & 0xffff) | 3;
    vcpu->kernel_sp = path->kernel_sp;
    vcpu->cr2 = path->guest_cr2;
    vcpu->ts = cpu->run->s.regs.sregs.cr0 & CR0_TS;
    cpu->cr3 = cpu->run->s.regs.sregs.cr3 >> PAGE_SHIFT;
    cpu->cr3_view = enter_view(vcpu->domain, cpu->cr3);
}

/* What was kept when a path began: the registers, the mode, its GS base. */
static void restore(struct kvm_cpu *cpu, struct vcpu *vcpu, bool from_user,
                    bool new_base)
{
    const struct stub_path *path = &cpu->stub->path;

    vcpu->regs.rax = path->rax;
    vcpu->regs.rbx = path->rbx;
    vcpu->regs.rcx = path->rcx;
    vcpu->regs.rdx = path->rdx;
    vcpu->regs.r11 = path->r11;
    vcpu->regs.rsp = path->rsp; /* of a trap, the frame has it */
    vcpu->gs_base = path->gs_base[0];
    vcpu->gs_base_user = path->gs_base[1];
    vcpu->user_mode = from_user;
    if (!new_base)
        *vcpu_gs_base(vcpu) = cpu->run->s.regs.sregs.gs.base;
    cpu->new_bases = true;
}

/* On the way to the code: nothing has begun. */
static bool is_at_entry(const struct kvm_cpu *cpu, uint64_t rip)
{
    return rip - stub_entry_va(cpu->vcpu->id, stub_entry) <
           (uint64_t)(stub_entry_end - stub_entry);
}

/* The place of the code that the vCPU has at (rip), NULL if that is none. */
static const char *code_at(const struct kvm_cpu *cpu, uint64_t rip)
{
    const uint64_t offset = rip - stub_path_va(cpu->vcpu->id, stub_path);

    return cpu->short_paths && offset < (uint64_t)(stub_path_end - stub_path)
               ? stub_path + offset
               : NULL;
}

static bool is_gate(const char *at)
{
    return at >= stub_gates && at < stub_trap;
}

bool path_is_gate(const struct kvm_cpu *cpu, uint64_t rip, uint8_t *vector)
{
    const char *at = code_at(cpu, rip);

    if (!at || !is_gate(at))
        return false;
    *vector = (uint8_t)((at - stub_gates) / STUB_GATE_SIZE);
    return true;
}

bool path_is_at(const struct kvm_cpu *cpu, uint64_t rip)
{
    const char *at = code_at(cpu, rip);

    /* a trap of ring 0 itself leaves by its gate */
    return at ? !is_gate(at) || (cpu->stub->frame.cs & 3)
              : is_at_entry(cpu, rip);
}

/* Does the frame to be pushed tell of a trap? */
static bool is_of_trap(const struct kvm_cpu *cpu, const char *at)
{
    if (at < stub_gates || at >= stub_frame_end)
        return false;
    return at < stub_bounce ||
           (at >= stub_frame && cpu->stub->path.vector != STUB_SYSCALL);
}

static void undo_trap(const struct kvm_cpu *cpu, const char *at, bool faulted,
                      struct path_cut *cut)
{
    const struct stub_path *path = &cpu->stub->path;

    cut->what = CUT_TRAP;
    cut->vector = (uint8_t)path->vector;
    if (at < stub_trap)
        cut->vector = (uint8_t)((at - stub_gates) / STUB_GATE_SIZE);
    cut->frame = faulted ? path->trap : cpu->stub->frame;
    cut->cr2 = faulted ? path->cr2 : cpu->run->s.regs.sregs.cr2;
}

bool path_undo(struct kvm_cpu *cpu, struct vcpu *vcpu, uint64_t rip,
               bool faulted, struct path_cut *cut)
{
    const char *at = code_at(cpu, rip);
    const struct stub_path *path;

    *cut = (struct path_cut){.what = CUT_CALL};
    if (!at && !is_at_entry(cpu, rip))
        return false;
    if (faulted) /* before anything was kept: a breakpoint that comes late */
        vcpu->regs.rsp = cpu->stub->frame.rsp;
    if (!at)
        return true;
    path = &cpu->stub->path;
    if (is_of_trap(cpu, at))
        undo_trap(cpu, at, faulted, cut);
    if (at >= stub_iret)
        restore(cpu, vcpu, false, at >= stub_iret_gs && at < stub_iret_end);
    else if (at >= stub_frame)
        restore(cpu, vcpu, path->from_user,
                path->from_user && at >= stub_frame_gs);
    else if (at >= stub_bounce)
        restore(cpu, vcpu, true, false);
    else if (at >= stub_trap_kept)
        restore(cpu, vcpu, vcpu->user_mode, false);
    if (at > stub_frame_mask && at < stub_frame_end)
        vcpu->info->evtchn_upcall_mask = (uint8_t)path->mask;
    return true;
}
