#include "host/pvh/physmap.h"

#include <errno.h>
#include <string.h>

void physmap_init(struct physmap *map, size_t ram_pages)
{
    *map = (struct physmap){.low_pages = ram_pages};
    if (ram_pages > PHYSMAP_LOW_END) {
        map->low_pages = PHYSMAP_LOW_END;
        map->high_pages = ram_pages - PHYSMAP_LOW_END;
    }
}

bool physmap_ram(const struct physmap *map, mfn_t gfn, size_t *index)
{
    if (gfn < map->low_pages) {
        *index = gfn;
        return true;
    }
    if (gfn >= PHYSMAP_HIGH_START &&
        gfn - PHYSMAP_HIGH_START < map->high_pages) {
        *index = map->low_pages + (gfn - PHYSMAP_HIGH_START);
        return true;
    }
    return false;
}

/* The first place that is not below (gfn). */
static unsigned position(const struct physmap *map, mfn_t gfn)
{
    unsigned low = 0, high = map->nr_placed;

    while (low < high) {
        const unsigned middle = (low + high) / 2;

        if (map->placed[middle].gfn < gfn)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_placed_at(const struct physmap *map, unsigned at, mfn_t gfn)
{
    return at < map->nr_placed && map->placed[at].gfn == gfn;
}

bool physmap_placed(const struct physmap *map, mfn_t gfn, size_t *index)
{
    const unsigned at = position(map, gfn);

    if (!is_placed_at(map, at, gfn))
        return false;
    *index = map->placed[at].index;
    return true;
}

bool physmap_find(const struct memory *mem, mfn_t gfn, size_t *index)
{
    size_t found;

    if (physmap_ram(mem->physmap, gfn, &found) &&
        mem->frames[found].state == FRAME_RAM &&
        !mem->frames[found].given_back) {
        *index = found;
        return true;
    }
    return physmap_placed(mem->physmap, gfn, index);
}

mfn_t physmap_gfn(const struct memory *mem, size_t index)
{
    const struct physmap *map = mem->physmap;

    if (index < map->low_pages)
        return index;
    if (index - map->low_pages < map->high_pages)
        return PHYSMAP_HIGH_START + (index - map->low_pages);
    for (unsigned i = 0; i < map->nr_placed; i++)
        if (map->placed[i].index == index)
            return map->placed[i].gfn;
    return INVALID_MFN;
}

static void take_out(struct physmap *map, unsigned at)
{
    map->nr_placed--;
    memmove(&map->placed[at], &map->placed[at + 1],
            (map->nr_placed - at) * sizeof *map->placed);
}

int physmap_place(struct physmap *map, mfn_t gfn, size_t index)
{
    unsigned at = 0;

    if (gfn >= PHYSMAP_GFN_END)
        return -EINVAL;
    while (at < map->nr_placed && map->placed[at].index != index)
        at++;
    if (at < map->nr_placed)
        take_out(map, at);
    at = position(map, gfn);
    if (!is_placed_at(map, at, gfn)) {
        if (map->nr_placed == PHYSMAP_MAX_PLACED)
            return -ENOSPC;
        memmove(&map->placed[at + 1], &map->placed[at],
                (map->nr_placed - at) * sizeof *map->placed);
        map->nr_placed++;
    }
    map->placed[at] = (struct physmap_place){gfn, (uint32_t)index};
    map->nr_changes++;
    return 0;
}

int physmap_remove(struct physmap *map, mfn_t gfn)
{
    const unsigned at = position(map, gfn);

    if (!is_placed_at(map, at, gfn))
        return -ENOENT;
    take_out(map, at);
    map->nr_changes++;
    return 0;
}

/* Append (range), or let the last one grow by it. */
static unsigned append(struct physmap_range *ranges, unsigned nr,
                       const struct physmap_range *range)
{
    struct physmap_range *last = nr ? &ranges[nr - 1] : NULL;

    if (range->nr == 0)
        return nr;
    if (last && last->gfn + last->nr == range->gfn &&
        last->index + last->nr == range->index) {
        last->nr += range->nr;
        return nr;
    }
    ranges[nr] = *range;
    return nr + 1;
}

/* RAM and what is placed in its midst; (next) is the first place behind. */
static unsigned append_ram(const struct physmap *map, unsigned *next,
                           struct physmap_range left,
                           struct physmap_range *ranges, unsigned nr)
{
    const mfn_t end = left.gfn + left.nr;

    while (*next < map->nr_placed && map->placed[*next].gfn < end) {
        const struct physmap_place *place = &map->placed[*next];
        const struct physmap_range one = {place->gfn, place->index, 1};

        if (place->gfn >= left.gfn) {
            const size_t before = place->gfn - left.gfn;
            const struct physmap_range part = {left.gfn, left.index, before};

            nr = append(ranges, nr, &part);
            left.gfn += before + 1;
            left.index += before + 1;
            left.nr -= before + 1;
        }
        nr = append(ranges, nr, &one);
        ++*next;
    }
    return append(ranges, nr, &left);
}

unsigned physmap_ranges(const struct physmap *map,
                        struct physmap_range ranges[PHYSMAP_MAX_RANGES])
{
    const struct physmap_range low = {0, 0, map->low_pages};
    const struct physmap_range high = {PHYSMAP_HIGH_START, map->low_pages,
                                       map->high_pages};
    const struct physmap_range end = {PHYSMAP_GFN_END, 0, 0};
    unsigned next = 0, nr = 0;

    nr = append_ram(map, &next, low, ranges, nr);
    while (next < map->nr_placed && map->placed[next].gfn < high.gfn) {
        const struct physmap_range one = {map->placed[next].gfn,
                                          map->placed[next].index, 1};

        nr = append(ranges, nr, &one);
        next++;
    }
    nr = append_ram(map, &next, high, ranges, nr);
    return append_ram(map, &next, end, ranges, nr);
}
