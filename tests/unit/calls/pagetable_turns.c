/* Whole trees of tables, taken and put by turns while another vCPU runs. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <criterion/criterion.h>
#include <xen/vcpu.h>

#include "host/pagetable.h"
#include "tests/harness/fake_domain.h"

#define ENTRIES  512
#define ENTRY    (PTE_PRESENT | PTE_USER)
#define UPPER    (ENTRY | PTE_RW)
#define NR_L1    20                      /* and an L2: two turns and a half */
#define TREE     BARE_PAGE               /* the L2, and its L1s behind it */
#define OTHER    (TREE + 1 + NR_L1)      /* free for the second vCPU */
#define NR_BARE  (RAM_PAGES - BARE_PAGE) /* of these the storm is made */
#define PER_TURN 8

static ucontext_t contexts[2];
static char stack[256 * 1024];
static unsigned running; /* whose turn it is */
static bool second_runs; /* it has something to do */
static void (*second_does)(void);

static struct vcpu *one(unsigned id)
{
    return &dom->vcpus[id];
}

static void change_turns(struct vcpu *worker)
{
    const unsigned from = running;

    (void)worker;
    if (!second_runs)
        return;
    running = !from;
    swapcontext(&contexts[from], &contexts[!from]);
}

static void second_main(void)
{
    second_does();
    second_runs = false;
    running = 0;
}

/* From the next turn on, the second vCPU does (what). */
static void let_second(void (*what)(void))
{
    getcontext(&contexts[1]);
    contexts[1].uc_stack.ss_sp = stack;
    contexts[1].uc_stack.ss_size = sizeof stack;
    contexts[1].uc_link = &contexts[0];
    makecontext(&contexts[1], second_main, 0);
    second_does = what;
    second_runs = true;
}

static uint64_t pte(unsigned index, uint64_t flags)
{
    return page_mfn(index) << PAGE_SHIFT | flags;
}

static struct frame *record(unsigned index)
{
    return memory_record(&dom->mem, page_mfn(index));
}

static long ext(unsigned id, unsigned cmd, unsigned index)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = page_mfn(index)};

    memcpy(page(ARGS_PAGE + id), &op, sizeof op);
    return domain_hypercall(
        one(id), __HYPERVISOR_mmuext_op,
        (const uint64_t[5]){page_va(ARGS_PAGE + id), 1, 0, DOMID_SELF});
}

static long update(unsigned id, unsigned table, unsigned slot, uint64_t val)
{
    struct mmu_update req = {
        (page_mfn(table) << PAGE_SHIFT) + slot * sizeof(uint64_t), val};

    memcpy(page(ARGS_PAGE + id), &req, sizeof req);
    return domain_hypercall(
        one(id), __HYPERVISOR_mmu_update,
        (const uint64_t[5]){page_va(ARGS_PAGE + id), 1, 0, DOMID_SELF});
}

static void put_entry(unsigned table, unsigned slot, uint64_t val)
{
    ((uint64_t *)page(table))[slot] = val;
}

static void make_tree(void)
{
    for (unsigned i = 0; i < NR_L1; i++) {
        put_entry(TREE, i, pte(TREE + 1 + i, UPPER));
        put_entry(TREE + 1 + i, 3, pte(FREE_PAGE, ENTRY));
    }
}

static void create(void)
{
    fake_create();
    fake_engine(0x10000, UINT64_C(1) << 47);
    dom->nr_vcpus = 2;
    vcpu_create(one(1), dom, 1);
    one(1)->up = one(1)->initialised = true;
    one(1)->cr3 = page_mfn(L4_PAGE);
    cr_assert_eq(pagetable_use(one(1), page_mfn(L4_PAGE)), 0);
    make_tree();
    running = 0;
    second_runs = false;
    while_working = change_turns;
}

TestSuite(pagetable_turns, .init = create, .fini = fake_destroy);

static uint32_t expected[RAM_PAGES];

/* A table above level 1 that refers to itself costs nothing. */
static void recount_table(unsigned index)
{
    const unsigned level = record(index)->type;

    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t val = ((const uint64_t *)page(index))[i];
        mfn_t mfn = (val & PTE_MFN_MASK) >> PAGE_SHIFT;

        if ((val & PTE_PRESENT) &&
            (level > 1 ? mfn != page_mfn(index) : (val & PTE_RW) != 0))
            expected[memory_index(&dom->mem, mfn)]++;
    }
}

