/* grant_table_op: the table, loopback mappings, copies; status by status. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>
#include <xen/grant_table.h>

#include "host/pagetable.h"
#include "tests/harness/fake_domain.h"

TestSuite(grant_op, .init = fake_create, .fini = fake_destroy);

#define REF 20
#define VA  page_va(FREE_PAGE + 20) /* where grants are mapped */

#define grant_op(cmd, op) call(__HYPERVISOR_grant_table_op, cmd, put(op), 1)

static grant_entry_v1_t *entry(grant_ref_t ref)
{
    return &dom->grants.frames[0][ref];
}

static void grant(grant_ref_t ref, unsigned index, uint16_t flags)
{
    *entry(ref) = (grant_entry_v1_t){
        .flags = GTF_permit_access | flags,
        .domid = DOMAIN_ID,
        .frame = (uint32_t)page_mfn(index),
    };
}

static struct gnttab_map_grant_ref map(grant_ref_t ref, uint32_t flags,
                                       uint64_t host_addr)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = host_addr,
        .flags = flags,
        .ref = ref,
        .dom = DOMAIN_ID,
    };

    cr_assert_eq(grant_op(GNTTABOP_map_grant_ref, op), 0);
    get(op);
    return op;
}

static int16_t unmap(uint64_t host_addr, uint64_t bus, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {host_addr, bus, handle, 1};

    cr_assert_eq(grant_op(GNTTABOP_unmap_grant_ref, op), 0);
    get(op);
    return op.status;
}

static uint64_t pte_of(uint64_t va)
{
    return ((const uint64_t *)page(L1_PAGE))[(va - BASE_VA) / PAGE_SIZE];
}

Test(grant_op, grows_the_table_and_tells_its_frames)
{
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = 3};
    const uint64_t *mfns = page(FREE_PAGE);

    op.frame_list.p = (xen_pfn_t *)page_va(FREE_PAGE);
    cr_expect_eq(grant_op(GNTTABOP_setup_table, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_okay);
    for (unsigned i = 0; i < 3; i++)
        cr_expect_eq(memory_frame(&dom->mem, mfns[i]), dom->grants.frames[i]);

    op.nr_frames = GRANT_MAX_FRAMES + 1;
    cr_expect_eq(grant_op(GNTTABOP_setup_table, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_general_error);
    cr_expect_eq(
        call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, put(op), 2),
        -EINVAL);
    op = (struct gnttab_setup_table){.dom = BACKEND_ID};
    cr_expect_eq(grant_op(GNTTABOP_setup_table, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_permission_denied);
}

Test(grant_op, tells_size_and_version)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    struct gnttab_get_version get_version = {.dom = DOMID_SELF};
    struct gnttab_set_version set_version = {2};

    cr_expect_eq(grant_op(GNTTABOP_query_size, size), 0);
    get(size);
    cr_expect_eq(size.status, GNTST_okay);
    cr_expect_eq(size.nr_frames, 1);
    cr_expect_eq(size.max_nr_frames, GRANT_MAX_FRAMES);
    size.dom = 44;
    cr_expect_eq(grant_op(GNTTABOP_query_size, size), 0);
    get(size);
    cr_expect_eq(size.status, GNTST_bad_domain);

    cr_expect_eq(grant_op(GNTTABOP_get_version, get_version), 0);
    get(get_version);
    cr_expect_eq(get_version.version, 1);
    get_version.dom = 44;
    cr_expect_eq(grant_op(GNTTABOP_get_version, get_version), -ESRCH);

    cr_expect_eq(grant_op(GNTTABOP_set_version, set_version), -ENOSYS);
    get(set_version);
    cr_expect_eq(set_version.version, 1);
    cr_expect_eq(grant_op(GNTTABOP_set_version, set_version), 0);
    set_version.version = 3;
    cr_expect_eq(grant_op(GNTTABOP_set_version, set_version), -EINVAL);
}

