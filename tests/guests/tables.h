/*
 * The builder's page tables as a PV image sees them: they lie in a row from
 * pt_base on, and can be read.
 */
#ifndef TESTS_GUESTS_TABLES_H
#define TESTS_GUESTS_TABLES_H

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <stddef.h>
#include <stdint.h>

#define PTE_FRAME  0x000ffffffffff000ul
#define NR_ENTRIES 512

/* The builder's table in (entry)'s frame, or NULL. */
static inline volatile uint64_t *table_of(uint64_t entry)
{
    const uintptr_t start = guest_start_info->pt_base;

    for (unsigned long i = 0; i < guest_start_info->nr_pt_frames; i++)
        if (page_mfn((void *)(start + i * PAGE_SIZE)) ==
            (entry & PTE_FRAME) >> PAGE_SHIFT)
            return (void *)(start + i * PAGE_SIZE);
    return NULL;
}

/* The entry for (va) of the table of (level), or NULL. */
static inline volatile uint64_t *entry_of(const volatile void *va,
                                          unsigned level)
{
    volatile uint64_t *table =
        table_of(page_mfn((void *)guest_start_info->pt_base) << PAGE_SHIFT);
    volatile uint64_t *entry = NULL;

    for (unsigned l = 4; l >= level && table; l--) {
        entry = &table[(uintptr_t)va >> (12 + 9 * (l - 1)) & (NR_ENTRIES - 1)];
        table = table_of(*entry);
    }
    return entry;
}

#endif
