/* What of a memory map is RAM, and where there is nothing. */
#include <criterion/criterion.h>
#include <string.h>

#include "pvguest/pvh/memory_map.h"

#define RAM      XEN_HVM_MEMMAP_TYPE_RAM
#define RESERVED XEN_HVM_MEMMAP_TYPE_RESERVED
#define ACPI     XEN_HVM_MEMMAP_TYPE_ACPI

#define MIB        0x100000ull
#define GIB        0x40000000ull
#define NO_LIMIT   UINT64_MAX
#define MAX_RANGES 8

typedef struct hvm_memmap_table_entry entry;

static struct memory_range ranges[MAX_RANGES];

#define NR(map) (sizeof(map) / sizeof *(map))

static void expect_range(unsigned i, uint64_t start, uint64_t end)
{
    cr_expect_eq(ranges[i].start, start, "%#lx", ranges[i].start);
    cr_expect_eq(ranges[i].end, end, "%#lx", ranges[i].end);
}

/* As libxl tells a PVH guest of 5 GiB. */
static const entry of_libxl[] = {
    {0, 0xfc000000, RAM, 0},       {0xfc000000, 0x40, ACPI, 0},
    {0xfc001000, 0x1000, ACPI, 0}, {0xfeff8000, 0x8000, RESERVED, 0},
    {4 * GIB, GIB, RAM, 0},
};

Test(memory_map, of_a_toolstack_is_understood)
{
    cr_assert_eq(
        memory_map_ram(of_libxl, NR(of_libxl), NO_LIMIT, ranges, MAX_RANGES),
        2);
    expect_range(0, 0, 0xfc000000);
    expect_range(1, 4 * GIB, 5 * GIB);
}

Test(memory_map, is_cut_at_the_limit)
{
    cr_assert_eq(
        memory_map_ram(of_libxl, NR(of_libxl), 2 * GIB - 1, ranges, MAX_RANGES),
        1);
    expect_range(0, 0, 2 * GIB - 4096);
    cr_expect_eq(memory_map_ram(of_libxl, NR(of_libxl), 0, ranges, MAX_RANGES),
                 0);
}

Test(memory_map, may_be_in_disorder_and_overlap)
{
    static const entry map[] = {
        {3 * MIB, 2 * MIB, RAM, 0}, {0, MIB, RAM, 0},
        {4 * MIB, 4 * MIB, RAM, 0}, {MIB, MIB, RAM, 0}, /* touches the second */
        {0, MIB, RAM, 0},
    };

    cr_assert_eq(memory_map_ram(map, NR(map), NO_LIMIT, ranges, MAX_RANGES), 2);
    expect_range(0, 0, 2 * MIB);
    expect_range(1, 3 * MIB, 8 * MIB);
}

Test(memory_map, gives_no_ram_that_something_else_claims)
{
    static const entry map[] = {
        {0, 16 * MIB, RAM, 0},
        {5 * MIB + 0x10, 0x10, RESERVED, 0},
        {9 * MIB, MIB, 99, 0},
        {12 * MIB, 0, RESERVED, 0}, /* claims nothing */
    };

    cr_assert_eq(memory_map_ram(map, NR(map), NO_LIMIT, ranges, MAX_RANGES), 3);
    expect_range(0, 0, 5 * MIB);
    expect_range(1, 5 * MIB + 4096, 9 * MIB);
    expect_range(2, 10 * MIB, 16 * MIB);
}

Test(memory_map, gives_whole_pages_only)
{
    static const entry map[] = {
        {0x10, 0x9fbf0, RAM, 0},
        {0x100800, 0x1000, RAM, 0}, /* no whole page in it */
        {0x200fff, 0x1002, RAM, 0},
    };

    cr_assert_eq(memory_map_ram(map, NR(map), NO_LIMIT, ranges, MAX_RANGES), 2);
    expect_range(0, 0x1000, 0x9f000);
    expect_range(1, 0x201000, 0x202000);
}

Test(memory_map, survives_entries_that_wrap_around)
{
    static const entry map[] = {
        {0, 8 * MIB, RAM, 0},
        {UINT64_MAX - 0xfff, 0x2000, RAM, 0},
        {UINT64_MAX - 100, UINT64_MAX, RESERVED, 0},
        {4 * MIB, UINT64_MAX, RESERVED, 0},
        {UINT64_MAX, 1, RAM, 0},
    };

    cr_assert_eq(memory_map_ram(map, NR(map), NO_LIMIT, ranges, MAX_RANGES), 1);
    expect_range(0, 0, 4 * MIB);
    cr_expect_eq(memory_map_hole(map, NR(map), MIB), 0);
}

