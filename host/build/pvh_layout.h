/*
 * host/build/pvh_layout.h: where everything goes at a PVH guest's start of
 * day, by physical address. Pure arithmetic.
 *
 * The kernel lies where its segments say; behind it, page by page, modules and
 * then all that hvm_start_info leads to.
 */
#ifndef HOST_BUILD_PVH_LAYOUT_H
#define HOST_BUILD_PVH_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "host/build/image.h"

#define PVH_MAX_MODULES 1 /* the initrd */

/* Bytes that are no part of the kernel, given to it in memory. */
struct pvh_module {
    uint64_t paddr; /* by pvh_layout */
    uint64_t size;  /* bytes */
};

struct pvh_layout {
    uint64_t kernel_start, kernel_end;
    struct pvh_module modules[PVH_MAX_MODULES];
    unsigned nr_modules;

    uint64_t start_info;
    uint64_t module_list;
    uint64_t memory_map;
    uint64_t cmdline;
    uint64_t end; /* all of RAM that is used */
};

/* Of the command line, its NUL included. */
#define PVH_CMDLINE_SIZE 1024

/*
 * Lay out (image), which offers PVH, with the (nr_modules) modules whose sizes
 * stand in layout->modules. False if it does not end below (limit), in bytes;
 * layout->end is then what it would take, or UINT64_MAX.
 */
bool pvh_layout(const struct image *image, unsigned nr_modules, uint64_t limit,
                struct pvh_layout *layout);

#endif
