/*
 * Other vCPUs as PVH: one begins in long mode already, in the tables of the
 * one that starts it, and gives itself the rest (xen/hvm/hvm_vcpu.h).
 */
#include <pvguest/page.h>

#include <errno.h>

#include <hypercall/calls.h>
#include <xen/hvm/hvm_vcpu.h>

#include "../internal.h"
#include "../this_vcpu.h"
#include "pvh.h"

#define CR0_START 0x80010033ul /* PG WP NE ET MP PE, as start_x86_64.S */
#define CR4_START 0x620ul      /* OSXMMEXCPT OSFXSR PAE */

_Noreturn static void begin(struct guest_vcpu *vcpu)
{
    pvh_cpu_init_other(vcpu->abi_state);
    pvh_set_gs_base((uintptr_t)vcpu);
    guest_vcpu_run(vcpu);
}

int pvh_init_vcpu(struct guest_vcpu *vcpu)
{
    uint64_t *stack = vcpu->stack_top;
    struct vcpu_hvm_context context = {
        .mode = VCPU_HVM_MODE_64B,
        .cpu_regs.x86_64 =
            {
                .rip = (uintptr_t)begin,
                .rdi = (uintptr_t)vcpu,
                .rsp = (uintptr_t)(stack - 1),
                .rflags = 2, /* the bit that is always set */
                .cr0 = CR0_START,
                .cr3 = pvh_physical(pvh_l4),
                .cr4 = CR4_START,
                .efer = pvh_efer(),
            },
    };
    int rc;

    vcpu->abi_state = pvh_cpu_make();
    if (!vcpu->abi_state)
        return -ENOMEM;
    stack[-1] = 0; /* where a backtrace ends */
    rc = (int)hypercall_vcpu_op(VCPUOP_initialise, vcpu->id, &context);
    if (rc)
        pvh_cpu_destroy(vcpu->abi_state);
    return rc;
}
