/*
 * From a frame to the page that has it: as PV by the hypervisor's table of all
 * machine frames, which every domain can read.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <hypercall/calls.h>

#include "internal.h"

static struct {
    const uint64_t *pfns;
    uint64_t nr;
} machphys;

/* It need not be where the public headers have it by default. */
static void find_table(void)
{
    struct xen_machphys_mapping mapping = {0};

    if (hypercall_memory_op(XENMEM_machphys_mapping, &mapping) ||
        !mapping.v_start)
        guest_panic("the hypervisor shows no table of machine frames");
    machphys.pfns = (const uint64_t *)mapping.v_start;
    machphys.nr = mapping.max_mfn + 1;
}

void *page_of_mfn(uint64_t mfn)
{
    uint64_t pfn = mfn;

    if (page_p2m) {
        if (!machphys.pfns)
            find_table();
        pfn = mfn < machphys.nr ? machphys.pfns[mfn] : UINT64_MAX;
    }
    if (pfn >= page_nr_pfns() || (page_p2m && page_p2m[pfn] != mfn))
        return NULL;
    return guest_virt_base + pfn * PAGE_SIZE;
}
