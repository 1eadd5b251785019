/* Virtual processor state: FPU ownership, debug registers, assists. */
#include <errno.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/pagetable.h"

#define DR6_FIXED 0xffff0ff0u
#define DR6_OWN   0x0000e00fu
#define DR7_FIXED 0x00000400u
#define DR7_GD    0x00002000u

/*
 * The flag is the guest's to read back (in CR0); whether the next FPU
 * instruction raises #NM is the engine's affair. One that cannot trap it gives
 * the guest a working FPU, which a kernel that saves lazily does not notice
 * before it runs a second program.
 */
long call_fpu_taskswitch(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;

    vcpu->ts = args[0] != 0;
    return 0;
}

/* 4 and 5 are other names of 6 and 7. */
static uint32_t real_debugreg(uint32_t reg)
{
    return reg == 4 || reg == 5 ? reg + 2 : reg;
}

/* Values are kept for the guest; no engine arms the breakpoints. */
long call_set_debugreg(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    uint32_t reg = real_debugreg((uint32_t)args[0]);
    uint64_t value = args[1];

    if (reg <= 3) {
        if (!va_is_guest(value))
            return -EPERM;
    } else if (reg == 6) {
        value = (value & DR6_OWN) | DR6_FIXED;
    } else if (reg == 7) {
        if (value & DR7_GD)
            return -EPERM;
        value = (uint32_t)value | DR7_FIXED;
    } else {
        return -ENODEV;
    }
    vcpu->debugreg[reg] = value;
    return 0;
}

long call_get_debugreg(void *opaque, const uint64_t *args)
{
    const struct vcpu *vcpu = opaque;
    uint32_t reg = real_debugreg((uint32_t)args[0]);

    return reg < 8 ? (long)vcpu->debugreg[reg] : -ENODEV;
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
