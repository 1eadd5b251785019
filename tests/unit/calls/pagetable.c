/* Page tables: what may be written where, and who is told of it. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/pagetable.h"
#include "tests/harness/fake_domain.h"

TestSuite(pagetable, .init = fake_create, .fini = fake_destroy);

#define P    PTE_PRESENT
#define RW   PTE_RW
#define USER PTE_USER

static uint64_t pte(unsigned index, uint64_t flags)
{
    return page_mfn(index) << PAGE_SHIFT | flags;
}

static struct frame *record(unsigned index)
{
    return memory_record(&dom->mem, page_mfn(index));
}

static maddr_t entry_at(unsigned table, unsigned slot)
{
    return (page_mfn(table) << PAGE_SHIFT) + slot * sizeof(uint64_t);
}

static uint64_t entry_of(unsigned table, unsigned slot)
{
    return ((const uint64_t *)page(table))[slot];
}

static long map(unsigned index, uint64_t val)
{
    return call(__HYPERVISOR_update_va_mapping, page_va(index), val,
                UVMF_INVLPG);
}

static long update(maddr_t ptr, uint64_t val)
{
    struct mmu_update req = {ptr, val};

    return call(__HYPERVISOR_mmu_update, put(req), 1, 0, DOMID_SELF);
}

static long ext(unsigned cmd, mfn_t mfn)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};

    return call(__HYPERVISOR_mmuext_op, put(op), 1, 0, DOMID_SELF);
}

Test(pagetable, adopts_the_boot_tables_as_typed_and_pinned)
{
    cr_expect_eq(record(L4_PAGE)->type, TYPE_L4);
    cr_expect(record(L4_PAGE)->pinned);
    cr_expect_eq(record(L4_PAGE)->uses, 2, "the pin and the base");
    cr_expect_eq(record(L3_PAGE)->type, TYPE_L3);
    cr_expect_eq(record(L1_PAGE)->linked_at, BASE_VA);
    cr_expect_eq(record(FREE_PAGE)->type, TYPE_WRITABLE);
    cr_expect_eq(record(FREE_PAGE)->uses, 1);
    cr_expect_eq(record(BARE_PAGE)->uses, 0);
}

/* Guests see these bits when they read their tables back. */
Test(pagetable, stores_entries_as_Xen_stores_them)
{
    cr_expect_eq(entry_of(L1_PAGE, FREE_PAGE) & (USER | PTE_GUEST),
                 USER | PTE_GUEST);
    cr_expect(entry_of(L4_PAGE, 0) & PTE_ACCESSED);
    cr_expect_eq(map(FREE_PAGE, pte(FREE_PAGE, P | RW | USER)), 0);
    cr_expect_eq(entry_of(L1_PAGE, FREE_PAGE),
                 pte(FREE_PAGE, P | RW | USER | PTE_GLOBAL));
    cr_expect_eq(map(FREE_PAGE, 0xdead000), 0);
    cr_expect_eq(entry_of(L1_PAGE, FREE_PAGE), 0xdead000,
                 "what is not present is stored as it is");
    cr_expect_eq(record(FREE_PAGE)->uses, 0);
}

Test(pagetable, refuses_bad_bits_and_foreign_frames)
{
    cr_expect_eq(map(FREE_PAGE, pte(FREE_PAGE, P | PTE_PSE)), -EINVAL);
    cr_expect_eq(map(FREE_PAGE, pte(FREE_PAGE, P | 0x8)), -EINVAL);
    cr_expect_eq(map(FREE_PAGE, UINT64_C(5) << PAGE_SHIFT | P), -EBUSY);
    cr_expect_eq(map(FREE_PAGE, PTE_MFN_MASK | P | RW), -EINVAL);
    cr_expect_eq(map(FREE_PAGE, UINT64_C(1) << 45 | P), -EPERM, "no RAM");
    cr_expect_eq(
        call(__HYPERVISOR_update_va_mapping, NOWHERE, pte(FREE_PAGE, P)),
        -EINVAL, "there is no L1 table");
    cr_expect_eq(call(__HYPERVISOR_update_va_mapping, HOLE, 0), -EINVAL);
    cr_expect_eq(entry_of(L1_PAGE, FREE_PAGE) & P, P, "nothing changed");
}

