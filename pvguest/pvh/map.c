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

#define MAX_RANGES 9 /* one with the image, eight for page_add */

static void *early_page(void);

static struct table_space space = {
    .root = pvh_l4,
    .page = early_page,
    .table_flags = PTE_RAM,
};

/* RAM behind the image that is mapped from the start: for tables. */
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

/* Map what of (range) lies from (from) on; without pages for it, cut it. */
static void map_range(struct memory_range *range, uint64_t from)
{
    uint64_t at = range->start > from ? range->start & ~(HUGE - 1) : from;

    for (; at < range->end; at += HUGE) {
        uint64_t *entry = table_entry(&space, base() + at, 2);

        if (!entry) {
            range->end = at > range->start ? at : range->start;
            return;
        }
        *entry = at | PTE_HUGE;
    }
}

/* The range with the image's last page in it; its index, or (nr). */
static unsigned find_image(const struct memory_range *ranges, unsigned nr)
{
    const uint64_t last = pvh_physical(guest_end) - 1;
    unsigned i = 0;

    while (i < nr && !(ranges[i].start <= last && last < ranges[i].end))
        i++;
    return i;
}

bool pvh_map_init(void)
{
    struct memory_range ranges[MAX_RANGES];
    const unsigned nr = memory_map_ram(pvh_memmap, pvh_nr_memmap,
                                       address_limit(), ranges, MAX_RANGES);
    const unsigned image = find_image(ranges, nr);
    uint64_t mapped;

    if (image == nr)
        return false;
    space.base = base();
    mapped = trim_first_gib(ranges, nr);
    early = (uintptr_t)guest_end;
    early_end =
        base() + (ranges[image].end < mapped ? ranges[image].end : mapped);
    for (unsigned i = image; i < nr; i++)
        map_range(&ranges[i], mapped);

    balloon_init((void *)early); /* filled when needed, so just its place */
    early +=
        (ranges[nr - 1].end / PAGE_SIZE / 8 + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    if (early > early_end)
        return false;
    page_init(early, base() + ranges[image].end, base() + ranges[image].end);
    space.page = late_page;
    for (unsigned i = image + 1; i < nr; i++)
        if (ranges[i].start < ranges[i].end)
            page_add(base() + ranges[i].start, base() + ranges[i].end);
    grants_gfn = memory_map_hole(pvh_memmap, pvh_nr_memmap,
                                 GRANT_MAX_FRAMES * PAGE_SIZE) >>
                 PAGE_SHIFT;
    return true;
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