/* Each frame has the uses that the tables in use, the pins and bases make. */
static void recount(void)
{
    memset(expected, 0, sizeof expected);
    for (unsigned i = 0; i < 2; i++) {
        expected[memory_index(&dom->mem, one(i)->cr3)]++;
        if (one(i)->cr3_user)
            expected[memory_index(&dom->mem, one(i)->cr3_user)]++;
    }
    for (unsigned i = 0; i < RAM_PAGES; i++) {
        const struct frame *frame = record(i);

        cr_assert(!frame->changing && !frame->linking);
        expected[i] += frame->pinned;
        if (frame->uses && frame->type >= TYPE_L1 && frame->type <= TYPE_L4)
            recount_table(i);
    }
    for (unsigned i = 0; i < RAM_PAGES; i++)
        cr_assert_eq(record(i)->uses, expected[i], "frame %u: %u uses, not %u",
                     i, record(i)->uses, expected[i]);
}

static void finish_second(void)
{
    while (second_runs)
        change_turns(vcpu);
}

Test(pagetable_turns, come_after_some_tables)
{
    cr_expect_eq(ext(0, MMUEXT_PIN_L2_TABLE, TREE), 0);
    cr_expect_eq(account.works, (NR_L1 + 1) / PER_TURN);
    account.works = vcpu->nr_tables = 0;
    cr_expect_eq(ext(0, MMUEXT_UNPIN_TABLE, TREE), 0);
    cr_expect_eq(account.works, (NR_L1 + 1) / PER_TURN);
    recount();
}

/* What Xen says of a table that is half validated or half taken apart. */
static void try_everything(void)
{
    cr_expect(record(TREE)->changing);
    cr_expect_eq(record(TREE)->uses, 1);
    cr_expect_eq(update(1, TREE, NR_L1, pte(OTHER, UPPER)), -EINVAL);
    cr_expect_eq(update(1, TREE, 0, 0), -EINVAL);
    cr_expect_eq(ext(1, MMUEXT_UNPIN_TABLE, TREE), -EINVAL);
    cr_expect_eq(ext(1, MMUEXT_PIN_L1_TABLE, TREE), -EINVAL);
    cr_expect_eq(ext(1, MMUEXT_PIN_L3_TABLE, TREE), -EINVAL);
    cr_expect_eq(ext(1, MMUEXT_CLEAR_PAGE, TREE), -EINVAL);
    cr_expect_eq(update(1, L1_PAGE, FREE_PAGE + 1, pte(TREE, UPPER)), -EBUSY);
    cr_expect_eq(update(1, L1_PAGE, FREE_PAGE + 1, pte(TREE, ENTRY)), 0);
    cr_expect_eq(memory_release(&dom->mem, page_mfn(TREE)), -EBUSY);
    cr_expect_eq(domain_hypercall(one(1), __HYPERVISOR_vcpu_op,
                                  (const uint64_t[5]){VCPUOP_send_nmi, 0}),
                 0);
}

Test(pagetable_turns, are_another_vcpus)
{
    let_second(try_everything);
    cr_expect_eq(ext(0, MMUEXT_PIN_L2_TABLE, TREE), 0);
    cr_expect_not(second_runs);
    cr_expect(vcpu->nmi_pending, "served before the pin was done");
    cr_expect_eq(record(TREE)->uses, 1);
    recount();

    let_second(try_everything);
    cr_expect_eq(ext(0, MMUEXT_UNPIN_TABLE, TREE), 0);
    cr_expect_not(second_runs);
    cr_expect_eq(record(TREE)->uses, 0);
    recount();
}

static void pin_it_too(void)
{
    cr_expect(record(TREE)->changing);
    cr_expect_eq(ext(1, MMUEXT_PIN_L2_TABLE, TREE), -EINVAL);
}

static void refer_to_it(void)
{
    cr_expect(record(TREE)->changing);
    put_entry(OTHER, 7, pte(TREE, UPPER));
    cr_expect_eq(ext(1, MMUEXT_PIN_L3_TABLE, OTHER), 0);
}

Test(pagetable_turns, who_wants_the_same_table_waits)
{
    let_second(pin_it_too);
    cr_expect_eq(ext(0, MMUEXT_PIN_L2_TABLE, TREE), 0);
    finish_second();
    cr_expect_eq(record(TREE)->uses, 1, "pinned once");
    recount();

    let_second(refer_to_it);
    cr_expect_eq(ext(0, MMUEXT_UNPIN_TABLE, TREE), 0);
    finish_second();
    cr_expect_eq(record(TREE)->uses, 1, "validated anew");
    recount();
}

static void break_the_last(void)
{
    put_entry(TREE + NR_L1, 5, pte(TREE, UPPER));
}

Test(pagetable_turns, a_tree_that_turns_out_bad_is_undone)
{
    let_second(break_the_last);
    cr_expect_eq(ext(0, MMUEXT_PIN_L2_TABLE, TREE), -EBUSY);
    finish_second();
    for (unsigned i = 0; i <= NR_L1; i++)
        cr_expect_eq(record(TREE + i)->uses, 0);
    recount();
}

static void destroy_it(void)
{
    domain_end(dom, DOMAIN_DESTROYED);
}