Test(pagetable, maps_no_table_writable_and_types_no_writable_page)
{
    cr_expect_eq(map(L1_PAGE, pte(L1_PAGE, P | RW)), -EBUSY);
    cr_expect_eq(map(L1_PAGE, pte(L1_PAGE, P)), 0);
    cr_expect_eq(ext(MMUEXT_PIN_L1_TABLE, page_mfn(FREE_PAGE)), -EINVAL);

    memset(page(FREE_PAGE), 0, PAGE_SIZE);
    cr_expect_eq(map(FREE_PAGE, pte(FREE_PAGE, P)), 0);
    cr_expect_eq(ext(MMUEXT_PIN_L1_TABLE, page_mfn(FREE_PAGE)), 0);
    cr_expect_eq(map(FREE_PAGE, pte(FREE_PAGE, P | RW)), -EBUSY);
    cr_expect_eq(ext(MMUEXT_UNPIN_TABLE, page_mfn(FREE_PAGE)), 0);
    cr_expect_eq(map(FREE_PAGE, pte(FREE_PAGE, P | RW)), 0);
}

Test(pagetable, pins_once_and_unpins_once)
{
    mfn_t bare = page_mfn(BARE_PAGE);

    cr_expect_eq(ext(MMUEXT_PIN_L2_TABLE, bare), 0);
    cr_expect_eq(ext(MMUEXT_PIN_L2_TABLE, bare), -EINVAL);
    cr_expect_eq(ext(MMUEXT_UNPIN_TABLE, bare), 0);
    cr_expect_eq(ext(MMUEXT_UNPIN_TABLE, bare), -EINVAL);
    cr_expect_eq(ext(MMUEXT_PIN_L2_TABLE, 3), -EINVAL);
    cr_expect_eq(ext(MMUEXT_PIN_L3_TABLE, page_mfn(L2_PAGE)), -EINVAL);
    cr_expect_eq(ext(MMUEXT_PIN_L4_TABLE, dom->shared_mfn), -EINVAL);
    cr_expect_eq(record(BARE_PAGE)->type, TYPE_NONE);
}

/* A table with one bad entry gives back all it took before that entry. */
Test(pagetable, leaves_no_trace_of_a_pin_that_failed)
{
    uint64_t *table = page(BARE_PAGE);

    table[0] = pte(BARE_PAGE + 1, P | RW);
    table[1] = pte(BARE_PAGE + 1, P | RW);
    table[2] = pte(BARE_PAGE, P | RW); /* itself */
    cr_expect_eq(ext(MMUEXT_PIN_L1_TABLE, page_mfn(BARE_PAGE)), -EBUSY);
    cr_expect_eq(record(BARE_PAGE + 1)->uses, 0);
    cr_expect_eq(record(BARE_PAGE)->uses, 0);
    table[2] = pte(BARE_PAGE, P);
    cr_expect_eq(ext(MMUEXT_PIN_L1_TABLE, page_mfn(BARE_PAGE)), 0);
    cr_expect_eq(record(BARE_PAGE + 1)->uses, 2);
}

