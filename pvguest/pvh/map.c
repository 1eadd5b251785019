/*
 * Memory as PVH: page tables of our own over the RAM that the memory map
 * names, in pages of 2 MiB, and single frames in the window.
 */
#include "pvh.h"

#include <pvguest/page.h>

#include <string.h>

#include <hypercall/calls.h>

#include "../internal.h"
#include "table.h"

#define PTE_NX   (1ull << 63)
#define PTE_HUGE (PTE_RAM | TABLE_LARGE)
#define HUGE     0x200000ull

#define MAX_RANGES 9 /* one for page_init, eight for page_add */

static void *early_page(void);

static struct table_space space = {
    .root = pvh_l4,
    .page = early_page,
    .table_flags = PTE_RAM,
};

/* RAM that is mapped from the start and free: for tables. */
static uintptr_t early, early_end;

static uint64_t grants_gfn; /* of GRANT_MAX_FRAMES in a row; 0: nowhere */

static uintptr_t base(void)
{
    return (uintptr_t)guest_virt_base;
}

static void *early_page(void)
{
    void *page = (void *)early;

    if (early_end - early < PAGE_SIZE)
        return NULL;
    early += PAGE_SIZE;
    return memset(page, 0, PAGE_SIZE);
}

static void *late_page(void)
{
    return page_alloc_zeroed(1);
}

/* How much RAM has addresses: the last 2 MiB of all of them are not used. */
static uint64_t address_limit(void)
{
    return base() >> 63 ? -base() - HUGE : (1ull << 47) - base();
}

static unsigned slot(unsigned shift)
{
    return (unsigned)(base() >> shift) % TABLE_ENTRIES;
}

static bool is_ram(const struct memory_range *ranges, unsigned nr,
                   uint64_t start)
{
    for (unsigned i = 0; i < nr; i++)
        if (ranges[i].start < start + HUGE && start < ranges[i].end)
            return true;
    return false;
}

/*
 * Take back what the entry mapped too much: itself where it lies physically,
 * and what is no RAM in the rest of its GiB. Where that ends.
 */
static uint64_t trim_first_gib(const struct memory_range *ranges, unsigned nr)
{
    const unsigned first = slot(21);

    if (slot(39))
        pvh_l4[0] = 0;
    if (slot(30))
        pvh_l3[0] = 0;
    if (first)
        pvh_l2[0] = 0;
    for (unsigned i = first; i < TABLE_ENTRIES; i++)
        if (!is_ram(ranges, nr, (i - first) * HUGE))
            pvh_l2[i] = 0;
    pvh_cpu_flush_tables();
    return (TABLE_ENTRIES - first) * HUGE;
}

/* Map what of (range) lies from (from) on; false: no page for a table. */
static bool map_range(const struct memory_range *range, uint64_t from)
{
    uint64_t at = range->start > from ? range->start & ~(HUGE - 1) : from;

    for (; at < range->end; at += HUGE) {
        uint64_t *entry = table_entry(&space, base() + at, 2);

        if (!entry)
            return false;
        *entry = at | PTE_HUGE;
    }
    return true;
}

static uint64_t size_of(const struct memory_range *range)
{
    return range->end > range->start ? range->end - range->start : 0;
}

static bool lies_in(const struct memory_range *ranges, unsigned nr,
                    uint64_t start, uint64_t size)
{
    for (unsigned i = 0; i < nr; i++)
        if (start >= ranges[i].start && start < ranges[i].end &&
            size <= ranges[i].end - start)
            return true;
    return false;
}

/* RAM, image and module and all. */
static struct memory_range ram[MAX_RANGES];
static unsigned nr_ram;

static unsigned list_ram(struct memory_range ranges[MAX_RANGES])
{
    return memory_map_ram(pvh_memmap, pvh_nr_memmap, address_limit(), ranges,
                          MAX_RANGES);
}

/* From now on it is no RAM for list_ram(). */
static void reserve(uint64_t start, uint64_t size)
{
    pvh_memmap[pvh_nr_memmap++] = (struct hvm_memmap_table_entry){
        .addr = start,
        .size = size,
        .type = XEN_HVM_MEMMAP_TYPE_RESERVED,
    };
}