Test(memory_map, may_be_empty_or_of_nothing)
{
    static const entry map[] = {{0, 0, RAM, 0}, {4096, 0, RAM, 0}};

    cr_expect_eq(memory_map_ram(NULL, 0, NO_LIMIT, ranges, MAX_RANGES), 0);
    cr_expect_eq(memory_map_ram(map, NR(map), NO_LIMIT, ranges, MAX_RANGES), 0);
}

Test(memory_map, has_no_more_ranges_than_there_is_room_for)
{
    entry map[MAX_RANGES + 3];

    for (unsigned i = 0; i < NR(map); i++)
        map[i] = (entry){2 * i * MIB, MIB, RAM, 0};
    cr_assert_eq(memory_map_ram(map, NR(map), NO_LIMIT, ranges, MAX_RANGES),
                 MAX_RANGES);
    expect_range(MAX_RANGES - 1, 2 * (MAX_RANGES - 1) * MIB,
                 (2 * MAX_RANGES - 1) * MIB);
    cr_expect_eq(memory_map_ram(map, NR(map), NO_LIMIT, ranges, 1), 1);
}

static bool claims(const entry *map, unsigned nr, uint64_t page, bool ram)
{
    for (unsigned i = 0; i < nr; i++) {
        uint64_t end = map[i].addr + map[i].size;

        if (ram ? map[i].type == RAM && map[i].addr <= page &&
                      end >= page + 4096
                : map[i].type != RAM && map[i].size &&
                      map[i].addr < page + 4096 && page < end)
            return true;
    }
    return false;
}

static bool is_in_a_range(uint64_t page, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        if (ranges[i].start <= page && page < ranges[i].end)
            return true;
    return false;
}

/* Against a plain definition of what is RAM, page by page. */
Test(memory_map, agrees_with_a_look_at_every_page)
{
    uint32_t seed = 1;
    entry map[6];

    for (unsigned round = 0; round < 2000; round++) {
        unsigned nr;

        for (unsigned i = 0; i < NR(map); i++) {
            seed = seed * 1664525 + 1013904223;
            map[i].addr = (seed >> 8) % 40 * 0x400;
            seed = seed * 1664525 + 1013904223;
            map[i].size = (seed >> 8) % 40 * 0x400;
            map[i].type = i < 4 ? RAM : RESERVED;
        }
        nr = memory_map_ram(map, NR(map), 64 * 4096, ranges, MAX_RANGES);
        for (uint64_t page = 0; page < 64 * 4096; page += 4096)
            cr_assert_eq(is_in_a_range(page, nr),
                         claims(map, NR(map), page, true) &&
                             !claims(map, NR(map), page, false));
    }
}

Test(memory_hole, begins_behind_the_lowest_ram_that_ends)
{
    static const entry small[] = {
        {0, 32 * MIB + 0x1000, RAM, 0},
        {0xfc000000, 0x1000, ACPI, 0},
        {0xfeff8000, 0x8000, RESERVED, 0},
    };

    cr_expect_eq(memory_map_hole(small, NR(small), MIB), 34 * MIB);
}

Test(memory_hole, keeps_away_from_devices)
{
    cr_expect_eq(memory_map_hole(of_libxl, NR(of_libxl), MIB), 5 * GIB);
    cr_expect_eq(memory_map_hole(of_libxl, 4, MIB), 4 * GIB);
    cr_expect_eq(memory_map_hole(NULL, 0, MIB), 4 * GIB);
}

Test(memory_hole, is_as_large_as_asked)
{
    static const entry map[] = {
        {0, 4 * MIB, RAM, 0},
        {6 * MIB, 2 * MIB, RESERVED, 0},
        {12 * MIB, 4 * MIB, RAM, 0},
    };

    cr_expect_eq(memory_map_hole(map, NR(map), 2 * MIB), 4 * MIB);
    cr_expect_eq(memory_map_hole(map, NR(map), 2 * MIB + 1), 8 * MIB);
    cr_expect_eq(memory_map_hole(map, NR(map), 5 * MIB), 16 * MIB);
}