Test(pagetable, validates_a_whole_tree_and_lets_it_go_again)
{
    enum { NEW_L4 = BARE_PAGE, NEW_L3, NEW_L2, NEW_L1, TARGET };
    uint64_t *l4 = page(NEW_L4);

    l4[0] = pte(NEW_L3, P | RW);
    l4[260] = pte(5, P); /* in the hole: Xen puts its own there */
    ((uint64_t *)page(NEW_L3))[1] = pte(NEW_L2, P | RW);
    ((uint64_t *)page(NEW_L2))[2] = pte(NEW_L1, P | RW);
    ((uint64_t *)page(NEW_L1))[3] = pte(TARGET, P | RW);
    cr_assert_eq(ext(MMUEXT_PIN_L4_TABLE, page_mfn(NEW_L4)), 0);
    cr_expect_eq(l4[260], 0);
    cr_expect_eq(record(TARGET)->uses, 1);
    cr_expect_eq(record(NEW_L1)->linked_at,
                 (UINT64_C(1) << 30) + (UINT64_C(2) << 21));

    cr_assert_eq(ext(MMUEXT_UNPIN_TABLE, page_mfn(NEW_L4)), 0);
    for (unsigned i = NEW_L4; i <= TARGET; i++)
        cr_expect_eq(record(i)->uses, 0);
    cr_expect_eq(record(NEW_L1)->linked_at, FRAME_LINKED_NEVER);
}

/* Tables show up as pages that way, and pages of tables are never written. */
Test(pagetable, links_tables_into_themselves_to_be_read)
{
    cr_expect_eq(update(entry_at(L4_PAGE, 5), pte(L4_PAGE, P | RW)), -EINVAL);
    cr_expect_eq(update(entry_at(L4_PAGE, 5), pte(L4_PAGE, P)), 0);
    cr_expect_eq(record(L4_PAGE)->uses, 2, "which is no reference");
    cr_expect_eq(update(entry_at(L4_PAGE, 5), pte(L4_PAGE, P | RW)), -EINVAL,
                 "nor can it be made writable later");
    cr_expect_eq(dom->mem.nr_linear, 1);
    cr_expect_eq(update(entry_at(L2_PAGE, 5), pte(L2_PAGE, P)), 0);
    cr_expect_eq(update(entry_at(L2_PAGE, 5), 0), 0);
    cr_expect_eq(update(entry_at(L4_PAGE, 5), 0), 0);
    cr_expect_eq(dom->mem.nr_linear, 0);
    cr_expect_eq(record(L4_PAGE)->uses, 2);
    cr_expect_eq(record(L2_PAGE)->uses, 1);
}

Test(pagetable, links_tables_of_a_level_no_deeper_than_once)
{
    const mfn_t other = page_mfn(BARE_PAGE);

    memset(page(BARE_PAGE), 0, PAGE_SIZE);
    cr_assert_eq(ext(MMUEXT_PIN_L4_TABLE, other), 0);
    cr_expect_eq(update(entry_at(L4_PAGE, 5), pte(BARE_PAGE, P)), 0);
    cr_expect_eq(record(BARE_PAGE)->uses, 2);
    cr_expect_eq(update(entry_at(BARE_PAGE, 5), pte(L4_PAGE, P)), -EINVAL,
                 "what is referred to refers to none");
    cr_expect_eq(ext(MMUEXT_UNPIN_TABLE, other), 0);
    cr_expect_eq(record(BARE_PAGE)->type, TYPE_L4, "yet referred to");
    cr_expect_eq(update(entry_at(L4_PAGE, 5), 0), 0);
    cr_expect_eq(record(BARE_PAGE)->uses, 0);
    cr_expect_eq(record(BARE_PAGE)->linear, 0);
    cr_expect_eq(record(L4_PAGE)->linear, 0);
}

Test(pagetable, keeps_the_guest_out_of_the_hypervisors_slots)
{
    cr_expect_eq(update(entry_at(L4_PAGE, 256), 0), -EINVAL);
    cr_expect_eq(update(entry_at(L4_PAGE, 271), pte(L3_PAGE, P)), -EINVAL);
    cr_expect_eq(update(entry_at(L4_PAGE, 272), 0), 0);
    cr_expect_eq(update(entry_at(L2_PAGE, 7), pte(FREE_PAGE, P | PTE_PSE)),
                 -EINVAL, "no superpages");
}

