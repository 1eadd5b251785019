/* Which frame lies at which guest-physical address. */
#include <errno.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "host/memory.h"
#include "host/pvh/memory_map.h"
#include "host/pvh/physmap.h"

#define RAM    64
#define SHARED 8

static struct memory mem;
static size_t frames[SHARED]; /* the hypervisor's */

static void create(void)
{
    const struct memory_config config = {
        .ram_pages = RAM, .shared_pages = SHARED, .translated = true};

    cr_assert_eq(memory_create(&mem, &config), 0);
    for (unsigned i = 0; i < SHARED; i++)
        cr_assert(memory_take_frame(&mem, &frames[i]));
}

static void destroy(void)
{
    memory_destroy(&mem);
}

TestSuite(physmap, .init = create, .fini = destroy);

static bool finds(mfn_t gfn, size_t frame)
{
    size_t index;

    return physmap_find(&mem, gfn, &index) && index == frame;
}

static bool finds_nothing(mfn_t gfn)
{
    size_t index;

    return !physmap_find(&mem, gfn, &index);
}

Test(physmap, ram_is_where_it_is_and_nothing_else)
{
    cr_expect(finds(0, 0));
    cr_expect(finds(RAM - 1, RAM - 1));
    cr_expect(finds_nothing(RAM));
    cr_expect(finds_nothing(PHYSMAP_HIGH_START));
    cr_expect(finds_nothing(UINT64_MAX));
    cr_expect_null(memory_frame(&mem, RAM));
    cr_expect_eq(physmap_gfn(&mem, 7), 7);
    cr_expect_eq(physmap_gfn(&mem, frames[0]), INVALID_MFN);
}

Test(physmap, frames_are_placed_moved_and_taken_away)
{
    cr_expect_eq(physmap_place(mem.physmap, 0x80000, frames[0]), 0);
    cr_expect(finds(0x80000, frames[0]));
    cr_expect_eq(physmap_gfn(&mem, frames[0]), 0x80000);
    cr_expect_eq(physmap_place(mem.physmap, 0x70000, frames[0]), 0);
    cr_expect(finds_nothing(0x80000));
    cr_expect(finds(0x70000, frames[0]));
    cr_expect_eq(physmap_place(mem.physmap, 0x70000, frames[1]), 0);
    cr_expect(finds(0x70000, frames[1]), "the newer one is seen");
    cr_expect_eq(physmap_gfn(&mem, frames[0]), INVALID_MFN);
    cr_expect_eq(physmap_remove(mem.physmap, 0x70000), 0);
    cr_expect_eq(physmap_remove(mem.physmap, 0x70000), -ENOENT);
    cr_expect(finds_nothing(0x70000));
}

Test(physmap, only_so_many_are_placed_and_where_gfns_are)
{
    for (unsigned i = 0; i < PHYSMAP_MAX_PLACED; i++)
        cr_assert_eq(physmap_place(mem.physmap, 0x90000 - 2 * i, 1000 + i), 0);
    cr_expect_eq(physmap_place(mem.physmap, 0xa0000, 999), -ENOSPC);
    cr_expect_eq(physmap_place(mem.physmap, 0xa0000, 1000), 0, "a move");
    cr_expect_eq(physmap_place(mem.physmap, PHYSMAP_GFN_END, 1001), -EINVAL);
    for (unsigned i = 1; i < PHYSMAP_MAX_PLACED; i++)
        cr_expect(mem.physmap->placed[i - 1].gfn < mem.physmap->placed[i].gfn);
}

Test(physmap, ram_given_back_waits_for_its_own_return)
{
    mfn_t mfn;

    mem.base[5 * PAGE_SIZE] = 1;
    cr_expect_eq(memory_release(&mem, 5), 0);
    cr_expect(finds_nothing(5));
    cr_expect_eq(mem.nr_ram, RAM - 1);
    cr_expect_eq(memory_release(&mem, 5), -EINVAL);
    cr_expect_eq(memory_populate(&mem, RAM, &mfn), -EINVAL);
    cr_expect_eq(memory_populate(&mem, 6, &mfn), -EBUSY);
    cr_expect_eq(memory_populate(&mem, 5, &mfn), 0);
    cr_expect_eq(mfn, 5);
    cr_expect(finds(5, 5));
    cr_expect_eq(mem.base[5 * PAGE_SIZE], 0);
    cr_expect_eq(mem.nr_ram, RAM);
}

Test(physmap, what_is_placed_over_ram_is_in_its_place)
{
    mfn_t mfn;

    cr_expect_eq(memory_release(&mem, 5), 0);
    cr_expect_eq(physmap_place(mem.physmap, 5, frames[0]), 0);
    cr_expect(finds(5, frames[0]));
    cr_expect_eq(memory_populate(&mem, 5, &mfn), -EBUSY);
    cr_expect_eq(memory_release(&mem, 5), -EINVAL, "it is not the guest's");
    cr_expect_eq(physmap_remove(mem.physmap, 5), 0);
    cr_expect_eq(memory_populate(&mem, 5, &mfn), 0);
}

