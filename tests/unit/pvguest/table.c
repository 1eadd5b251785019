/* Page tables that a guest makes itself. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "pvguest/pvh/table.h"

#define PAGE     4096
#define NR_PAGES 16
#define FLAGS    0x23ull
#define OFFSET   0x1000000ull /* of addresses from where tables lie */

static uint8_t pages[NR_PAGES][PAGE] __attribute__((aligned(PAGE)));
static unsigned nr_used, nr_allowed;

static void *page(void)
{
    return nr_used < nr_allowed ? pages[nr_used++] : NULL;
}

static struct table_space space;

static void no_tables(void)
{
    memset(pages, 0, sizeof pages);
    nr_used = 1;
    nr_allowed = NR_PAGES;
    space = (struct table_space){
        .root = (uint64_t *)pages[0],
        .base = OFFSET,
        .page = page,
        .table_flags = FLAGS,
    };
}

static uint64_t points_at(unsigned i)
{
    return ((uintptr_t)pages[i] - OFFSET) | FLAGS;
}

static uint64_t *entry_of(unsigned table, unsigned slot)
{
    return (uint64_t *)pages[table] + slot;
}

Test(tables, are_made_on_the_way_down, .init = no_tables)
{
    const uintptr_t va = 5ull << 39 | 6ull << 30 | 7ull << 21 | 8ull << 12;

    cr_assert_eq(table_entry(&space, va + 123, 1), entry_of(3, 8));
    cr_expect_eq(nr_used, 4);
    cr_expect_eq(*entry_of(0, 5), points_at(1));
    cr_expect_eq(*entry_of(1, 6), points_at(2));
    cr_expect_eq(*entry_of(2, 7), points_at(3));
    cr_expect_eq(*entry_of(3, 8), 0);
}

Test(tables, are_found_again, .init = no_tables)
{
    uint64_t *first = table_entry(&space, 0x400000, 1);

    cr_expect_eq(table_entry(&space, 0x400000, 1), first);
    cr_expect_eq(table_entry(&space, 0x401000, 1), first + 1);
    cr_expect_eq(nr_used, 4);
    cr_expect_eq(table_entry(&space, 0x600000, 2), entry_of(2, 3));
    cr_expect_eq(nr_used, 4, "an entry needs no table below it");
}

Test(tables, reach_the_upper_half, .init = no_tables)
{
    cr_expect_eq(table_entry(&space, 0xffffffff80000000, 2), entry_of(2, 0));
    cr_expect_eq(*entry_of(0, 511), points_at(1));
    cr_expect_eq(*entry_of(1, 510), points_at(2));
    cr_expect_eq(table_entry(&space, UINTPTR_MAX, 4), entry_of(0, 511));
}

Test(tables, do_not_cut_large_pages, .init = no_tables)
{
    *table_entry(&space, 0x400000, 2) = 0x400000 | TABLE_LARGE | FLAGS;
    cr_expect_null(table_entry(&space, 0x401000, 1));
    cr_expect_not_null(table_entry(&space, 0x400000, 2));
    cr_expect_not_null(table_entry(&space, 0x600000, 1));
}

Test(tables, end_when_there_is_no_page, .init = no_tables)
{
    nr_allowed = 3;
    cr_expect_null(table_entry(&space, 0x400000, 1));
    cr_expect_not_null(table_entry(&space, 0x400000, 2));
    nr_allowed = NR_PAGES;
    cr_expect_not_null(table_entry(&space, 0x400000, 1),
                       "what was made stays good");
}
