/* Hypercalls of 32-bit code: longs and addresses of four bytes. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/version.h>

#include "host/pvh/physmap.h"
#include "tests/harness/fake_domain.h"

/* Paging is off in such a guest: addresses are physical. */
#define ADDRESS(page_nr) ((uint32_t)(page_nr) << PAGE_SHIFT)

static uint8_t *ram; /* the first page's */

static void *at(unsigned page_nr)
{
    return ram + ADDRESS(page_nr);
}

static void create(void)
{
    fake_create();
    ram = dom->mem.base;
    dom->abi = ABI_PVH;
    dom->mem.physmap = calloc(1, sizeof *dom->mem.physmap);
    cr_assert_not_null(dom->mem.physmap);
    physmap_init(dom->mem.physmap, RAM_PAGES);
    vcpu->in_32bit = true;
}

TestSuite(narrow, .init = create, .fini = fake_destroy);

Test(narrow, gets_the_memory_map)
{
    struct {
        uint32_t nr_entries, buffer;
    } *map = at(ARGS_PAGE);
    const struct {
        uint64_t addr, size;
        uint32_t type;
    } __attribute__((packed)) *entries = at(FREE_PAGE);

    map->nr_entries = 32;
    map->buffer = ADDRESS(FREE_PAGE);
    cr_expect_eq(
        call(__HYPERVISOR_memory_op, XENMEM_memory_map, ADDRESS(ARGS_PAGE)), 0);
    cr_expect_geq(map->nr_entries, 1);
    cr_expect_lt(map->nr_entries, 32);
    cr_expect_eq(map->buffer, ADDRESS(FREE_PAGE));
    cr_expect_eq(entries[0].addr, 0);
    cr_expect_eq(entries[0].size, (uint64_t)RAM_PAGES << PAGE_SHIFT);
    cr_expect_eq(entries[0].type, 1);

    map->nr_entries = 1;
    map->buffer = ADDRESS(RAM_PAGES);
    cr_expect_eq(
        call(__HYPERVISOR_memory_op, XENMEM_memory_map, ADDRESS(ARGS_PAGE)),
        -EFAULT);
    cr_expect_eq(
        call(__HYPERVISOR_memory_op, XENMEM_memory_map, ADDRESS(RAM_PAGES)),
        -EFAULT);
}

Test(narrow, has_its_shared_info_placed_and_taken_away)
{
    struct {
        uint16_t domid, size;
        uint32_t space, idx, gpfn;
    } *add = at(ARGS_PAGE);
    struct {
        uint16_t domid;
        uint32_t gpfn;
    } *take = at(ARGS_PAGE);
    const mfn_t gfn = RAM_PAGES + 5;

    add->domid = DOMID_SELF;
    add->space = XENMAPSPACE_shared_info;
    add->idx = 0;
    add->gpfn = (uint32_t)gfn;
    cr_expect_eq(
        call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, ADDRESS(ARGS_PAGE)),
        0);
    cr_expect_eq(memory_frame(&dom->mem, gfn), (void *)dom->shared);

    take->domid = DOMID_SELF;
    take->gpfn = (uint32_t)gfn;
    cr_expect_eq(call(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap,
                      ADDRESS(ARGS_PAGE)),
                 0);
    cr_expect_null(memory_frame(&dom->mem, gfn));
}

Test(narrow, sets_up_its_grant_table)
{
    struct {
        uint16_t dom;
        uint32_t nr_frames;
        int16_t status;
        uint32_t frame_list;
    } *setup = at(ARGS_PAGE);

    setup->dom = DOMID_SELF;
    setup->nr_frames = 2;
    setup->frame_list = ADDRESS(FREE_PAGE);
    memset(at(FREE_PAGE), 0xee, PAGE_SIZE);
    cr_expect_eq(call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table,
                      ADDRESS(ARGS_PAGE), 1),
                 0);
    cr_expect_eq(setup->status, GNTST_okay);
    cr_expect_eq(dom->grants.nr_frames, 2);
    cr_expect_eq(((uint32_t *)at(FREE_PAGE))[2], 0xeeeeeeee,
                 "two frames of four bytes");

    setup->nr_frames = GRANT_MAX_FRAMES + 1;
    call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, ADDRESS(ARGS_PAGE),
         1);
    cr_expect_eq(setup->status, GNTST_general_error);
    setup->dom = 77;
    call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, ADDRESS(ARGS_PAGE),
         1);
    cr_expect_eq(setup->status, GNTST_bad_domain);
}

Test(narrow, sets_its_timer_by_two_registers)
{
    const uint64_t when = fake_now + (UINT64_C(5) << 32);

    cr_expect_eq(
        call(__HYPERVISOR_set_timer_op, (uint32_t)when, (uint32_t)(when >> 32)),
        0);
    cr_expect_eq(vcpu->singleshot_ns, when);
}

Test(narrow, asks_for_what_has_no_layout)
{
    cr_expect_gt(call(__HYPERVISOR_xen_version, XENVER_version, 0), 0x40000);
    cr_expect_eq(call(__HYPERVISOR_sched_op, SCHEDOP_yield, 0), 0);
    cr_expect_eq(
        call(__HYPERVISOR_memory_op, XENMEM_set_memory_map, ADDRESS(ARGS_PAGE)),
        -EPERM);
}

/* Better no answer than one from the wrong places. */
Test(narrow, is_refused_what_would_be_misunderstood)
{
    const uint64_t arg = ADDRESS(ARGS_PAGE);

    cr_expect_eq(call(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, arg),
                 -ENOSYS);
    cr_expect_eq(call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, arg, 1),
                 -ENOSYS);
    cr_expect_eq(call(__HYPERVISOR_sched_op, SCHEDOP_poll, arg), -ENOSYS);
    cr_expect_eq(call(__HYPERVISOR_multicall, arg, 1), -ENOSYS);
    cr_expect_eq(
        call(__HYPERVISOR_xen_version, XENVER_platform_parameters, arg),
        -ENOSYS);
    cr_expect_eq(call(__HYPERVISOR_mmu_update, arg, 1, 0, DOMID_SELF), -ENOSYS);
}
