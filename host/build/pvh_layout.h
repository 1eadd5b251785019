/*
 * host/build/pvh_layout.h: where everything goes at a PVH guest's start of
 * day, by physical address. Pure arithmetic.
 *
 * The kernel lies where its segments say; behind it, on whole pages, the initrd
 * and then all that hvm_start_info leads to.
 */
#ifndef HOST_BUILD_PVH_LAYOUT_H
#define HOST_BUILD_PVH_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "host/build/image.h"

struct pvh_layout {
    uint64_t kernel_start, kernel_end;
    uint64_t initrd, initrd_size; /* bytes; 0: none */

    uint64_t start_info;
    uint64_t module_list;
    uint64_t memory_map;
    uint64_t cmdline;
    uint64_t end; /* all of RAM that is used */
};

/* Of the command line, its NUL included. */
#define PVH_CMDLINE_SIZE 1024

/*
 * Lay out (image), which offers PVH, with an initrd of (initrd_size) bytes, 0:
 * without. False if it does not end by (limit), in bytes; layout->end is then
 * what it would take, or UINT64_MAX.
 */
bool pvh_layout(const struct image *image, uint64_t initrd_size, uint64_t limit,
                struct pvh_layout *layout);

#endif
