/*
 * Xen as PVH meets it: found by CPUID, called by a page it fills, and asked for
 * what a PV guest is told in start_info.
 */
#include "pvh.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <cpuid.h>
#include <string.h>

#include <hypercall/calls.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/hvm/params.h>

#include "../internal.h"

#define LEAVES_STEP 0x100
#define LEAVES_END  0x40010000 /* one past the last place to look at */

#define DEBUG_PORT 0xe9

#define CALLBACK_BY_VECTOR ((uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56)

static void write_debug(const char *bytes, size_t len)
{
    __asm__ volatile("rep outsb"
                     : "+S"(bytes), "+c"(len)
                     : "d"(DEBUG_PORT)
                     : "memory");
}

/* The first of Xen's leaves; 0: there are none. */
static uint32_t find_leaves(void)
{
    uint32_t eax, ebx, ecx, edx;

    for (uint32_t leaf = XEN_CPUID_FIRST_LEAF; leaf < LEAVES_END;
         leaf += LEAVES_STEP) {
        __cpuid(leaf, eax, ebx, ecx, edx);
        if (ebx == XEN_CPUID_SIGNATURE_EBX && ecx == XEN_CPUID_SIGNATURE_ECX &&
            edx == XEN_CPUID_SIGNATURE_EDX && eax >= leaf + 2)
            return leaf;
    }
    return 0;
}

static _Noreturn void halt_without_xen(void)
{
    static const char words[] =
        "guest: neither Xen nor anything like it started this\n";

    write_debug(words, sizeof words - 1);
    for (;;)
        __asm__ volatile("cli\n\thlt");
}

void pvh_find_hypervisor(void)
{
    const uint64_t page = pvh_physical(hypercall_page);
    uint32_t leaf = find_leaves(), eax, ebx, ecx, edx;

    if (!leaf)
        halt_without_xen();
    __cpuid(leaf + 2, eax, ebx, ecx, edx);
    __asm__ volatile("wrmsr" ::"c"(ebx), "a"((uint32_t)page),
                     "d"((uint32_t)(page >> 32))
                     : "memory");
}

/*
 * shared_info takes the place of a page of ours. Upcalls are kept out by the
 * interrupt flag here; the mask in memory stays open.
 */
bool pvh_introduce(void)
{
    struct xen_add_to_physmap map = {
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_shared_info,
        .gpfn = pvh_physical(&guest_shared_page) >> PAGE_SHIFT,
    };

    if (hypercall_memory_op(XENMEM_add_to_physmap, &map))
        return false;
    guest_shared_page.vcpu_info[0].evtchn_upcall_mask = 0;
    return hypercall_hvm_set_param(HVM_PARAM_CALLBACK_IRQ,
                                   CALLBACK_BY_VECTOR | PVH_UPCALL_VECTOR) == 0;
}

/* Xen's log takes a domU's words by the port alone, and may not show them. */
bool pvh_write_log(const char *bytes, size_t len)
{
    if (hypercall_console_write(bytes, len) >= 0)
        return true;
    write_debug(bytes, len);
    return false;
}

/* 0 for what the hypervisor does not know. */
static uint64_t param(uint32_t index)
{
    uint64_t value;

    return hypercall_hvm_get_param(index, &value) ? 0 : value;
}

evtchn_port_t pvh_ring_port(enum builder_ring ring)
{
    if (guest_is_dom0())
        return 0;
    return (evtchn_port_t)param(ring == RING_STORE ? HVM_PARAM_STORE_EVTCHN
                                                   : HVM_PARAM_CONSOLE_EVTCHN);
}

void *pvh_ring_page(enum builder_ring ring)
{
    uint64_t gfn =
        param(ring == RING_STORE ? HVM_PARAM_STORE_PFN : HVM_PARAM_CONSOLE_PFN);

    return gfn ? page_map_frame(gfn, true) : NULL;
}
