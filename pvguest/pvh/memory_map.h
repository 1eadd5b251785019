/*
 * pvguest/pvh/memory_map.h: what of a PVH builder's memory map is RAM, and
 * where there is nothing at all. Plain functions of the map. (private)
 */
#ifndef PVGUEST_PVH_MEMORY_MAP_H
#define PVGUEST_PVH_MEMORY_MAP_H

#include <stdint.h>

#include <xen/xen.h>

#include <xen/arch-x86/hvm/start_info.h>

/* Physical memory [start, end), both on bounds of 4 KiB. */
struct memory_range {
    uint64_t start, end;
};

/*
 * The RAM below (limit) into (ranges), of which there is room for (max):
 * whole pages, in order, with gaps between them. What any other entry claims
 * is not RAM; entries that wrap around are none. How many ranges; if there are
 * more than (max), the higher ones are left out.
 */
unsigned memory_map_ram(const struct hvm_memmap_table_entry *map, unsigned nr,
                        uint64_t limit, struct memory_range *ranges,
                        unsigned max);

/*
 * The lowest address, on a bound of 2 MiB, where (size) bytes meet no entry of
 * the map, nor the devices and pages that a builder may keep below 4 GiB
 * without telling. 0 if there is no such place.
 */
uint64_t memory_map_hole(const struct hvm_memmap_table_entry *map, unsigned nr,
                         uint64_t size);

#endif
