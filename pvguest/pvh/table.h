/*
 * pvguest/pvh/table.h: page tables of the guest's own, as x86-64 has them.
 * (private)
 */
#ifndef PVGUEST_PVH_TABLE_H
#define PVGUEST_PVH_TABLE_H

#include <stdint.h>

#define TABLE_ENTRIES 512
#define TABLE_LARGE   0x080ull /* an entry of level 2 that maps 2 MiB */

struct table_space {
    uint64_t *root;       /* the table of level 4 */
    uintptr_t base;       /* a table at address a is at physical a - base */
    void *(*page)(void);  /* a zeroed page to make a table of; or NULL */
    uint64_t table_flags; /* of entries that point at tables */
};

/*
 * The entry of (level), 1 to 4, for (va). Tables on the way are made. NULL if
 * there is no page for one, or a larger page maps (va).
 */
uint64_t *table_entry(const struct table_space *space, uintptr_t va,
                      unsigned level);

#endif
