/*
 * Other vCPUs as PV: a whole context, with the trap table in it, is what one
 * begins with (xen/arch-x86/xen.h, struct vcpu_guest_context).
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <errno.h>

#include <hypercall/calls.h>

#include "../internal.h"
#include "../this_vcpu.h"
#include "pv.h"

#define CONTEXT_PAGES \
    ((sizeof(struct vcpu_guest_context) + PAGE_SIZE - 1) / PAGE_SIZE)

static void fill(struct vcpu_guest_context *context, struct guest_vcpu *vcpu)
{
    struct cpu_user_regs *regs = &context->user_regs;
    uint64_t *stack = vcpu->stack_top;

    *--stack = 0; /* where a backtrace ends */
    context->flags = VGCF_IN_KERNEL;
    regs->rip = (uintptr_t)guest_vcpu_run;
    regs->rdi = (uintptr_t)vcpu;
    regs->rsp = (uintptr_t)stack;
    regs->rflags = 0;
    regs->saved_upcall_mask = 1;
    regs->cs = FLAT_KERNEL_CS;
    regs->ss = FLAT_KERNEL_SS;
    for (const struct trap_info *trap = pv_trap_table; trap->address; trap++)
        context->trap_ctxt[trap->vector] = *trap;
    context->kernel_ss = FLAT_KERNEL_SS;
    context->kernel_sp = (uintptr_t)vcpu->stack_top;
    context->ctrlreg[3] = page_mfn((void *)guest_start_info->pt_base)
                          << PAGE_SHIFT;
    context->event_callback_eip = (uintptr_t)pv_upcall;
    context->failsafe_callback_eip = (uintptr_t)pv_failsafe;
    context->gs_base_kernel = (uintptr_t)vcpu;
}

int pv_init_vcpu(struct guest_vcpu *vcpu)
{
    struct vcpu_guest_context *context = page_alloc_zeroed(CONTEXT_PAGES);
    int rc;

    if (!context)
        return -ENOMEM;
    fill(context, vcpu);
    rc = (int)hypercall_vcpu_op(VCPUOP_initialise, vcpu->id, context);
    page_free(context, CONTEXT_PAGES);
    return rc;
}

bool pv_set_gs_base(uint64_t base)
{
    return hypercall_set_segment_base(SEGBASE_GS_KERNEL, base) == 0;
}