Test(grant_op, maps_and_unmaps_its_own_grant)
{
    struct gnttab_map_grant_ref op;

    grant(REF, BARE_PAGE, 0);
    op = map(REF, GNTMAP_host_map, VA);
    cr_assert_eq(op.status, GNTST_okay);
    cr_expect_eq(op.dev_bus_addr, page_mfn(BARE_PAGE) << PAGE_SHIFT);
    cr_expect_eq((pte_of(VA) & PTE_MFN_MASK) >> PAGE_SHIFT,
                 page_mfn(BARE_PAGE));
    cr_expect(pte_of(VA) & PTE_RW);
    cr_expect_eq(entry(REF)->flags & (GTF_reading | GTF_writing),
                 GTF_reading | GTF_writing);

    cr_expect_eq(unmap(VA + PAGE_SIZE, 0, op.handle), GNTST_general_error);
    cr_expect_eq(unmap(VA, 123, op.handle), GNTST_bad_dev_addr);
    cr_expect_eq(unmap(VA, 0, op.handle + 1), GNTST_bad_handle);
    cr_expect_eq(unmap(VA, 0, UINT32_MAX), GNTST_bad_handle);
    cr_expect_eq(unmap(VA, 0, op.handle), GNTST_okay);
    cr_expect_eq(pte_of(VA), 0);
    cr_expect_eq(entry(REF)->flags & (GTF_reading | GTF_writing), 0);
    cr_expect_eq(unmap(VA, 0, op.handle), GNTST_bad_handle);
}

Test(grant_op, maps_by_the_address_of_the_entry)
{
    maddr_t at = (page_mfn(L1_PAGE) << PAGE_SHIFT) + 100 * 8;
    struct gnttab_map_grant_ref op;

    grant(REF, BARE_PAGE, GTF_readonly);
    op = map(REF, GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_readonly, at);
    cr_assert_eq(op.status, GNTST_okay);
    cr_expect_eq(pte_of(page_va(100)) & (PTE_PRESENT | PTE_RW), PTE_PRESENT);
    cr_expect_eq(unmap(at, 0, op.handle), GNTST_okay);

    op = map(REF, GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_readonly,
             at + 4);
    cr_expect_eq(op.status, GNTST_general_error);
    op = map(REF, GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_readonly,
             page_mfn(FREE_PAGE) << PAGE_SHIFT);
    cr_expect_eq(op.status, GNTST_general_error);
}

Test(grant_op, holds_two_references_for_device_and_host)
{
    struct gnttab_map_grant_ref op;

    grant(REF, BARE_PAGE, 0);
    op = map(REF, GNTMAP_host_map | GNTMAP_device_map, VA);
    cr_assert_eq(op.status, GNTST_okay);
    cr_expect_eq(unmap(VA, 0, op.handle), GNTST_okay);
    cr_expect(entry(REF)->flags & GTF_writing, "the device still has it");
    cr_expect_eq(unmap(0, op.dev_bus_addr, op.handle), GNTST_okay);
    cr_expect_eq(entry(REF)->flags & GTF_writing, 0);
}

