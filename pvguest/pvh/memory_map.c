#include "memory_map.h"

#include <stdbool.h>

#define PAGE 4096ull
#define HUGE 0x200000ull

/* ACPI tables, special pages, APICs: where libxl and others put them. */
#define DEVICES_START 0xfc000000ull
#define DEVICES_END   0x100000000ull

static uint64_t entry_end(const struct hvm_memmap_table_entry *entry)
{
    return entry->size > UINT64_MAX - entry->addr ? UINT64_MAX
                                                  : entry->addr + entry->size;
}

static bool wraps(const struct hvm_memmap_table_entry *entry)
{
    return entry->size > UINT64_MAX - entry->addr;
}

static bool meets(const struct hvm_memmap_table_entry *entry, uint64_t start,
                  uint64_t end)
{
    return entry->size && entry->addr < end && start < entry_end(entry);
}

/*
 * The end of the run of pages that are like the one at (at): up to there no
 * entry begins or ends.
 */
static uint64_t next_bound(const struct hvm_memmap_table_entry *map,
                           unsigned nr, uint64_t at, uint64_t limit)
{
    uint64_t next = limit;

    for (unsigned i = 0; i < nr; i++) {
        const uint64_t bounds[] = {
            map[i].addr & ~(PAGE - 1),
            map[i].addr < limit ? (map[i].addr + PAGE - 1) & ~(PAGE - 1)
                                : limit,
            entry_end(&map[i]) & ~(PAGE - 1),
            entry_end(&map[i]) < limit
                ? (entry_end(&map[i]) + PAGE - 1) & ~(PAGE - 1)
                : limit,
        };

        for (unsigned j = 0; j < sizeof bounds / sizeof *bounds; j++)
            if (bounds[j] > at && bounds[j] < next)
                next = bounds[j];
    }
    return next;
}

/* Is the page at (at) RAM, all of it, and nothing else? */
static bool is_ram(const struct hvm_memmap_table_entry *map, unsigned nr,
                   uint64_t at)
{
    bool ram = false;

    for (unsigned i = 0; i < nr; i++) {
        if (map[i].type != XEN_HVM_MEMMAP_TYPE_RAM) {
            if (meets(&map[i], at, at + PAGE))
                return false;
        } else if (!wraps(&map[i]) && map[i].addr <= at &&
                   entry_end(&map[i]) >= at + PAGE) {
            ram = true;
        }
    }
    return ram;
}

unsigned memory_map_ram(const struct hvm_memmap_table_entry *map, unsigned nr,
                        uint64_t limit, struct memory_range *ranges,
                        unsigned max)
{
    unsigned found = 0;
    uint64_t next;

    limit &= ~(PAGE - 1);
    for (uint64_t at = 0; at < limit; at = next) {
        next = next_bound(map, nr, at, limit);
        if (!is_ram(map, nr, at))
            continue;
        if (found && ranges[found - 1].end == at) {
            ranges[found - 1].end = next;
            continue;
        }
        if (found == max)
            break;
        ranges[found].start = at;
        ranges[found++].end = next;
    }
    return found;
}

static bool is_empty(const struct hvm_memmap_table_entry *map, unsigned nr,
                     uint64_t start, uint64_t end)
{
    if (start < DEVICES_END && end > DEVICES_START)
        return false;
    for (unsigned i = 0; i < nr; i++)
        if (meets(&map[i], start, end))
            return false;
    return true;
}

/* A hole begins where an entry ends, or the devices do. */
uint64_t memory_map_hole(const struct hvm_memmap_table_entry *map, unsigned nr,
                         uint64_t size)
{
    uint64_t best = 0;

    for (unsigned i = 0; i <= nr; i++) {
        uint64_t end = i < nr ? entry_end(&map[i]) : DEVICES_END;
        uint64_t at = (end + HUGE - 1) & ~(HUGE - 1);

        if (at < end || !at || size > UINT64_MAX - at)
            continue;
        if ((!best || at < best) && is_empty(map, nr, at, at + size))
            best = at;
    }
    return best;
}
