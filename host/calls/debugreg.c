/*
 * set_debugreg, get_debugreg: the guest's own debug registers, as MOV to and
 * from them has them, too. An engine that can arms the breakpoints.
 */
#include <errno.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pagetable.h"

#define DR6_FIXED 0xffff0ff0u
#define DR6_OWN   0x0000e00fu

#define DR7_FIXED  0x00000400u
#define DR7_CLEAR  0x0000d800u /* always */
#define DR7_GD     0x00002000u
#define DR7_ACTIVE 0x000000ffu
#define DR7_KIND_IO                                           \
    2u /* of the two bits that each breakpoint has from 16 on \
        */

#define CR4_DE 0x8u

/* 4 and 5 are other names of 6 and 7, unless CR4.DE says no. */
static uint32_t real_debugreg(const struct vcpu *vcpu, uint32_t reg)
{
    if (reg != 4 && reg != 5)
        return reg;
    return vcpu->cr4 & CR4_DE ? UINT32_MAX : reg + 2;
}

/* The enabling bits in (dr7) of breakpoints on ports. */
static uint32_t ports_on(uint32_t dr7)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < 4; i++)
        if ((dr7 >> (16 + 4 * i) & 3) == DR7_KIND_IO)
            bits |= 3u << 2 * i;
    return dr7 & bits;
}

/* A port has a breakpoint only with CR4.DE, and none is ever met there. */
static bool has_a_wrong_port(const struct vcpu *vcpu, uint32_t dr7)
{
    if (!(dr7 & DR7_ACTIVE) || vcpu->cr4 & CR4_DE)
        return false;
    for (unsigned i = 0; i < 4; i++)
        if ((dr7 >> (16 + 4 * i) & 3) == DR7_KIND_IO)
            return true;
    return false;
}

static long set_control(struct vcpu *vcpu, uint64_t value)
{
    uint32_t dr7 = (uint32_t)value & ~DR7_CLEAR;

    if (value >> 32)
        return -EINVAL;
    if (dr7 & DR7_GD || has_a_wrong_port(vcpu, dr7))
        return -EPERM;
    vcpu->debugreg[7] = dr7 | DR7_FIXED;
    return 0;
}

long call_set_debugreg(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    const uint32_t reg = real_debugreg(vcpu, (uint32_t)args[0]);
    const uint64_t value = args[1];
    long rc = 0;

    if (reg > 7)
        return -ENODEV;
    if (reg <= 3 && !va_is_guest(value))
        return -EPERM;
    if (reg == 6 && value >> 32)
        return -EINVAL;
    if (reg <= 3)
        vcpu->debugreg[reg] = value;
    else if (reg == 6)
        vcpu->debugreg[6] = (value & DR6_OWN) | DR6_FIXED;
    else
        rc = set_control(vcpu, value);
    if (rc == 0)
        tell_set_control(vcpu);
    return rc;
}

long call_get_debugreg(void *opaque, const uint64_t *args)
{
    const struct vcpu *vcpu = opaque;
    const uint32_t reg = real_debugreg(vcpu, (uint32_t)args[0]);

    return reg <= 7 ? (long)vcpu->debugreg[reg] : -ENODEV;
}

uint64_t debugreg_armed(const struct vcpu *vcpu)
{
    const uint32_t dr7 = (uint32_t)vcpu->debugreg[7];

    return dr7 & ~ports_on(dr7);
}

bool debugreg_is_armed(const struct vcpu *vcpu)
{
    return debugreg_armed(vcpu) & DR7_ACTIVE;
}

void debugreg_note_trap(struct vcpu *vcpu, uint64_t dr6)
{
    vcpu->debugreg[6] |= dr6 & DR6_OWN;
}
