/*
 * Page tables beyond the builder's: more RAM in the linear map, and a window
 * for frames that are not RAM of ours.
 *
 * A page becomes a table only when no writable mapping of it is left, so it is
 * filled, then made read-only, then hooked in.
 */
#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <string.h>

#include <hypercall/calls.h>

#include "../internal.h"
#include "pv.h"

#define NR_ENTRIES 512
#define L1_SHIFT   12
#define L2_SHIFT   21
#define L3_SHIFT   30
#define L4_SHIFT   39

static unsigned entry_index(uintptr_t va, unsigned shift)
{
    return (unsigned)(va >> shift) % NR_ENTRIES;
}

/*
 * The builder's tables lie in a row at pt_base, the L4 first. Where is the one
 * in machine frame (mfn)?
 */
static uint64_t *builder_table(uint64_t entry)
{
    uint64_t *table = (uint64_t *)guest_start_info->pt_base;

    for (unsigned long i = 0; i < guest_start_info->nr_pt_frames; i++) {
        if (page_mfn(table) == (entry & PTE_FRAME) >> PAGE_SHIFT)
            return table;
        table += NR_ENTRIES;
    }
    return NULL;
}

/* All that we map lies in the 512 GiB that the image is in: one L3. */
static uint64_t *l3_table(uintptr_t va)
{
    const uint64_t *l4 = (const uint64_t *)guest_start_info->pt_base;

    return builder_table(l4[entry_index(va, L4_SHIFT)]);
}

/* Make (table), filled, a page table and set (*entry) to point at it. */
static bool hook(void *table, uint64_t *entry)
{
    uint64_t frame = page_mfn(table) << PAGE_SHIFT;
    struct mmu_update update = {
        .ptr = (page_mfn(entry) << PAGE_SHIFT) +
               ((uintptr_t)entry & (PAGE_SIZE - 1)),
        .val = frame | PTE_TABLE,
    };
    multicall_entry_t calls[] = {
        {.op = __HYPERVISOR_update_va_mapping,
         .args = {(uintptr_t)table, frame | (PTE_RAM & ~PTE_WRITE),
                  UVMF_INVLPG}},
        {.op = __HYPERVISOR_mmu_update,
         .args = {(uintptr_t)&update, 1, 0, DOMID_SELF}},
    };

    return hypercall_multicall(calls, 2) == 0 && calls[0].result == 0 &&
           calls[1].result == 0;
}

/* The L2 that maps (va); made if need be. The last one is remembered. */
static uint64_t *l2_table(uintptr_t va, void *(*new_table)(void))
{
    static uint64_t *recent;
    static uintptr_t recent_gib = ~0ul;
    uint64_t *l3, *entry;

    if (recent && recent_gib == va >> L3_SHIFT)
        return recent;
    l3 = l3_table(va);
    if (!l3)
        return NULL;
    entry = &l3[entry_index(va, L3_SHIFT)];
    recent = NULL;
    if (*entry & PTE_PRESENT) {
        recent = builder_table(*entry);
    } else {
        void *table = new_table();

        if (!table)
            return NULL;
        memset(table, 0, PAGE_SIZE);
        if (hook(table, entry))
            recent = table;
    }
    recent_gib = va >> L3_SHIFT;
    return recent;
}

bool pv_map_ram(uintptr_t from, uintptr_t to, void *(*new_table)(void))
{
    uint64_t *l2 = l2_table(from, new_table);
    uint64_t *table = l2 ? new_table() : NULL;

    if (!table)
        return false;
    for (unsigned i = 0; i < NR_ENTRIES; i++) {
        uintptr_t va = from + i * PAGE_SIZE;

        table[i] = va < to ? page_mfn((void *)va) << PAGE_SHIFT | PTE_RAM : 0;
    }
    return hook(table, &l2[entry_index(from, L2_SHIFT)]);
}

static void *window_page(void)
{
    return page_alloc(1);
}

bool pv_open_window(uintptr_t va)
{
    uint64_t *l2 = l2_table(va, window_page);
    void *table = l2 ? page_alloc_zeroed(1) : NULL;

    return table && hook(table, &l2[entry_index(va, L2_SHIFT)]);
}

bool pv_map_frame(uintptr_t va, uint64_t mfn, bool writable)
{
    uint64_t flags = writable ? PTE_RAM : PTE_RAM & ~PTE_WRITE;

    return hypercall_update_va_mapping(va, mfn << PAGE_SHIFT | flags,
                                       UVMF_INVLPG) == 0;
}

bool pv_show_pages(const size_t *pfns, size_t nr, bool present)
{
    multicall_entry_t calls[BALLOON_BATCH];
    bool good = true;

    for (size_t i = 0; i < nr; i++)
        calls[i] = (multicall_entry_t){
            .op = __HYPERVISOR_update_va_mapping,
            .args = {(uintptr_t)guest_virt_base + pfns[i] * PAGE_SIZE,
                     present ? page_p2m[pfns[i]] << PAGE_SHIFT | PTE_RAM : 0,
                     UVMF_INVLPG},
        };
    if (hypercall_multicall(calls, (unsigned)nr))
        return false;
    for (size_t i = 0; i < nr; i++)
        good &= calls[i].result == 0;
    return good;
}
