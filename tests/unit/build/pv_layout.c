/* Where everything goes at the start of day. */
#include <criterion/criterion.h>

#include "host/build/pv_layout.h"

#define MIB(n) ((uint64_t)(n) << 8) /* in pages */

static struct image image;

/* A kernel of (pages) that starts 1 MiB above (base). */
static void make(uint64_t base, uint64_t pages)
{
    image = (struct image){.offers_pv = true};
    image.notes.virt_base = base;
    image.virt_start = base + (1 << 20);
    image.virt_end = image.virt_start + (pages << PAGE_SHIFT);
}

static void expect_order(const struct pv_layout *l)
{
    pfn_t next = l->kernel_end;

    if (!l->module_apart) {
        cr_expect_eq(l->module, next);
        next += l->nr_module;
    }
    if (!l->p2m_apart) {
        cr_expect_eq(l->p2m, next);
        next += l->nr_p2m;
    }
    cr_expect_eq(l->start_info, next);
    cr_expect_eq(l->xenstore, l->start_info + 1);
    cr_expect_eq(l->console, l->xenstore + 1);
    cr_expect_eq(l->tables, l->console + 1);
    cr_expect_eq(l->stack, l->tables + l->nr_tables);
    cr_expect_geq(l->end, l->stack + 1 + 128, "512 KiB behind the stack");
    cr_expect_eq((l->base + (l->end << PAGE_SHIFT)) % (4 << 20), 0);
}

Test(pv_layout, a_small_guest_has_five_tables_and_ends_at_4_mib)
{
    struct pv_layout l;

    make(0, 16);
    cr_assert(pv_layout(&image, 0, MIB(4), &l));
    expect_order(&l);
    cr_expect_eq(l.p2m, 256 + 16);
    cr_expect_eq(l.nr_p2m, 2);
    cr_expect_eq(l.nr_tables, 5);
    cr_expect_eq(l.end, MIB(4));
    cr_expect_eq(l.needed, MIB(4));
}

Test(pv_layout, what_leaves_less_than_512_kib_gets_4_mib_more)
{
    struct pv_layout l;
    pfn_t around; /* what lies between kernel and padding */

    make(0, 16);
    cr_assert(pv_layout(&image, 0, MIB(4), &l));
    around = l.stack + 1 - l.kernel_end;

    make(0, MIB(3) - 128 - around - 1);
    cr_assert(pv_layout(&image, 0, MIB(4), &l));
    expect_order(&l);
    cr_expect_eq(l.end, MIB(4));
    make(0, MIB(3) - 128 - around + 1);
    cr_assert(pv_layout(&image, 0, MIB(4), &l));
    expect_order(&l);
    cr_expect_eq(l.end, MIB(8));
}

Test(pv_layout, tables_grow_with_the_mapping)
{
    struct pv_layout l;

    make(0, MIB(3000));
    cr_assert(pv_layout(&image, 0, MIB(4096), &l));
    expect_order(&l);
    /* every 2 MiB an L1, every GiB an L2, one L3, the L4 */
    cr_expect_eq(l.nr_tables,
                 l.end / 512 + (l.end + MIB(1024) - 1) / MIB(1024) + 2);
}

Test(pv_layout, a_base_across_a_512_gib_border_takes_two_l3)
{
    struct pv_layout l;

    make((UINT64_C(1) << 39) - (2 << 20), 512);
    cr_assert(pv_layout(&image, 0, MIB(16), &l));
    expect_order(&l);
    /* 6 MiB: L4, two L3, two L2, three L1 */
    cr_expect_eq(l.end, MIB(6));
    cr_expect_eq(l.nr_tables, 1 + 2 + 2 + 3);
}

Test(pv_layout, an_upper_half_kernel_fits)
{
    struct pv_layout l;

    make(UINT64_C(0xffffffff80000000), MIB(20));
    cr_assert(pv_layout(&image, 0, MIB(64), &l));
    expect_order(&l);
    cr_expect_eq(l.end, MIB(24));
}

Test(pv_layout, init_p2m_puts_the_list_behind_the_mapping)
{
    struct pv_layout l;

    make(UINT64_C(0xffffffff80000000), MIB(10));
    image.notes.has_init_p2m = true;
    image.notes.init_p2m = UINT64_C(0x8000000000);
    cr_assert(pv_layout(&image, 0, MIB(1024), &l));
    expect_order(&l);
    cr_expect(l.p2m_apart);
    cr_expect_eq(l.p2m_va, image.notes.init_p2m);
    cr_expect_eq(l.p2m, l.end);
    cr_expect_eq(l.nr_p2m, 512);
    cr_expect_eq(l.p2m_tables, l.p2m + 512);
    cr_expect_eq(l.nr_p2m_tables, 3);
    cr_expect_eq(l.needed, l.p2m_tables + 3);
}

