/* Virtual processor state: FPU ownership, assists. */
#include <errno.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"

/*
 * The flag is the guest's to read back (in CR0); whether the next FPU
 * instruction raises #NM is the engine's affair. One that cannot trap it gives
 * the guest a working FPU, which a kernel that saves lazily does not notice
 * before it runs a second program.
 */
long call_fpu_taskswitch(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;

    vcpu->ts = (uint32_t)args[0] != 0;
    tell_set_control(vcpu);
    return 0;
}

static bool is_assist(const struct domain *dom, uint32_t type)
{
    if (dom->abi == ABI_PVH)
        return type == VMASST_TYPE_runstate_update_flag;
    return type <= VMASST_TYPE_runstate_update_flag ||
           type == VMASST_TYPE_m2p_strict;
}

long call_vm_assist(void *opaque, const uint64_t *args)
{
    struct domain *dom = ((struct vcpu *)opaque)->domain;
    uint32_t type = (uint32_t)args[1];

    if (!is_assist(dom, type))
        return -EINVAL;
    switch ((uint32_t)args[0]) {
    case VMASST_CMD_enable:
        dom->vm_assist |= UINT64_C(1) << type;
        return 0;
    case VMASST_CMD_disable:
        dom->vm_assist &= ~(UINT64_C(1) << type);
        return 0;
    default:
        return -ENOSYS;
    }
}
