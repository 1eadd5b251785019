/*
 * host/build/pv_layout.h: where everything goes at a PV64 guest's start of
 * day. Pure arithmetic.
 *
 * One linear mapping: va = base + pfn * PAGE_SIZE, pfns ascending from 0. The
 * parts follow each other in the order of the fields below.
 */
#ifndef HOST_BUILD_PV_LAYOUT_H
#define HOST_BUILD_PV_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "host/build/image.h"
#include "host/memory.h"

struct pv_layout {
    uint64_t base; /* va of pfn 0 */

    /* pfns */
    pfn_t kernel_end;
    pfn_t module, nr_module; /* the initrd; inside the mapping, or see below */
    pfn_t p2m, nr_p2m;       /* the list; inside the mapping, or see below */
    pfn_t start_info;
    pfn_t xenstore;
    pfn_t console;
    pfn_t tables, nr_tables; /* the L4, L3s, L2s, L1s of the mapping */
    pfn_t stack;
    pfn_t end; /* of the mapping: padding included */

    /*
     * With the note INIT_P2M the list has a mapping of its own at p2m_va; it
     * and the tables that this needs lie behind the linear mapping.
     */
    bool p2m_apart;
    uint64_t p2m_va;
    pfn_t p2m_tables, nr_p2m_tables;

    /*
     * With the note MOD_START_PFN the initrd is not mapped at all, and lies
     * behind all else.
     */
    bool module_apart;

    pfn_t needed; /* pages of RAM that all this takes */
};

/*
 * Lay out (image), which offers PV, with an initrd of (initrd_size) bytes, 0:
 * without, for a domain of (nr_pages). layout->needed may turn out to be more
 * than that. Returns false if the mapping would leave the guest's part of the
 * address space.
 */
bool pv_layout(const struct image *image, uint64_t initrd_size,
               uint64_t nr_pages, struct pv_layout *layout);

/*
 * The least number of pages that (image), with its initrd, can be built in; 0
 * if none is.
 */
uint64_t pv_layout_minimum(const struct image *image, uint64_t initrd_size);

#endif
