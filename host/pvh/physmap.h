/*
 * host/pvh/physmap.h: which frame lies at which guest-physical address of a
 * PVH domain.
 *
 * RAM has its gfns for good: frame (index) is gfn (index), but for what does
 * not fit below PHYSMAP_LOW_END, which goes on at 4 GiB. Beside that the
 * hypervisor's own frames are *placed* where the guest asks for them; one
 * placed over RAM hides what was there, which has been given back by then.
 */
#ifndef HOST_PVH_PHYSMAP_H
#define HOST_PVH_PHYSMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/memory.h"

#define PHYSMAP_LOW_END    0xfc000u  /* gfn: RAM below 4 GiB ends here */
#define PHYSMAP_HIGH_START 0x100000u /* and goes on here */
#define PHYSMAP_GFN_END    (UINT64_C(1) << 40)

#define PHYSMAP_ACPI_GFN 0xfc000u /* one page of tables */

/* Where Xen's tools put the pages that they share with the guest. */
#define PHYSMAP_SPECIAL     0xfeff8u
#define PHYSMAP_NR_SPECIAL  8u
#define PHYSMAP_STORE_GFN   0xfeffcu
#define PHYSMAP_CONSOLE_GFN 0xfefffu

/* shared_info, the grant table, the rings, and grants mapped by the guest. */
#define PHYSMAP_MAX_PLACED 128

struct physmap {
    size_t low_pages, high_pages; /* RAM */
    struct physmap_place {
        mfn_t gfn;
        uint32_t index;           /* of the frame */
    } placed[PHYSMAP_MAX_PLACED]; /* by gfn, ascending */
    unsigned nr_placed;
    unsigned nr_changes; /* counts: whoever follows it looks again */
};

/* Neighbours of one kind: (nr) frames from (index) on lie at (gfn) on. */
struct physmap_range {
    mfn_t gfn;
    size_t index, nr;
};

/* At most so many are there. */
#define PHYSMAP_MAX_RANGES (2 * PHYSMAP_MAX_PLACED + 2)

/* For (ram_pages) of RAM, nothing placed. */
void physmap_init(struct physmap *map, size_t ram_pages);

/* Is (gfn) RAM, present or given back? Then *index is its frame. */
bool physmap_ram(const struct physmap *map, mfn_t gfn, size_t *index);

/* Which frame is placed at (gfn)? False: none. */
bool physmap_placed(const struct physmap *map, mfn_t gfn, size_t *index);

/* What the guest finds at (gfn): false if there is nothing. */
bool physmap_find(const struct memory *mem, mfn_t gfn, size_t *index);

/* Where the guest finds frame (index), or INVALID_MFN. */
mfn_t physmap_gfn(const struct memory *mem, size_t index);

/*
 * Place frame (index), which is not RAM, at (gfn), and nowhere else any more:
 * 0; -EINVAL where no gfn is; -ENOSPC when too many are placed. What was
 * placed there before is not there any more.
 */
int physmap_place(struct physmap *map, mfn_t gfn, size_t index);

/* Nothing is placed at (gfn) any more: 0, or -ENOENT. */
int physmap_remove(struct physmap *map, mfn_t gfn);

/*
 * The whole map as ascending ranges, RAM that was given back included. Returns
 * how many.
 */
unsigned physmap_ranges(const struct physmap *map,
                        struct physmap_range ranges[PHYSMAP_MAX_RANGES]);

#endif