Test(pagetable, tells_the_engine_exactly_what_to_forget)
{
    fake_engine(0x10000, UINT64_C(1) << 47);
    cr_expect_eq(map(FREE_PAGE, pte(FREE_PAGE, P)), 0);
    cr_expect_eq(account.invalidations, 1);
    cr_expect_eq(account.last_va, page_va(FREE_PAGE));
    cr_expect_eq(account.last_pages, 1);

    cr_expect_eq(map(FREE_PAGE, entry_of(L1_PAGE, FREE_PAGE)), 0);
    cr_expect_eq(account.invalidations, 1, "nothing changed");
    cr_expect_eq(map(FREE_PAGE, 0), 0);
    cr_expect_eq(account.invalidations, 2);
    cr_expect_eq(map(FREE_PAGE, pte(FREE_PAGE, P | RW)), 0);
    cr_expect_eq(account.invalidations, 2, "nothing was there to forget");
    cr_expect_eq(account.flushes, 0);
}

Test(pagetable, forgets_all_that_an_upper_entry_covered)
{
    enum { EXTRA_L1 = BARE_PAGE, TARGET };
    const uint64_t va = UINT64_C(9) << 21;

    fake_engine(0x10000, UINT64_C(1) << 47);
    ((uint64_t *)page(EXTRA_L1))[0] = pte(TARGET, P | RW);
    cr_expect_eq(update(entry_at(L2_PAGE, 9), pte(EXTRA_L1, P | RW)), 0);
    cr_expect_eq(record(EXTRA_L1)->linked_at, va);
    cr_expect_eq(account.invalidations, 0);
    cr_expect_eq(update(entry_at(L2_PAGE, 9), 0), 0);
    cr_expect_eq(account.last_va, va);
    cr_expect_eq(account.last_pages, 512);
    cr_expect_eq(record(TARGET)->uses, 0);
}

Test(pagetable, flushes_everything_for_a_table_linked_twice)
{
    enum { EXTRA_L1 = BARE_PAGE, TARGET };

    fake_engine(0x10000, UINT64_C(1) << 47);
    ((uint64_t *)page(EXTRA_L1))[0] = pte(TARGET, P | RW);
    cr_expect_eq(update(entry_at(L2_PAGE, 9), pte(EXTRA_L1, P | RW)), 0);
    cr_expect_eq(update(entry_at(L2_PAGE, 11), pte(EXTRA_L1, P | RW)), 0);
    cr_expect_eq(record(EXTRA_L1)->linked_at, FRAME_LINKED_MANY);
    cr_expect_eq(update(entry_at(EXTRA_L1, 0), 0), 0);
    cr_expect_eq(account.flushes, 1);
}

Test(pagetable, refuses_what_the_engine_cannot_show)
{
    fake_engine(0x10000, BASE_VA + 64 * PAGE_SIZE);
    cr_expect_eq(map(65, pte(FREE_PAGE, P)), -EINVAL);
    cr_expect_eq(map(63, pte(FREE_PAGE, P)), 0);
    cr_expect_eq(map(65, 0), 0, "to take away is always possible");
    cr_expect_eq(update(entry_at(L4_PAGE, 300), pte(BARE_PAGE, P)), -EINVAL);
}

Test(pagetable, updates_by_machine_address)
{
    struct mmu_update reqs[3] = {
        {entry_at(L1_PAGE, FREE_PAGE), pte(BARE_PAGE, P | RW)},
        {entry_at(FREE_PAGE + 1, 4), 0x1234}, /* no table: a plain store */
        {entry_at(L1_PAGE, FREE_PAGE) | 5, 0},
    };
    uint32_t done = 77;
    uint64_t va = put(reqs);

    memcpy((uint8_t *)page(ARGS_PAGE) + 512, &done, sizeof done);
    cr_expect_eq(call(__HYPERVISOR_mmu_update, va, 3, va + 512, DOMID_SELF),
                 -ENOSYS);
    memcpy(&done, (uint8_t *)page(ARGS_PAGE) + 512, sizeof done);
    cr_expect_eq(done, 2);
    cr_expect_eq(record(BARE_PAGE)->uses, 1);
    cr_expect_eq(entry_of(FREE_PAGE + 1, 4), 0x1234);
    cr_expect_eq(update(UINT64_C(3) << PAGE_SHIFT, 0), -EINVAL);
    cr_expect_eq(call(__HYPERVISOR_mmu_update, NOWHERE, 1, 0, DOMID_SELF),
                 -EFAULT);
}