/* The largest part of (ranges) that is mapped already, below (mapped). */
static unsigned find_early(const struct memory_range *ranges, unsigned nr,
                           uint64_t mapped)
{
    uint64_t largest = 0;
    unsigned found = 0;

    for (unsigned i = 0; i < nr; i++) {
        struct memory_range part = ranges[i];

        if (part.end > mapped)
            part.end = mapped;
        if (size_of(&part) <= largest)
            continue;
        largest = size_of(&part);
        found = i;
    }
    return found;
}

/* With the first GiB mapped, the rest; tables come out of (*first). */
static bool map_all(struct memory_range *first, uint64_t mapped)
{
    early = base() + first->start;
    early_end = base() + (first->end < mapped ? first->end : mapped);
    for (unsigned i = 0; i < nr_ram; i++)
        if (!map_range(&ram[i], mapped))
            return false;

    balloon_init((void *)early); /* filled when needed, so just its place */
    early +=
        (ram[nr_ram - 1].end / PAGE_SIZE / 8 + PAGE_SIZE) & ~(PAGE_SIZE - 1);
    first->start = early - base();
    space.page = late_page;
    return early <= early_end;
}

static void give_to_allocator(const struct memory_range *ranges, unsigned nr,
                              unsigned first)
{
    const uintptr_t end = base() + ranges[first].end;
    uint64_t size = 0;

    for (unsigned i = 0; i < nr_ram; i++)
        size += size_of(&ram[i]);
    page_init(size / PAGE_SIZE, base() + ranges[first].start, end, end);
    for (unsigned i = 0; i < nr; i++)
        if (i != first)
            page_add(base() + ranges[i].start, base() + ranges[i].end);
}

bool pvh_map_init(void)
{
    const uint64_t image_end = pvh_physical(guest_end);
    struct memory_range ranges[MAX_RANGES];
    uint64_t mapped;
    unsigned nr, first;

    nr_ram = list_ram(ram);
    if (!lies_in(ram, nr_ram, image_end - PAGE_SIZE, PAGE_SIZE))
        return false;
    grants_gfn = memory_map_hole(pvh_memmap, pvh_nr_memmap,
                                 GRANT_MAX_FRAMES * PAGE_SIZE) >>
                 PAGE_SHIFT;
    space.base = base();
    mapped = trim_first_gib(ram, nr_ram);

    reserve(0, image_end);
    reserve(pvh_module.paddr, pvh_module.size);
    nr = list_ram(ranges);
    first = find_early(ranges, nr, mapped);
    if (nr == 0 || !map_all(&ranges[first], mapped))
        return false;
    give_to_allocator(ranges, nr, first);
    return true;
}

const void *pvh_find_module(void)
{
    if (!pvh_module.size ||
        !lies_in(ram, nr_ram, pvh_module.paddr, pvh_module.size))
        return NULL;
    return (const void *)(base() + pvh_module.paddr);
}

bool pvh_open_window(uintptr_t va)
{
    return table_entry(&space, va, 1) != NULL;
}

bool pvh_map_frame(uintptr_t va, uint64_t gfn, bool writable)
{
    uint64_t *entry = table_entry(&space, va, 1);

    if (!entry)
        return false;
    *entry = gfn << PAGE_SHIFT | PTE_PRESENT | PTE_USED |
             (writable ? PTE_WRITE : 0) | (pvh_cpu_has_nx() ? PTE_NX : 0);
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
    return true;
}

/* They go where there is no RAM: a page in their way would be lost. */
uint32_t pvh_grow_grants(uint32_t from, uint32_t to, uintptr_t va)
{
    for (uint32_t i = from; i < to; i++, va += PAGE_SIZE) {
        struct xen_add_to_physmap map = {
            .domid = DOMID_SELF,
            .space = XENMAPSPACE_grant_table,
            .idx = i,
            .gpfn = grants_gfn + i,
        };

        if (!grants_gfn || hypercall_memory_op(XENMEM_add_to_physmap, &map) ||
            !pvh_map_frame(va, grants_gfn + i, true))
            return i - from;
    }
    return to - from;
}
