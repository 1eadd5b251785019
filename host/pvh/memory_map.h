/*
 * host/pvh/memory_map.h: what a PVH guest is told of its physical addresses,
 * at its start and by XENMEM_memory_map.
 */
#ifndef HOST_PVH_MEMORY_MAP_H
#define HOST_PVH_MEMORY_MAP_H

#include <stdint.h>

#include "host/memory.h"

#define MEMORY_MAP_MAX 4

/* Types are those of E820 and XEN_HVM_MEMMAP_TYPE_*. */
struct memory_map_entry {
    uint64_t addr, size; /* bytes */
    uint32_t type;
};

/* Fill (entries), ascending; returns how many. */
unsigned memory_map_of(const struct memory *mem,
                       struct memory_map_entry entries[MEMORY_MAP_MAX]);

#endif