Test(grant_op, maps_nothing_it_was_not_granted)
{
    struct gnttab_map_grant_ref op = {.dom = 7, .flags = GNTMAP_host_map};

    grant(REF, BARE_PAGE, GTF_readonly);
    cr_expect_eq(map(REF, 0, VA).status, GNTST_bad_gntref);
    cr_expect_eq(map(REF, GNTMAP_host_map, VA).status, GNTST_general_error,
                 "read-only");
    cr_expect_eq(map(REF + 1, GNTMAP_host_map, VA).status, GNTST_general_error);
    cr_expect_eq(map(513, GNTMAP_host_map, VA).status, GNTST_bad_gntref);
    entry(REF)->domid = BACKEND_ID;
    cr_expect_eq(map(REF, GNTMAP_host_map | GNTMAP_readonly, VA).status,
                 GNTST_general_error);
    cr_expect_eq(grant_op(GNTTABOP_map_grant_ref, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_bad_domain);
    op.dom = BACKEND_ID;
    cr_expect_eq(grant_op(GNTTABOP_map_grant_ref, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_bad_gntref);
}

Test(grant_op, gives_the_grant_back_when_it_cannot_be_mapped)
{
    grant(REF, BARE_PAGE, 0);
    cr_expect_eq(map(REF, GNTMAP_host_map, NOWHERE).status,
                 GNTST_general_error);
    entry(REF)->frame = 3; /* nobody's */
    cr_expect_eq(map(REF, GNTMAP_host_map, VA).status, GNTST_general_error);
    grant(REF, L1_PAGE, 0); /* a table, writable */
    cr_expect_eq(map(REF, GNTMAP_host_map, VA).status, GNTST_general_error);
    cr_expect_eq(entry(REF)->flags & (GTF_reading | GTF_writing), 0);
}

Test(grant_op, replaces_a_mapping_when_unmapping)
{
    struct gnttab_unmap_and_replace op = {.host_addr = VA};
    const uint64_t spare = VA + PAGE_SIZE;
    uint64_t before = pte_of(spare);

    grant(REF, BARE_PAGE, 0);
    op.handle = map(REF, GNTMAP_host_map, VA).handle;
    op.new_addr = NOWHERE;
    cr_expect_eq(grant_op(GNTTABOP_unmap_and_replace, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_bad_virt_addr);
    op.new_addr = spare;
    cr_expect_eq(grant_op(GNTTABOP_unmap_and_replace, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_okay);
    cr_expect_eq(pte_of(VA), before);
    cr_expect_eq(pte_of(spare), 0);
    cr_expect_eq(grant_op(GNTTABOP_unmap_and_replace, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_bad_handle);
}

static int16_t copy(struct gnttab_copy op)
{
    cr_assert_eq(grant_op(GNTTABOP_copy, op), 0);
    get(op);
    return op.status;
}

static struct gnttab_copy frames(unsigned from, unsigned to, uint16_t len)
{
    return (struct gnttab_copy){
        .source = {.u.gmfn = page_mfn(from), .domid = DOMID_SELF},
        .dest = {.u.gmfn = page_mfn(to), .domid = DOMID_SELF},
        .len = len,
    };
}

Test(grant_op, copies_between_frames_and_grants)
{
    struct gnttab_copy op = frames(FREE_PAGE, FREE_PAGE + 1, 100);

    memset(page(FREE_PAGE), 'a', PAGE_SIZE);
    op.dest.offset = 50;
    cr_expect_eq(copy(op), GNTST_okay);
    cr_expect_eq(((char *)page(FREE_PAGE + 1))[50], 'a');
    cr_expect_eq(((char *)page(FREE_PAGE + 1))[49], 0);
    cr_expect_eq(((char *)page(FREE_PAGE + 1))[150], 0);

    grant(REF, FREE_PAGE, GTF_readonly);
    grant(REF + 1, FREE_PAGE + 2, 0);
    op = (struct gnttab_copy){
        .source = {.u.ref = REF, .domid = DOMAIN_ID},
        .dest = {.u.ref = REF + 1, .domid = DOMAIN_ID},
        .len = PAGE_SIZE,
        .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
    };
    cr_expect_eq(copy(op), GNTST_okay);
    cr_expect_eq(((char *)page(FREE_PAGE + 2))[4095], 'a');
    op.dest.u.ref = REF;
    cr_expect_eq(copy(op), GNTST_general_error, "read-only");
    op.len = 0;
    op.dest.u.ref = REF + 1;
    cr_expect_eq(copy(op), GNTST_okay);
}

Test(grant_op, copies_nothing_beyond_pages_or_rights)
{
    struct gnttab_copy op = frames(FREE_PAGE, FREE_PAGE + 1, 4096);

    op.source.offset = 1;
    cr_expect_eq(copy(op), GNTST_bad_copy_arg);
    op = frames(FREE_PAGE, FREE_PAGE + 1, 1);
    op.dest.offset = 4096;
    cr_expect_eq(copy(op), GNTST_bad_copy_arg);
    op = frames(FREE_PAGE, L1_PAGE, 8);
    cr_expect_eq(copy(op), GNTST_general_error, "a page table");
    op = frames(FREE_PAGE, FREE_PAGE + 1, 8);
    op.source.u.gmfn = 9;
    cr_expect_eq(copy(op), GNTST_bad_page);
    op = frames(FREE_PAGE, FREE_PAGE + 1, 8);
    op.source.domid = DOMAIN_ID;
    cr_expect_eq(copy(op), GNTST_permission_denied);
    op.flags = GNTCOPY_source_gref;
    op.source.domid = 8;
    cr_expect_eq(copy(op), GNTST_bad_domain);
    op.source.domid = BACKEND_ID;
    cr_expect_eq(copy(op), GNTST_bad_gntref);
}

Test(grant_op, swaps_entries_that_nobody_uses)
{
    struct gnttab_swap_grant_ref op = {REF, REF + 1, 0};
    struct gnttab_map_grant_ref mapped;

    grant(REF, BARE_PAGE, 0);
    cr_expect_eq(grant_op(GNTTABOP_swap_grant_ref, op), 0);
    cr_expect_eq(entry(REF)->flags, 0);
    cr_expect_eq(entry(REF + 1)->frame, page_mfn(BARE_PAGE));

    mapped = map(REF + 1, GNTMAP_host_map, VA);
    cr_expect_eq(grant_op(GNTTABOP_swap_grant_ref, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_eagain);
    cr_expect_eq(unmap(VA, 0, mapped.handle), GNTST_okay);
    op.ref_a = 100000;
    cr_expect_eq(grant_op(GNTTABOP_swap_grant_ref, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_bad_gntref);
}

Test(grant_op, transfers_nothing)
{
    struct gnttab_transfer op = {.mfn = 4, .domid = BACKEND_ID};

    cr_expect_eq(grant_op(GNTTABOP_transfer, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_bad_page);
    op.mfn = page_mfn(BARE_PAGE);
    cr_expect_eq(grant_op(GNTTABOP_transfer, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_permission_denied);
    op.domid = 12;
    cr_expect_eq(grant_op(GNTTABOP_transfer, op), 0);
    get(op);
    cr_expect_eq(op.status, GNTST_bad_domain);
}

Test(grant_op, gives_each_element_its_own_status)
{
    struct gnttab_copy ops[3] = {
        frames(FREE_PAGE, FREE_PAGE + 1, 8),
        frames(FREE_PAGE, L1_PAGE, 8),
        frames(FREE_PAGE, FREE_PAGE + 2, 8),
    };

    cr_expect_eq(call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, put(ops), 3),
                 0);
    get(ops);
    cr_expect_eq(ops[0].status, GNTST_okay);
    cr_expect_eq(ops[1].status, GNTST_general_error);
    cr_expect_eq(ops[2].status, GNTST_okay);
    cr_expect_eq(call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, NOWHERE, 1),
                 -EFAULT);
    cr_expect_eq(call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, NOWHERE, 0),
                 0);
    cr_expect_eq(call(__HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames,
                      put(ops), 2),
                 -EINVAL);
    cr_expect_eq(
        call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, put(ops), UINT32_MAX),
        -EINVAL);
}

/* A long list leaves the rest of the domain its turn, and ends with it. */
Test(grant_op, breathes_in_long_lists)
{
    struct gnttab_copy ops[90];

    for (unsigned i = 0; i < 90; i++)
        ops[i] = frames(FREE_PAGE, FREE_PAGE + 1, 1);
    cr_expect_eq(call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, put(ops), 90),
                 0);
    cr_expect_eq(account.works, 1);

    for (unsigned i = 0; i < 90; i++)
        ops[i].status = 99;
    domain_end(dom, DOMAIN_DESTROYED);
    call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, put(ops), 90);
    get(ops);
    cr_expect_eq(ops[63].status, GNTST_okay);
    cr_expect_eq(ops[64].status, 99, "nobody is left to copy for");
}
