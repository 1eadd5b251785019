/* memory_op: pages that come and go. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>
#include <xen/memory.h>

#include "host/pagetable.h"
#include "tests/harness/fake_domain.h"

TestSuite(memory_op, .init = fake_create, .fini = fake_destroy);

#define LIST (FREE_PAGE + 0)
#define OUT  (FREE_PAGE + 1)

#define memory_op(cmd, op) call(__HYPERVISOR_memory_op, cmd, put(op))

static uint64_t *list(unsigned at)
{
    return page(at);
}

static long reserve(unsigned cmd, uint64_t nr, unsigned order, domid_t domid)
{
    struct xen_memory_reservation op = {
        .nr_extents = nr,
        .extent_order = order,
        .domid = domid,
    };

    op.extent_start.p = (xen_pfn_t *)page_va(LIST);
    return memory_op(cmd, op);
}

static long ask(unsigned cmd, domid_t domid)
{
    struct xen_memory_domain op = {domid};

    return memory_op(cmd, op);
}

Test(memory_op, really_gives_pages_back_and_takes_them_again)
{
    memset(page(BARE_PAGE), 0x77, PAGE_SIZE);
    list(LIST)[0] = page_mfn(BARE_PAGE);
    list(LIST)[1] = page_mfn(BARE_PAGE + 1);
    cr_expect_eq(reserve(XENMEM_decrease_reservation, 2, 0, DOMID_SELF), 2);
    cr_expect_eq(ask(XENMEM_current_reservation, DOMID_SELF), RAM_PAGES - 2);
    cr_expect_eq(ask(XENMEM_maximum_reservation, DOMID_SELF), RAM_PAGES);
    cr_expect_null(memory_frame(&dom->mem, page_mfn(BARE_PAGE)));

    list(LIST)[0] = 500;
    list(LIST)[1] = 501;
    list(LIST)[2] = 502;
    cr_expect_eq(reserve(XENMEM_populate_physmap, 3, 0, DOMID_SELF), 2,
                 "as many as there are");
    cr_expect_eq(memory_pfn(&dom->mem, list(LIST)[0]), 500);
    cr_expect_eq(*(uint8_t *)memory_frame(&dom->mem, page_mfn(BARE_PAGE)), 0);
    cr_expect_eq(ask(XENMEM_current_reservation, DOMAIN_ID), RAM_PAGES);
}

Test(memory_op, stops_at_the_first_page_that_is_not_its_own)
{
    list(LIST)[0] = page_mfn(BARE_PAGE);
    list(LIST)[1] = 3;
    list(LIST)[2] = page_mfn(BARE_PAGE + 1);
    cr_expect_eq(reserve(XENMEM_decrease_reservation, 3, 0, DOMID_SELF), 1);
    cr_expect_eq(reserve(XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 0,
                 "not twice");
    list(LIST)[0] = dom->shared_mfn;
    cr_expect_eq(reserve(XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 0);
}

/* As on Xen: done for the caller, gone when the last reference goes. */
Test(memory_op, lets_a_mapped_page_go_when_its_mapping_goes)
{
    const unsigned mapped = FREE_PAGE + 8;

    list(LIST)[0] = page_mfn(mapped);
    cr_expect_eq(reserve(XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 1);
    cr_expect_eq(ask(XENMEM_current_reservation, DOMID_SELF), RAM_PAGES);
    cr_expect_eq(memory_pfn(&dom->mem, page_mfn(mapped)), INVALID_PFN);
    cr_expect_eq(reserve(XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 0);
    cr_expect_eq(call(__HYPERVISOR_update_va_mapping, page_va(mapped + 1),
                      page_mfn(mapped) << PAGE_SHIFT | PTE_PRESENT),
                 -EBUSY, "it is not the guest's any more");

    cr_expect_eq(call(__HYPERVISOR_update_va_mapping, page_va(mapped), 0), 0);
    cr_expect_eq(ask(XENMEM_current_reservation, DOMID_SELF), RAM_PAGES - 1);
}

Test(memory_op, counts_nothing_done_for_wrong_arguments)
{
    list(LIST)[0] = page_mfn(BARE_PAGE);
    cr_expect_eq(reserve(XENMEM_decrease_reservation, 1, 0, BACKEND_ID), 0);
    cr_expect_eq(reserve(XENMEM_decrease_reservation, 1, 10, DOMID_SELF), 0);
    cr_expect_eq(
        reserve(XENMEM_decrease_reservation, UINT64_MAX, 0, DOMID_SELF), 0);
    cr_expect_eq(reserve(XENMEM_populate_physmap, 1, 3, DOMID_SELF), 0);
    cr_expect_eq(reserve(XENMEM_increase_reservation, 1, 0, DOMID_SELF), 0,
                 "the ceiling");
    cr_expect_eq(call(__HYPERVISOR_memory_op, XENMEM_populate_physmap, NOWHERE),
                 0);
    cr_expect_eq(dom->mem.nr_ram, RAM_PAGES);
}

Test(memory_op, increases_without_a_pfn)
{
    list(LIST)[0] = page_mfn(BARE_PAGE);
    cr_assert_eq(reserve(XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 1);
    cr_expect_eq(reserve(XENMEM_increase_reservation, 1, 0, DOMID_SELF), 1);
    cr_expect_eq(memory_pfn(&dom->mem, list(LIST)[0]), INVALID_PFN);
}

Test(memory_op, keeps_a_page_it_could_not_tell_the_guest_of)
{
    struct xen_memory_reservation op = {.nr_extents = 1, .domid = DOMID_SELF};

    list(LIST)[0] = page_mfn(BARE_PAGE);
    cr_assert_eq(reserve(XENMEM_decrease_reservation, 1, 0, DOMID_SELF), 1);
    op.extent_start.p = (xen_pfn_t *)page_va(L1_PAGE); /* read-only */
    cr_expect_eq(memory_op(XENMEM_populate_physmap, op), 0);
    cr_expect_eq(dom->mem.nr_ram, RAM_PAGES - 1);
}

static long exchange(struct xen_memory_exchange *op)
{
    long rc;

    op->in.extent_start.p = (xen_pfn_t *)page_va(LIST);
    op->out.extent_start.p = (xen_pfn_t *)page_va(OUT);
    rc = memory_op(XENMEM_exchange, *op);
    get(*op);
    return rc;
}

Test(memory_op, exchanges_pages_one_for_one)
{
    struct xen_memory_exchange op = {
        .in = {.nr_extents = 2, .domid = DOMID_SELF},
        .out = {.nr_extents = 2, .domid = DOMID_SELF},
    };

    list(LIST)[0] = page_mfn(BARE_PAGE);
    list(LIST)[1] = page_mfn(BARE_PAGE + 1);
    list(OUT)[0] = 700;
    list(OUT)[1] = 701;
    cr_expect_eq(exchange(&op), 0);
    cr_expect_eq(op.nr_exchanged, 2);
    cr_expect_eq(memory_pfn(&dom->mem, list(OUT)[0]), 700);
    cr_expect_eq(memory_pfn(&dom->mem, list(OUT)[1]), 701);
    cr_expect_eq(dom->mem.nr_ram, RAM_PAGES);
}

Test(memory_op, refuses_uneven_exchanges)
{
    struct xen_memory_exchange op = {
        .in = {.nr_extents = 2, .domid = DOMID_SELF},
        .out = {.nr_extents = 1, .domid = DOMID_SELF},
    };

    cr_expect_eq(exchange(&op), -EINVAL);
    op.out.extent_order = 1;
    cr_expect_eq(exchange(&op), -ENOMEM, "no two frames are contiguous");
    op.out.extent_order = 10;
    cr_expect_eq(exchange(&op), -EPERM);
    op.out = op.in;
    op.out.domid = BACKEND_ID;
    cr_expect_eq(exchange(&op), -EINVAL);
    op.in.domid = BACKEND_ID;
    cr_expect_eq(exchange(&op), -EPERM);
    op.in.domid = op.out.domid = 55;
    cr_expect_eq(exchange(&op), -ESRCH);
}

Test(memory_op, exchanges_up_to_the_first_page_in_use)
{
    struct xen_memory_exchange op = {
        .in = {.nr_extents = 2, .domid = DOMID_SELF},
        .out = {.nr_extents = 2, .domid = DOMID_SELF},
    };

    list(LIST)[0] = page_mfn(BARE_PAGE);
    list(LIST)[1] = page_mfn(FREE_PAGE + 9); /* mapped */
    cr_expect_eq(exchange(&op), -EINVAL);
    cr_expect_eq(op.nr_exchanged, 1);
}

Test(memory_op, describes_its_ram_in_one_entry)
{
    struct xen_memory_map map = {.nr_entries = 10};

    map.buffer.p = (void *)page_va(OUT);
    cr_expect_eq(memory_op(XENMEM_memory_map, map), 0);
    get(map);
    cr_expect_eq(map.nr_entries, 1);
    cr_expect_eq(list(OUT)[0], 0);
    cr_expect_eq(list(OUT)[1], RAM_PAGES * PAGE_SIZE);
    cr_expect_eq((uint32_t)list(OUT)[2], 1);
    map.buffer.p = (void *)NOWHERE;
    cr_expect_eq(memory_op(XENMEM_memory_map, map), -EFAULT);
}

Test(memory_op, tells_where_the_m2p_is)
{
    struct xen_machphys_mapping m = {0};

    cr_expect_eq(memory_op(XENMEM_machphys_mapping, m), -ENOSYS);
    dom->m2p_va = UINT64_C(0x100000000);
    cr_expect_eq(memory_op(XENMEM_machphys_mapping, m), 0);
    get(m);
    cr_expect_eq(m.v_start, dom->m2p_va);
    cr_expect_geq((m.max_mfn + 1) * 8, (dom->mem.first_mfn + RAM_PAGES) * 8);
    cr_expect_geq(m.v_end, m.v_start + (m.max_mfn + 1) * 8);
    cr_expect_eq(call(__HYPERVISOR_memory_op, XENMEM_maximum_ram_page),
                 (long)m.max_mfn);
}

Test(memory_op, believes_the_guest_about_its_highest_pfn)
{
    cr_expect_eq(ask(XENMEM_maximum_gpfn, DOMID_SELF), 0);
    dom->shared->arch.max_pfn = 100;
    cr_expect_eq(ask(XENMEM_maximum_gpfn, DOMID_SELF), 99);
}

Test(memory_op, refuses_what_is_for_others)
{
    struct xen_add_to_physmap op = {.domid = DOMID_SELF};

    cr_expect_eq(memory_op(XENMEM_add_to_physmap, op), -EACCES);
    cr_expect_eq(memory_op(XENMEM_remove_from_physmap, op), -EACCES);
    cr_expect_eq(memory_op(XENMEM_machine_memory_map, op), -EPERM);
    cr_expect_eq(memory_op(XENMEM_get_vnumainfo, op), -EOPNOTSUPP);
    cr_expect_eq(memory_op(60, op), -ENOSYS);
    cr_expect_eq(memory_op(XENMEM_memory_map | 64, op), -EINVAL);
    cr_expect_eq(ask(XENMEM_current_reservation, BACKEND_ID), -EPERM);
    cr_expect_eq(ask(XENMEM_current_reservation, 9), -ESRCH);
}

/* The upper bits of the command say how far an interrupted call came. */
Test(memory_op, resumes_a_call_where_it_stopped)
{
    for (unsigned i = 0; i < 4; i++)
        list(LIST)[i] = page_mfn(BARE_PAGE + i);
    cr_expect_eq(
        reserve(XENMEM_decrease_reservation | 2 << 6, 4, 0, DOMID_SELF), 4);
    cr_expect_eq(dom->mem.nr_ram, RAM_PAGES - 2);
    cr_expect_not_null(memory_frame(&dom->mem, page_mfn(BARE_PAGE)));
    cr_expect_eq(
        reserve(XENMEM_decrease_reservation | 9 << 6, 4, 0, DOMID_SELF), 9,
        "beyond the list there is nothing to do");
}
