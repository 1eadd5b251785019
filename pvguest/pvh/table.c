#include "table.h"

#include <stddef.h>

#define PRESENT 0x001ull
#define FRAME   0x000ffffffffff000ull

static uint64_t *entry_in(uint64_t *table, uintptr_t va, unsigned level)
{
    return &table[va >> (12 + 9 * (level - 1)) & (TABLE_ENTRIES - 1)];
}

uint64_t *table_entry(const struct table_space *space, uintptr_t va,
                      unsigned level)
{
    uint64_t *entry = entry_in(space->root, va, 4);

    for (unsigned at = 4; at > level; at--) {
        if (!(*entry & PRESENT)) {
            void *page = space->page();

            if (!page)
                return NULL;
            *entry = ((uintptr_t)page - space->base) | space->table_flags;
        } else if (at < 4 && (*entry & TABLE_LARGE)) {
            return NULL;
        }
        entry =
            entry_in((uint64_t *)((*entry & FRAME) + space->base), va, at - 1);
    }
    return entry;
}
