/*
 * host/engine/kvm/deputy.c: the host's part in what deputy_x86_64.S serves.
 * Before an entry it says what the deputy may do; after an exit it takes back
 * what that changed, and looks whether a call was cut short.
 */
#include "host/engine/kvm/deputy.h"

#include <assert.h>
#include <cpuid.h>
#include <stddef.h>

#include <xen/version.h>

#include "host/calls/calls.h"
#include "host/config.h"
#include "host/domain.h"
#include "host/engine/kvm/kvm.h"
#include "host/guest_access.h"

#define CPUID_EXTENDED 0x80000001u
#define CPUID_SVM      (1u << 2) /* of ECX */
#define CPUID1_VMX     (1u << 5)

#define RPL_MASK   3u
#define MOV_LENGTH 10 /* of the instruction at DEPUTY_KEPT_RAX */

#define AT(field, offset) \
    static_assert(offsetof(struct deputy, field) == (offset), #field)
AT(rax, DEPUTY_RAX);
AT(rbx, DEPUTY_RBX);
AT(rdx, DEPUTY_RDX);
AT(rsp, DEPUTY_RSP);
AT(new_rax, DEPUTY_NEW_RAX);
AT(new_rcx, DEPUTY_NEW_RCX);
AT(new_r11, DEPUTY_NEW_R11);
AT(rip, DEPUTY_FRAME);
AT(on, DEPUTY_ON);
AT(may_iret, DEPUTY_MAY_IRET);
AT(nr_vcpus, DEPUTY_NR_VCPUS);
AT(version, DEPUTY_VERSION);
AT(info, DEPUTY_INFO_VA);
AT(first_mfn, DEPUTY_FIRST_MFN);
AT(nr_frames, DEPUTY_NR_FRAMES);
AT(kernel_ss, DEPUTY_KERNEL_SS);
AT(kernel_sp, DEPUTY_KERNEL_SP);
AT(gs_base_user, DEPUTY_GS_USER);
AT(count, DEPUTY_COUNT);
static_assert(sizeof(struct deputy) == PAGE_SIZE, "a page");
static_assert(DOMAIN_MAX_VCPUS <= DEPUTY_BLOCKS, "a block for each");
static_assert(sizeof(struct frame) == FRAME_SIZE &&
                  offsetof(struct frame, state) == FRAME_STATE &&
                  offsetof(struct frame, type) == FRAME_TYPE &&
                  offsetof(struct frame, uses) == FRAME_USES,
              "as the deputy reads it");
static_assert(FRAME_RAM == 0 && FRAME_FREE == 1 && TYPE_L1 == 1, "as there");

/* Without hardware for it ring 0 cannot be native. */
static bool has_hardware(void)
{
    unsigned a, b, c = 0, d;

    if (__get_cpuid(1, &a, &b, &c, &d) && c & CPUID1_VMX)
        return true;
    c = 0;
    return __get_cpuid(CPUID_EXTENDED, &a, &b, &c, &d) && c & CPUID_SVM;
}

bool deputy_is_possible(const struct domain *dom)
{
    const struct memory *mem = &dom->mem;
    const uint64_t end = (mem->first_mfn + mem->nr_frames) << PAGE_SHIFT;

    return !mem->shuffle && end <= DEPUTY_MAX && !has_hardware() &&
           !dom->config->no_short_paths;
}

uint64_t deputy_entry(unsigned id)
{
    return stub_deputy_va(deputy_code) + (uint64_t)id * DEPUTY_BLOCK_SIZE +
           DEPUTY_ENTRY;
}

/* Show the deputy where the guest keeps its struct vcpu_info. */
static uint64_t show_info(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct memory *mem = &vcpu->domain->mem;
    const size_t at = (size_t)((const uint8_t *)vcpu->info - mem->base);
    const mfn_t mfn = memory_mfn(mem, at >> PAGE_SHIFT);
    struct stub *stub = &cpu->vm->stub;

    if (stub_show_info(stub, vcpu->id, mfn))
        kvm_touch(cpu, vcpu, stub_info_entry(stub, vcpu->id));
    return DEPUTY_VA + DEPUTY_INFO + vcpu->id * (uint64_t)PAGE_SIZE +
           at % PAGE_SIZE;
}

void deputy_load(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct domain *dom = vcpu->domain;
    const bool iopl = dom->vm_assist >> VMASST_TYPE_architectural_iopl & 1;
    struct deputy *deputy;

    if (!cpu->vm->stub.has_deputy)
        return;
    deputy = &cpu->stub->deputy;
    deputy->on = !cpu->armed && !(dom->config->trace & TRACE_HYPERCALL);
    deputy->may_iret = !iopl && !vcpu->nmi_pending && !vcpu->nmi_blocked;
    deputy->nr_vcpus = dom->nr_vcpus;
    deputy->version = XEN_MAJOR << 16 | XEN_MINOR;
    deputy->info = show_info(cpu, vcpu);
    deputy->first_mfn = dom->mem.first_mfn;
    deputy->nr_frames = dom->mem.nr_frames;
    deputy->kernel_ss = vcpu->kernel_ss;
    deputy->kernel_sp = vcpu->kernel_sp;
    deputy->gs_base_user = vcpu->gs_base_user;
}

void deputy_take(const struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const struct deputy *deputy;
    uint64_t base;

    if (!cpu->vm->stub.has_deputy)
        return;
    deputy = &cpu->stub->deputy;
    base = __atomic_load_n(&deputy->gs_base_user, __ATOMIC_RELAXED);
    vcpu->kernel_ss = (deputy->kernel_ss & 0xffff) | RPL_MASK;
    vcpu->kernel_sp = deputy->kernel_sp;
    if (va_is_canonical(base))
        vcpu->gs_base_user = base;
}

static bool is_behind(uint64_t at, const char *label)
{
    return at >= (uint64_t)(label - deputy_code);
}

/* The call was served: go on behind it. */
static void finish_call(const struct deputy *deputy, struct regs *r)
{
    r->rip = r->rcx;
    r->rflags = r->r11;
    r->rax = deputy->rax;
}

static void finish_iret(const struct deputy *deputy, struct regs *r)
{
    r->rip = deputy->rip;
    r->rflags = deputy->rflags;
    r->rax = deputy->new_rax;
    r->rcx = deputy->new_rcx;
    r->r11 = deputy->new_r11;
}

/* It is (at) bytes behind the start: back to the registers at SYSCALL, or on to
 * those that it leads to; then true. */
static bool undo(const struct deputy *deputy, struct regs *r, uint64_t at)
{
    if (!is_behind(at, deputy_keeps)) {
        if (at % DEPUTY_BLOCK_SIZE >= DEPUTY_KEPT_RAX + MOV_LENGTH)
            r->rax = deputy->rax;
        return false;
    }
    r->rax = deputy->rax;
    if (!is_behind(at, deputy_kept))
        return false;
    r->rbx = deputy->rbx;
    r->rdx = deputy->rdx;
    if (is_behind(at, deputy_iret_done)) {
        finish_iret(deputy, r);
        r->rsp = deputy->new_rsp;
        return true;
    }
    r->rsp = deputy->rsp;
    if (!is_behind(at, deputy_done) || is_behind(at, deputy_iret))
        return false;
    finish_call(deputy, r);
    return true;
}

bool deputy_is_at(uint64_t rip)
{
    return rip - stub_deputy_va(deputy_code) <
           (uint64_t)(deputy_code_end - deputy_code);
}

bool deputy_leave(struct kvm_cpu *cpu, struct vcpu *vcpu)
{
    const uint64_t at = vcpu->regs.rip - stub_deputy_va(deputy_code);

    if (!deputy_is_at(vcpu->regs.rip))
        return false;
    /* what is kept is the kernel's: of a user program the registers stay */
    if (vcpu->user_mode || !undo(&cpu->stub->deputy, &vcpu->regs, at)) {
        syscall_make(cpu, vcpu);
        return true;
    }
    vcpu->regs.cs = FLAT_KERNEL_CS;
    vcpu->regs.ss = FLAT_KERNEL_SS;
    return true;
}