Test(pagetable, keeps_accessed_and_dirty_when_asked)
{
    maddr_t at = entry_at(L1_PAGE, FREE_PAGE);

    cr_expect_eq(update(at, pte(FREE_PAGE, P | RW | PTE_DIRTY)), 0);
    cr_expect_eq(update(at | MMU_PT_UPDATE_PRESERVE_AD, pte(FREE_PAGE, P)), 0);
    cr_expect(entry_of(L1_PAGE, FREE_PAGE) & PTE_DIRTY);
    cr_expect_eq(update(at, pte(FREE_PAGE, P)), 0);
    cr_expect_eq(entry_of(L1_PAGE, FREE_PAGE) & PTE_DIRTY, 0);
}

Test(pagetable, renames_frames_in_the_m2p)
{
    maddr_t frame = page_mfn(FREE_PAGE) << PAGE_SHIFT;

    cr_expect_eq(update(frame | MMU_MACHPHYS_UPDATE, 4711), 0);
    cr_expect_eq(memory_pfn(&dom->mem, page_mfn(FREE_PAGE)), 4711);
    cr_expect_eq(update(MMU_MACHPHYS_UPDATE, 1), -EINVAL);
    cr_expect_eq(update(dom->shared_mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE,
                        INVALID_PFN),
                 0);
}

Test(pagetable, knows_only_one_owner_of_frames)
{
    struct mmu_update req = {entry_at(L1_PAGE, FREE_PAGE), pte(FREE_PAGE, P)};
    uint64_t va = put(req);

    cr_expect_eq(call(__HYPERVISOR_mmu_update, va, 1, 0, DOMID_IO), -EBUSY);
    cr_expect_eq(call(__HYPERVISOR_mmu_update, va, 1, 0, DOMID_XEN), -EPERM);
    cr_expect_eq(call(__HYPERVISOR_mmu_update, va, 1, 0, 99), -ESRCH);
    cr_expect_eq(call(__HYPERVISOR_mmu_update, va, 1, 0,
                      (BACKEND_ID + 1) << 16 | DOMID_SELF),
                 -EPERM);
    cr_expect_eq(call(__HYPERVISOR_mmu_update, va, 1, 0,
                      (DOMAIN_ID + 1) << 16 | DOMID_SELF),
                 0);
    cr_expect_eq(call(__HYPERVISOR_update_va_mapping_otherdomain,
                      page_va(FREE_PAGE), 0, 0, 99),
                 -ESRCH);
    cr_expect_eq(call(__HYPERVISOR_update_va_mapping_otherdomain,
                      page_va(FREE_PAGE), 0, 0, DOMID_SELF),
                 0);
}

Test(pagetable, switches_its_base_and_its_user_base)
{
    fake_engine(0x10000, UINT64_C(1) << 47);
    memcpy(page(BARE_PAGE), page(L4_PAGE), PAGE_SIZE);
    cr_expect_eq(ext(MMUEXT_NEW_BASEPTR, page_mfn(FREE_PAGE)), -EINVAL);
    cr_expect_eq(ext(MMUEXT_NEW_BASEPTR, page_mfn(BARE_PAGE)), 0);
    cr_expect_eq(vcpu->cr3, page_mfn(BARE_PAGE));
    cr_expect_eq(account.flushes, 1);
    cr_expect_eq(record(L4_PAGE)->uses, 1, "still pinned");
    cr_expect_eq(record(L3_PAGE)->uses, 2);

    cr_expect_eq(ext(MMUEXT_NEW_USER_BASEPTR, page_mfn(L4_PAGE)), 0);
    cr_expect_eq(record(L4_PAGE)->uses, 2);
    cr_expect_eq(ext(MMUEXT_NEW_USER_BASEPTR, 0), 0);
    cr_expect_eq(record(L4_PAGE)->uses, 1);
}

