/*
 * VCPUOP_initialise: what a vCPU begins with, judged as Xen 4.17 judges it.
 * (xen/arch-x86/xen.h, xen/hvm/hvm_vcpu.h)
 */
#include <errno.h>
#include <stdint.h>

#include <xen/hvm/hvm_vcpu.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/log.h"
#include "host/pagetable.h"
#include "host/pvh/start.h"

#define LDT_MAX_ENTRIES 8192
#define NR_TRAPS        256
#define RPL_MASK        3
#define CR0_TS          8u
#define CR4_OWN         0x4000cu /* TSD, DE, OSXSAVE: as for a mov to CR4 */
#define RFLAGS_FIXED    2u
#define RFLAGS_IF       0x200u
#define RFLAGS_IOPL     0x3000u

typedef struct vcpu_guest_context context;

static bool addresses_are_canonical(const context *c)
{
    const uint64_t addresses[] = {c->user_regs.rip,
                                  c->user_regs.rsp,
                                  c->kernel_sp,
                                  c->fs_base,
                                  c->gs_base_kernel,
                                  c->gs_base_user,
                                  c->event_callback_eip,
                                  c->syscall_callback_eip,
                                  c->failsafe_callback_eip};

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (!va_is_canonical(addresses[i]))
            return false;
    for (size_t i = 0; i < NR_TRAPS; i++)
        if (!va_is_canonical(c->trap_ctxt[i].address))
            return false;
    return true;
}

/* All that can be said of it before its tables are looked at. */
static bool is_sane(const context *c)
{
    return addresses_are_canonical(c) && va_is_guest(c->ldt_base) &&
           c->ldt_base % PAGE_SIZE == 0 && c->ldt_ents <= LDT_MAX_ENTRIES &&
           ((c->flags & VGCF_in_kernel) || c->ctrlreg[1]);
}

/* Its two page tables, and the descriptors: all or none. */
static int take_frames(struct vcpu *vcpu, struct vcpu *target, const context *c)
{
    const mfn_t kernel = xen_cr3_to_pfn(c->ctrlreg[3]);
    const mfn_t user = xen_cr3_to_pfn(c->ctrlreg[1]);
    int rc = segment_install_gdt(target, c->gdt_frames, c->gdt_ents);

    if (rc)
        return rc;
    rc = pagetable_use(vcpu, kernel);
    if (rc == 0) {
        rc = user ? pagetable_use(vcpu, user) : 0;
        if (rc == 0) {
            target->cr3 = kernel;
            target->cr3_user = user;
            return 0;
        }
        pagetable_leave(vcpu, kernel);
    }
    segment_install_gdt(target, NULL, 0);
    return rc;
}

static void take_traps(struct vcpu *vcpu, const context *c)
{
    for (unsigned i = 0; i < NR_TRAPS; i++)
        vcpu->traps[i] = (struct trap_entry){
            .address = c->trap_ctxt[i].address,
            .cs = c->trap_ctxt[i].cs | RPL_MASK,
            .flags = c->trap_ctxt[i].flags & 7,
        };
    vcpu->event = (struct callback){.address = c->event_callback_eip};
    vcpu->failsafe = (struct callback){
        .address = c->failsafe_callback_eip,
        .mask_events = c->flags & VGCF_failsafe_disables_events};
    vcpu->syscall = (struct callback){
        .address = c->syscall_callback_eip,
        .mask_events = c->flags & VGCF_syscall_disables_events};
}

static void take_registers(struct vcpu *vcpu, const context *c)
{
    const struct cpu_user_regs *r = &c->user_regs;

    vcpu->regs = (struct regs){
        REGS_GENERAL(r),
        .cs = r->cs | RPL_MASK,
        .rflags =
            (r->rflags & ~(uint64_t)RFLAGS_IOPL) | RFLAGS_IF | RFLAGS_FIXED,
        .ss = r->ss | RPL_MASK,
    };
    vcpu->iopl = (unsigned)(r->rflags & RFLAGS_IOPL) >> 12;
    vcpu->fs_base = c->fs_base;
    vcpu->gs_base = c->gs_base_kernel;
    vcpu->gs_base_user = c->gs_base_user;
    vcpu->kernel_ss = c->kernel_ss | RPL_MASK;
    vcpu->kernel_sp = c->kernel_sp;
    vcpu->ts = c->ctrlreg[0] & CR0_TS;
    vcpu->cr4 = c->ctrlreg[4] & CR4_OWN;
    vcpu->ldt_base = c->ldt_ents ? c->ldt_base : 0;
    vcpu->nr_ldt_entries = (unsigned)c->ldt_ents;
    /* one that cannot be set is left as it is */
    for (uint64_t i = 0; i < 8; i++)
        if (i != 4 && i != 5)
            call_set_debugreg(vcpu, (const uint64_t[]){i, c->debugreg[i]});
}

static long initialise_pv(struct vcpu *vcpu, struct vcpu *target, uint64_t arg)
{
    context c;
    int rc;

    if (guest_read(vcpu, guest_addr(arg), &c, sizeof c))
        return -EFAULT;
    while (target->initialising) /* another's tables are long to look at */
        if (!call_breathe(vcpu))
            return -EINTR;
    if (target->initialised)
        return -EEXIST;
    if (!is_sane(&c))
        return -EINVAL;
    target->initialising = true;
    rc = take_frames(vcpu, target, &c);
    target->initialising = false;
    if (rc)
        return rc;
    take_traps(target, &c);
    take_registers(target, &c);
    target->user_mode = !(c.flags & VGCF_in_kernel);
    target->initialised = true;
    tell_set_bases(target);
    tell_set_control(target);
    if (c.flags & VGCF_I387_VALID)
        tell_set_fpu(target, &c.fpu_ctxt);
    tell_set_regs(target);
    if (c.flags & VGCF_online)
        vcpu_bring_up(target);
    return 0;
}

static long initialise_pvh(struct vcpu *vcpu, struct vcpu *target, uint64_t arg)
{
    const struct engine_ops *ops = engine_ops_of(vcpu->domain);
    struct vcpu_hvm_context c;
    struct pvh_start start;
    int rc;

    if (guest_read(vcpu, guest_addr(arg), &c, sizeof c))
        return -EFAULT;
    if (target->initialised)
        return -EEXIST;
    rc = pvh_start_from(&start, &c);
    if (rc)
        return rc;
    if (ops && ops->start)
        ops->start(target, &start);
    target->initialised = true;
    return 0;
}

long vcpu_initialise(struct vcpu *vcpu, struct vcpu *target, uint64_t arg)
{
    return vcpu->domain->abi == ABI_PV ? initialise_pv(vcpu, target, arg)
                                       : initialise_pvh(vcpu, target, arg);
}
