#include "host/pvh/memory_map.h"

#include <stdint.h>

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/xen.h>

#include "host/pvh/physmap.h"

static struct memory_map_entry make_entry(mfn_t gfn, uint64_t nr, uint32_t type)
{
    return (struct memory_map_entry){gfn << PAGE_SHIFT, nr << PAGE_SHIFT, type};
}

unsigned memory_map_of(const struct memory *mem,
                       struct memory_map_entry entries[MEMORY_MAP_MAX])
{
    const struct physmap *map = mem->physmap;
    unsigned nr = 0;

    entries[nr++] = make_entry(0, map->low_pages, XEN_HVM_MEMMAP_TYPE_RAM);
    entries[nr++] = make_entry(PHYSMAP_ACPI_GFN, 1, XEN_HVM_MEMMAP_TYPE_ACPI);
    entries[nr++] = make_entry(PHYSMAP_SPECIAL, PHYSMAP_NR_SPECIAL,
                               XEN_HVM_MEMMAP_TYPE_RESERVED);
    if (map->high_pages)
        entries[nr++] = make_entry(PHYSMAP_HIGH_START, map->high_pages,
                                   XEN_HVM_MEMMAP_TYPE_RAM);
    return nr;
}
