/* machine/machine.c: which of the two machines this is. */
#include "machine.h"

#include <cpuid.h>

#include <pvguest/guest.h>

#define CPUID_NX (1u << 20) /* leaf 0x80000001, EDX */

const struct machine *machine;
uint64_t machine_nx;

void machine_init(void)
{
    uint32_t eax, ebx, ecx, edx;

    __cpuid(0x80000001, eax, ebx, ecx, edx);
    machine_nx = edx & CPUID_NX ? PTE_NX : 0;
    machine = guest_is_pvh() ? &machine_pvh : &machine_pv;
}