Test(pagetable, flushes_when_the_guest_asks)
{
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_MULTI,
                           .arg1.linear_addr = page_va(FREE_PAGE) + 5};

    fake_engine(0x10000, UINT64_C(1) << 47);
    cr_expect_eq(ext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    cr_expect_eq(ext(MMUEXT_TLB_FLUSH_ALL, 0), 0);
    cr_expect_eq(account.flushes, 2);
    cr_expect_eq(ext(MMUEXT_INVLPG_LOCAL, page_va(FREE_PAGE)), 0);
    cr_expect_eq(account.last_va, page_va(FREE_PAGE));

    op.arg2.vcpumask.p = (const void *)page_va(FREE_PAGE);
    *(uint64_t *)page(FREE_PAGE) = UINT64_MAX - 1;
    cr_expect_eq(call(__HYPERVISOR_mmuext_op, put(op), 1, 0, DOMID_SELF), 0);
    cr_expect_eq(account.invalidations, 1, "the mask names nobody");
    *(uint8_t *)page(FREE_PAGE) = 1;
    cr_expect_eq(call(__HYPERVISOR_mmuext_op, put(op), 1, 0, DOMID_SELF), 0);
    cr_expect_eq(account.invalidations, 2);
    op.arg2.vcpumask.p = (const void *)NOWHERE;
    cr_expect_eq(call(__HYPERVISOR_mmuext_op, put(op), 1, 0, DOMID_SELF),
                 -EINVAL);
}

Test(pagetable, clears_and_copies_pages_that_are_no_tables)
{
    struct mmuext_op op = {.cmd = MMUEXT_COPY_PAGE,
                           .arg1.mfn = page_mfn(FREE_PAGE),
                           .arg2.src_mfn = page_mfn(FREE_PAGE + 1)};

    memset(page(FREE_PAGE + 1), 0x5a, PAGE_SIZE);
    cr_expect_eq(call(__HYPERVISOR_mmuext_op, put(op), 1, 0, DOMID_SELF), 0);
    cr_expect_eq(*(uint8_t *)page(FREE_PAGE), 0x5a);
    cr_expect_eq(ext(MMUEXT_CLEAR_PAGE, page_mfn(FREE_PAGE)), 0);
    cr_expect_eq(*(uint8_t *)page(FREE_PAGE), 0);
    cr_expect_eq(ext(MMUEXT_CLEAR_PAGE, page_mfn(L1_PAGE)), -EINVAL);
    cr_expect_eq(ext(MMUEXT_CLEAR_PAGE, 12), -EINVAL);
    op.arg2.src_mfn = 12;
    cr_expect_eq(call(__HYPERVISOR_mmuext_op, put(op), 1, 0, DOMID_SELF),
                 -EINVAL);
}

Test(pagetable, says_no_to_the_rest_of_mmuext)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT,
                           .arg1.linear_addr = page_va(FREE_PAGE),
                           .arg2.nr_ents = 8193};

    cr_expect_eq(ext(MMUEXT_FLUSH_CACHE, 0), -EACCES);
    cr_expect_eq(ext(MMUEXT_MARK_SUPER, 0), -EOPNOTSUPP);
    cr_expect_eq(ext(14, 0), -ENOSYS);
    cr_expect_eq(call(__HYPERVISOR_mmuext_op, put(op), 1, 0, DOMID_SELF),
                 -EINVAL);
    op.arg2.nr_ents = 8192;
    cr_expect_eq(call(__HYPERVISOR_mmuext_op, put(op), 1, 0, DOMID_SELF), 0);
    cr_expect_eq(vcpu->nr_ldt_entries, 8192);
    cr_expect_eq(call(__HYPERVISOR_mmuext_op, put(op), 1, 0, DOMID_XEN),
                 -EPERM);
}
