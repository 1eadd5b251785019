#include "host/build/pvh_layout.h"

#include <stdint.h>

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/xen.h>

#include "host/memory.h"
#include "host/pvh/memory_map.h"

/* Below this, sums of a few of them cannot wrap. */
#define MAX_SIZE (UINT64_C(1) << 48)

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

/* (size) bytes from *next on; returns where they begin. */
static uint64_t take(uint64_t *next, uint64_t size)
{
    const uint64_t start = *next;

    *next += (size + 7) & ~UINT64_C(7);
    return start;
}

static void find_kernel(const struct image *image, struct pvh_layout *layout)
{
    layout->kernel_start = UINT64_MAX;
    layout->kernel_end = 0;
    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *segment = &image->segments[i];
        const uint64_t end = segment->paddr + segment->mem_size;

        if (segment->paddr < layout->kernel_start)
            layout->kernel_start = segment->paddr;
        if (end > layout->kernel_end)
            layout->kernel_end = end;
    }
}

bool pvh_layout(const struct image *image, uint64_t initrd_size, uint64_t limit,
                struct pvh_layout *layout)
{
    uint64_t next;

    *layout = (struct pvh_layout){
        .initrd_size = initrd_size,
        .end = UINT64_MAX,
    };
    find_kernel(image, layout);
    if (layout->kernel_end > MAX_SIZE || initrd_size > MAX_SIZE)
        return false;
    layout->initrd = whole_pages(layout->kernel_end);
    next = whole_pages(layout->initrd + initrd_size);
    layout->start_info = take(&next, sizeof(struct hvm_start_info));
    layout->module_list = take(&next, sizeof(struct hvm_modlist_entry));
    layout->memory_map =
        take(&next, MEMORY_MAP_MAX * sizeof(struct hvm_memmap_table_entry));
    layout->cmdline = take(&next, PVH_CMDLINE_SIZE);
    layout->end = whole_pages(next);
    return layout->end <= limit;
}