Test(pagetable_turns, end_with_the_domain)
{
    let_second(destroy_it);
    cr_expect_eq(ext(0, MMUEXT_PIN_L2_TABLE, TREE), -EINTR);
    finish_second();
    recount();
}

static void write_the_entry(void)
{
    cr_expect_eq(update(1, OTHER, 0, pte(OTHER + 1, UPPER)), 0);
    cr_expect_eq(ext(1, MMUEXT_UNPIN_TABLE, OTHER), 0);
}

/* An entry that another writes too, in a table that is gone afterwards. */
Test(pagetable_turns, an_entry_can_be_written_twice_at_once)
{
    cr_expect_eq(ext(0, MMUEXT_PIN_L3_TABLE, OTHER), 0);
    let_second(write_the_entry);
    cr_expect_eq(update(0, OTHER, 0, pte(TREE, UPPER)), 0);
    finish_second();
    cr_expect_eq(record(OTHER)->uses, 0);
    cr_expect_eq(record(TREE)->uses, 0);
    cr_expect_eq(record(OTHER + 1)->uses, 0);
    recount();
}

static unsigned pick(unsigned nr)
{
    return (unsigned)rand() % nr;
}

static void storm_by(unsigned id)
{
    const unsigned a = BARE_PAGE + pick(NR_BARE), b = BARE_PAGE + pick(NR_BARE);

    switch (pick(8)) {
    case 0:
    case 1:
    case 2:
        ext(id, MMUEXT_PIN_L1_TABLE + pick(4), a);
        break;
    case 3:
        ext(id, MMUEXT_UNPIN_TABLE, a);
        break;
    case 4:
        ext(id, pick(2) ? MMUEXT_NEW_USER_BASEPTR : MMUEXT_CLEAR_PAGE, a);
        break;
    case 5:
        update(id, a, pick(8), 0);
        break;
    default:
        update(id, a, pick(8), pte(b, pick(2) ? UPPER : ENTRY));
    }
}

static void storm(void)
{
    for (unsigned i = 0; i < 200; i++)
        storm_by(1);
}

/* Entries that make deep trees and loops, few frames, and both vCPUs at it. */
Test(pagetable_turns, a_storm_leaves_the_counts_right)
{
    unsigned turns = 0;

    srand(4711);
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = BARE_PAGE; i < RAM_PAGES; i++)
            for (unsigned slot = 0; slot < 6 && !record(i)->uses; slot++)
                put_entry(i, slot,
                          pte(i + 1 < RAM_PAGES
                                  ? i + 1 + pick(RAM_PAGES - i - 1)
                                  : FREE_PAGE,
                              pick(4) ? UPPER : ENTRY) &
                              (pick(3) ? UINT64_MAX : 0));
        account.works = 0;
        let_second(storm);
        for (unsigned i = 0; i < 200; i++)
            storm_by(0);
        finish_second();
        turns += account.works;
        recount();
        for (unsigned i = BARE_PAGE; i < RAM_PAGES; i++)
            ext(0, MMUEXT_UNPIN_TABLE, i);
        recount();
    }
    cr_expect_gt(turns, 100);
}

/* Only who may still write to the page forgets, once for many pages. */
Test(pagetable_turns, a_table_is_writable_by_no_old_translation)
{
    const uint64_t rw = pte(TREE, UPPER), ro = pte(TREE, ENTRY);

    for (unsigned i = 0; i < 2; i++) {
        update(0, L1_PAGE, FREE_PAGE + i, rw);
        update(0, L1_PAGE, FREE_PAGE + i, ro);
    }
    account.flushes = 0;
    cr_expect_eq(ext(0, MMUEXT_PIN_L2_TABLE, TREE), 0);
    cr_expect_eq(account.flushes, 2);
    cr_expect_eq(ext(0, MMUEXT_UNPIN_TABLE, TREE), 0);
    cr_expect_eq(ext(0, MMUEXT_PIN_L2_TABLE, TREE), 0);
    cr_expect_eq(account.flushes, 2, "it was not writable since");
    cr_expect_eq(ext(0, MMUEXT_UNPIN_TABLE, TREE), 0);

    update(0, L1_PAGE, FREE_PAGE, rw);
    update(0, L1_PAGE, FREE_PAGE, ro);
    cr_expect_eq(ext(1, MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    account.flushes = 0;
    cr_expect_eq(ext(0, MMUEXT_PIN_L2_TABLE, TREE), 0);
    cr_expect_eq(account.flushes, 1, "the second did already");
    cr_expect_eq(ext(0, MMUEXT_UNPIN_TABLE, TREE), 0);

    dom->nr_vcpus = 1;
    update(0, L1_PAGE, FREE_PAGE, rw);
    update(0, L1_PAGE, FREE_PAGE, ro);
    account.flushes = 0;
    cr_expect_eq(ext(0, MMUEXT_PIN_L2_TABLE, TREE), 0);
    cr_expect_eq(account.flushes, 0, "it is alone");
}