Test(pv_layout, init_p2m_near_the_kernel_shares_its_tables)
{
    struct pv_layout l;

    make(UINT64_C(0x40000000), 16);
    image.notes.has_init_p2m = true;
    image.notes.init_p2m = UINT64_C(0x20000000);
    cr_assert(pv_layout(&image, 0, MIB(16), &l));
    cr_expect_eq(l.nr_p2m_tables, 2); /* L2 and L1; the L3 is the kernel's */
}

Test(pv_layout, init_p2m_above_the_base_or_off_a_page_is_not_honoured)
{
    struct pv_layout l;

    make(0x400000, 16);
    image.notes.has_init_p2m = true;
    image.notes.init_p2m = UINT64_C(0x8000000000);
    cr_assert(pv_layout(&image, 0, MIB(16), &l));
    cr_expect(!l.p2m_apart);
    image.notes.init_p2m = 0x1001;
    cr_assert(pv_layout(&image, 0, MIB(16), &l));
    cr_expect(!l.p2m_apart);
}

Test(pv_layout, init_p2m_running_into_the_kernel_is_refused)
{
    struct pv_layout l;

    make(0x400000, 16);
    image.notes.has_init_p2m = true;
    image.notes.init_p2m = 0x3ff000;
    cr_expect(!pv_layout(&image, 0, MIB(16), &l));
    cr_expect_eq(pv_layout_minimum(&image, 0), 0);
}

Test(pv_layout, an_initrd_lies_behind_the_kernel_in_whole_pages)
{
    struct pv_layout l;

    make(0, 16);
    cr_assert(pv_layout(&image, 4097, MIB(4), &l));
    expect_order(&l);
    cr_expect_eq(l.nr_module, 2);
    cr_expect_eq(l.module, l.kernel_end);
    cr_assert(pv_layout(&image, UINT64_C(3) << 20, MIB(16), &l));
    expect_order(&l);
    cr_expect_eq(l.end, MIB(8));
}

Test(pv_layout, with_mod_start_pfn_it_lies_behind_all_else)
{
    struct pv_layout l;

    make(UINT64_C(0xffffffff80000000), MIB(10));
    image.notes.mod_start_pfn = 1;
    cr_assert(pv_layout(&image, 4097, MIB(64), &l));
    expect_order(&l);
    cr_expect_eq(l.module, l.end);
    cr_expect_eq(l.needed, l.end + 2);

    image.notes.has_init_p2m = true;
    image.notes.init_p2m = UINT64_C(0x8000000000);
    cr_assert(pv_layout(&image, 4096, MIB(64), &l));
    expect_order(&l);
    cr_expect_eq(l.module, l.p2m_tables + l.nr_p2m_tables);
    cr_expect_eq(l.needed, l.module + 1);
}

Test(pv_layout, an_initrd_of_any_size_is_counted_or_refused)
{
    static const uint64_t sizes[] = {UINT64_C(1) << 46, UINT64_C(1) << 47,
                                     INT64_MAX, UINT64_MAX};
    struct pv_layout l;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make(0, 16);
        if (pv_layout(&image, sizes[i], MIB(4), &l))
            cr_expect_gt(l.needed, sizes[i] / PAGE_SIZE);
        image.notes.mod_start_pfn = 1;
        cr_assert(pv_layout(&image, sizes[i], MIB(4), &l));
        cr_expect_gt(l.needed, sizes[i] / PAGE_SIZE);
    }
}

Test(pv_layout, a_mapping_beyond_the_address_space_is_refused)
{
    struct pv_layout l;

    make(UINT64_C(0x00007fffffc00000), 700);
    cr_expect(!pv_layout(&image, 0, MIB(16), &l));
    make(UINT64_C(0xffffffffffc00000), 16);
    cr_expect(!pv_layout(&image, 0, MIB(16), &l));
}

Test(pv_layout, the_minimum_is_what_fits_and_no_page_less)
{
    static const uint64_t kernels[] = {1, 16, 700, MIB(3), MIB(511)};

    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        struct pv_layout l;
        uint64_t least;

        make(0, kernels[i]);
        least = pv_layout_minimum(&image, 0);
        cr_assert(pv_layout(&image, 0, least, &l));
        cr_expect_leq(l.needed, least);
        cr_assert(pv_layout(&image, 0, least - 1, &l));
        cr_expect_gt(l.needed, least - 1);
        least = pv_layout_minimum(&image, 5 << 20);
        cr_assert(pv_layout(&image, 5 << 20, least, &l));
        cr_expect_leq(l.needed, least);
        cr_assert(pv_layout(&image, 5 << 20, least - 1, &l));
        cr_expect_gt(l.needed, least - 1);
    }
}