static void expect_range(const struct physmap_range *range, mfn_t gfn,
                         size_t index, size_t nr)
{
    cr_expect_eq(range->gfn, gfn, "gfn %#lx", range->gfn);
    cr_expect_eq(range->index, index, "index %zu", range->index);
    cr_expect_eq(range->nr, nr, "%zu frames", range->nr);
}

Test(physmap, ranges_cover_all_and_merge_neighbours)
{
    struct physmap_range ranges[PHYSMAP_MAX_RANGES];

    cr_expect_eq(physmap_ranges(mem.physmap, ranges), 1);
    expect_range(&ranges[0], 0, 0, RAM);
    physmap_place(mem.physmap, 0, frames[0]);
    physmap_place(mem.physmap, 9, frames[4]);
    physmap_place(mem.physmap, 10, frames[5]);
    physmap_place(mem.physmap, RAM - 1, frames[1]);
    physmap_place(mem.physmap, 0x80001, frames[3]);
    physmap_place(mem.physmap, 0x80000, frames[2]);
    physmap_place(mem.physmap, 0x100001, frames[6]);
    cr_assert_eq(physmap_ranges(mem.physmap, ranges), 7);
    expect_range(&ranges[0], 0, frames[0], 1);
    expect_range(&ranges[1], 1, 1, 8);
    expect_range(&ranges[2], 9, frames[4], 2);
    expect_range(&ranges[3], 11, 11, RAM - 12);
    expect_range(&ranges[4], RAM - 1, frames[1], 1);
    expect_range(&ranges[5], 0x80000, frames[2], 2);
    expect_range(&ranges[6], 0x100001, frames[6], 1);
}

Test(physmap, ranges_agree_with_lookups_for_any_map)
{
    struct physmap_range ranges[PHYSMAP_MAX_RANGES];
    uint32_t state = 1;

    for (unsigned round = 0; round < 200; round++) {
        unsigned nr, nr_found = 0;

        state = state * 1664525 + 1013904223;
        if (state >> 28)
            physmap_place(mem.physmap, state >> 8 & 127,
                          frames[state >> 24 & 7]);
        else
            physmap_remove(mem.physmap, state >> 8 & 127);
        nr = physmap_ranges(mem.physmap, ranges);
        for (unsigned i = 0; i < nr; i++) {
            cr_assert(i == 0 ||
                      ranges[i].gfn >= ranges[i - 1].gfn + ranges[i - 1].nr);
            for (size_t j = 0; j < ranges[i].nr; j++) {
                size_t placed;

                nr_found++;
                if (physmap_placed(mem.physmap, ranges[i].gfn + j, &placed))
                    cr_assert_eq(placed, ranges[i].index + j);
                else
                    cr_assert_eq(ranges[i].gfn + j, ranges[i].index + j);
            }
        }
        for (mfn_t gfn = 0; gfn < 128; gfn++) {
            size_t index;

            nr_found -= physmap_ram(mem.physmap, gfn, &index) ||
                        physmap_placed(mem.physmap, gfn, &index);
        }
        cr_assert_eq(nr_found, 0);
    }
}

Test(physmap, memory_that_does_not_fit_below_4_gib_goes_on_there, .init = NULL,
     .fini = NULL)
{
    struct memory_map_entry entries[MEMORY_MAP_MAX];
    struct physmap_range ranges[PHYSMAP_MAX_RANGES];
    struct physmap map;
    size_t index;
    const struct memory large = {.physmap = &map};

    physmap_init(&map, PHYSMAP_LOW_END + 100);
    cr_expect(physmap_ram(&map, PHYSMAP_LOW_END - 1, &index));
    cr_expect_not(physmap_ram(&map, PHYSMAP_LOW_END, &index));
    cr_expect(physmap_ram(&map, PHYSMAP_HIGH_START + 99, &index));
    cr_expect_eq(index, PHYSMAP_LOW_END + 99);
    cr_expect_not(physmap_ram(&map, PHYSMAP_HIGH_START + 100, &index));
    cr_expect_eq(physmap_gfn(&large, PHYSMAP_LOW_END), PHYSMAP_HIGH_START);
    physmap_place(&map, PHYSMAP_HIGH_START + 50, UINT32_MAX);
    cr_assert_eq(physmap_ranges(&map, ranges), 4);
    expect_range(&ranges[3], PHYSMAP_HIGH_START + 51, PHYSMAP_LOW_END + 51, 49);

    cr_assert_eq(memory_map_of(&large, entries), 4);
    cr_expect_eq(entries[0].size, (uint64_t)PHYSMAP_LOW_END << PAGE_SHIFT);
    cr_expect_eq(entries[3].addr, UINT64_C(1) << 32);
    cr_expect_eq(entries[3].size, 100 * PAGE_SIZE);
    for (unsigned i = 1; i < 4; i++)
        cr_expect(entries[i].addr >= entries[i - 1].addr + entries[i - 1].size);
}
