#include "host/build/pv_layout.h"

#define L1_SHIFT 21 /* bytes that one L1 table maps, and so on */
#define L2_SHIFT 30
#define L3_SHIFT 39

#define MAPPING_STEP  (UINT64_C(4) << 20) /* the mapping ends on such */
#define STACK_PADDING (UINT64_C(512) << 10)

#define LOW_END  UINT64_C(0x0000800000000000)
#define HIGH_END UINT64_C(0xfffffffffffff000) /* the last page stays unused */

/* Tables are numbered by (va >> shift): first and last of a range. */
struct span {
    uint64_t first, last;
};

static struct span span(uint64_t start, uint64_t end, unsigned shift)
{
    return (struct span){start >> shift, (end - 1) >> shift};
}

static uint64_t span_count(struct span s)
{
    return s.first <= s.last ? s.last - s.first + 1 : 0;
}

static uint64_t span_shared(struct span a, struct span b)
{
    return span_count((struct span){
        a.first > b.first ? a.first : b.first,
        a.last < b.last ? a.last : b.last,
    });
}

/* The tables below the L4 that map [start, end). */
static uint64_t count_tables(uint64_t start, uint64_t end)
{
    return span_count(span(start, end, L3_SHIFT)) +
           span_count(span(start, end, L2_SHIFT)) +
           span_count(span(start, end, L1_SHIFT));
}

/* Those among them that [start2, end2) needs as well. */
static uint64_t count_shared_tables(uint64_t start, uint64_t end,
                                    uint64_t start2, uint64_t end2)
{
    uint64_t nr = 0;

    for (unsigned shift = L1_SHIFT; shift <= L3_SHIFT; shift += 9)
        nr += span_shared(span(start, end, shift), span(start2, end2, shift));
    return nr;
}

/*
 * The end of the mapping when (pages) must fit: as Xen's own tools have it,
 * one that fits exactly still gets the next step. 0: beyond the address space.
 */
static uint64_t mapping_end(uint64_t base, uint64_t pages)
{
    uint64_t limit = base < LOW_END ? LOW_END : HIGH_END, end;

    if (pages > (limit - base) >> PAGE_SHIFT)
        return 0;
    end = base + (pages << PAGE_SHIFT) + STACK_PADDING;
    end = (end | (MAPPING_STEP - 1)) + 1;
    return end > base && end <= limit ? end : 0;
}

/* The tables map themselves: their number is found by trying. */
static bool place_tables(struct pv_layout *layout)
{
    uint64_t end, nr = 1, needed;

    for (;;) {
        end = mapping_end(layout->base, layout->tables + nr + 1);
        if (!end)
            return false;
        needed = 1 + count_tables(layout->base, end);
        if (needed <= nr)
            break;
        nr = needed;
    }
    layout->nr_tables = nr;
    layout->stack = layout->tables + nr;
    layout->end = (end - layout->base) >> PAGE_SHIFT;
    return true;
}

static bool place_p2m_apart(struct pv_layout *layout)
{
    uint64_t start = layout->p2m_va;
    uint64_t end = start + (layout->nr_p2m << PAGE_SHIFT);
    uint64_t main_end = layout->base + (layout->end << PAGE_SHIFT);

    if (end < start || end > layout->base ||
        (start < LOW_END) != (end <= LOW_END))
        return false;
    layout->p2m = layout->end;
    layout->p2m_tables = layout->p2m + layout->nr_p2m;
    layout->nr_p2m_tables =
        count_tables(start, end) -
        count_shared_tables(start, end, layout->base, main_end);
    layout->needed = layout->p2m_tables + layout->nr_p2m_tables;
    return true;
}

/* Honoured as Xen's tools do: below the kernel, and on a page boundary. */
static bool wants_p2m_apart(const struct image_notes *notes)
{
    return notes->has_init_p2m && notes->init_p2m < notes->virt_base &&
           notes->init_p2m % PAGE_SIZE == 0;
}

static uint64_t pages_of(uint64_t bytes)
{
    return bytes / PAGE_SIZE + (bytes % PAGE_SIZE != 0);
}

bool pv_layout(const struct image *image, uint64_t initrd_size,
               uint64_t nr_pages, struct pv_layout *layout)
{
    const struct image_notes *notes = &image->notes;
    pfn_t next;

    *layout = (struct pv_layout){
        .base = notes->virt_base,
        .kernel_end = (image->virt_end - notes->virt_base) >> PAGE_SHIFT,
        .nr_module = pages_of(initrd_size),
        .module_apart = notes->mod_start_pfn != 0,
        .nr_p2m = pages_of(nr_pages * sizeof(uint64_t)),
        .p2m_apart = wants_p2m_apart(notes),
    };
    next = layout->kernel_end;
    if (!layout->module_apart) {
        layout->module = next;
        next += layout->nr_module;
    }
    if (!layout->p2m_apart) {
        layout->p2m = next;
        layout->p2m_va = layout->base + (next << PAGE_SHIFT);
        next += layout->nr_p2m;
    } else {
        layout->p2m_va = notes->init_p2m;
    }
    layout->start_info = next++;
    layout->xenstore = next++;
    layout->console = next++;
    layout->tables = next;
    if (!place_tables(layout))
        return false;
    layout->needed = layout->end;
    if (layout->p2m_apart && !place_p2m_apart(layout))
        return false;
    if (layout->module_apart) {
        layout->module = layout->needed;
        layout->needed += layout->nr_module;
    }
    return true;
}

uint64_t pv_layout_minimum(const struct image *image, uint64_t initrd_size)
{
    struct pv_layout layout;
    uint64_t nr_pages = 1;

    /* the p2m list grows with the memory, 512 times slower */
    do {
        if (!pv_layout(image, initrd_size, nr_pages, &layout))
            return 0;
        if (layout.needed <= nr_pages)
            return nr_pages;
        nr_pages = layout.needed;
    } while (true);
}
