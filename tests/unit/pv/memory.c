/* Page faults that are settled: the M2P table's address, stores to tables. */
#include <criterion/criterion.h>

#include "host/pagetable.h"
#include "host/pv/bounce.h"
#include "host/pv/emulate.h"
#include "tests/harness/fake_domain.h"

#define M2P    UINT64_C(0xffff800000000000)
#define DENIED 3 /* a write to a page that is there */

static uint64_t handler = 0x401000;

static void start(void)
{
    fake_create();
    fake_engine(0, UINT64_C(1) << 40);
    vcpu->traps[14].address = handler;
    vcpu->regs = (struct regs){
        .rsp = page_va(FREE_PAGE + 1), .cs = FLAT_KERNEL_CS, .rflags = 0x202};
    dom->vm_assist = 1 << VMASST_TYPE_writable_pagetables;
}

TestSuite(emulate_memory, .init = start, .fini = fake_destroy);

/* The instruction at RIP faulted at (va) with (error). */
static bool fault(const char *bytes, size_t len, uint64_t va, uint32_t error)
{
    const struct trap trap = {
        .vector = 14, .has_error = true, .error = error, .cr2 = va};

    memcpy(page(FREE_PAGE), bytes, len);
    vcpu->regs.rip = page_va(FREE_PAGE);
    return emulate(vcpu, &trap);
}

#define FAULT(code, va, error) fault(code, sizeof(code) - 1, va, error)

static bool went_on(size_t length)
{
    return vcpu->regs.rip == page_va(FREE_PAGE) + length;
}

static uint64_t m2p_of(unsigned index)
{
    return M2P + page_mfn(index) * sizeof(uint64_t);
}

Test(emulate_memory, the_m2p_table_is_at_its_own_address)
{
    vcpu->regs.rbx = m2p_of(20);
    vcpu->regs.rax = UINT64_MAX;
    cr_expect(FAULT("\x48\x8b\x03", m2p_of(20), 0)); /* mov (%rbx),%rax */
    cr_expect(went_on(3));
    cr_expect_eq(vcpu->regs.rax, 20);
    vcpu->regs.rcx = UINT64_MAX;
    cr_expect(FAULT("\x8b\x0b", m2p_of(20), 9)); /* mov (%rbx),%ecx */
    cr_expect_eq(vcpu->regs.rcx, 20,
                 "the reserved bit of one KVM is no matter");
    cr_expect(FAULT("\x48\x83\x3b\x14", m2p_of(20), 0)); /* cmpq $20,(%rbx) */
    cr_expect(went_on(4));
    cr_expect(vcpu->regs.rflags & 0x40);
}

Test(emulate_memory, where_the_table_ends_is_nothing)
{
    const uint64_t end = M2P + dom->mem.m2p_size;

    vcpu->regs.rbx = end - 4;
    cr_expect(FAULT("\x48\x8b\x03", end - 4, 0), "half in it");
    cr_expect_eq(vcpu->regs.rip, handler);
    cr_expect(FAULT("\x48\x8b\x03", end, 9));
    cr_expect_eq(vcpu->regs.rip, handler);
    cr_expect_eq(vcpu->cr2, end);
}

Test(emulate_memory, the_table_is_read_only_and_what_reads_it_is_plain)
{
    vcpu->regs.rbx = m2p_of(20);
    cr_expect(FAULT("\x48\x89\x03", m2p_of(20), 2)); /* mov %rax,(%rbx) */
    cr_expect_eq(vcpu->regs.rip, handler);
    cr_expect_eq(vcpu->cr2, m2p_of(20));
    cr_expect(FAULT("\xf3\x0f\x6f\x03", m2p_of(20), 0)); /* movdqu */
    cr_expect_eq(vcpu->regs.rip, handler);
    cr_expect_eq(memory_pfn(&dom->mem, page_mfn(20)), 20);
}

Test(emulate_memory, a_copy_out_of_it_can_fault_at_its_other_end)
{
    vcpu->regs.rsi = m2p_of(20);
    vcpu->regs.rdi = NOWHERE;
    cr_expect(FAULT("\x48\xa5", m2p_of(20), 0)); /* movsq */
    cr_expect_eq(vcpu->regs.rip, handler);
    cr_expect_eq(vcpu->cr2, NOWHERE);
    cr_expect_eq(vcpu->regs.rsi, m2p_of(20), "nothing was done");
}

static uint64_t *entry_of(unsigned index)
{
    return (uint64_t *)page(L1_PAGE) + index;
}

static uint64_t entry_va(unsigned index)
{
    return page_va(L1_PAGE) + 8ul * index;
}

Test(emulate_memory, a_store_to_an_l1_is_an_update)
{
    const uint64_t was = *entry_of(40);

    vcpu->regs.rbx = entry_va(40);
    vcpu->regs.rax = 0;
    cr_expect(FAULT("\x48\x87\x03", entry_va(40), DENIED)); /* xchg */
    cr_expect(went_on(3));
    cr_expect_eq(vcpu->regs.rax, was);
    cr_expect_eq(*entry_of(40), 0);
    cr_expect_eq(account.invalidations, 1);
    cr_expect_eq(dom->mem.frames[40].uses, 0, "the mapping's use is gone");
    cr_expect(FAULT("\x48\x89\x03", entry_va(40), DENIED)); /* mov */
    cr_expect_eq(*entry_of(40) & PTE_MFN_MASK, was & PTE_MFN_MASK);
    cr_expect_eq(dom->mem.frames[40].uses, 1);
    /* lock btrl $1,(%rbx) */
    cr_expect(FAULT("\xf0\x0f\xba\x33\x01", entry_va(40), DENIED));
    cr_expect_not(*entry_of(40) & PTE_RW);
    cr_expect(vcpu->regs.rflags & 1);
    cr_expect_eq(dom->mem.frames[40].uses, 0);
}

Test(emulate_memory, a_table_can_be_cleared_by_a_string)
{
    vcpu->regs.rdi = entry_va(40);
    vcpu->regs.rcx = 8;
    cr_expect(FAULT("\xf3\x48\xab", entry_va(40), DENIED)); /* rep stosq */
    cr_expect(went_on(3));
    for (unsigned i = 40; i < 48; i++)
        cr_expect_eq(*entry_of(i), 0);
    cr_expect_neq(*entry_of(48), 0);
}

Test(emulate_memory, what_mmu_update_would_refuse_is_a_fault)
{
    const uint64_t was = *entry_of(40);

    vcpu->regs.rbx = entry_va(40);
    vcpu->regs.rax = page_mfn(L2_PAGE) << PAGE_SHIFT | PTE_PRESENT | PTE_RW;
    cr_expect(FAULT("\x48\x89\x03", entry_va(40), DENIED));
    cr_expect_eq(vcpu->regs.rip, handler);
    cr_expect_eq(vcpu->cr2, entry_va(40));
    cr_expect_eq(*entry_of(40), was);
    vcpu->regs.rbx = entry_va(40) + 4;
    cr_expect(FAULT("\x48\x89\x03", entry_va(40) + 4, DENIED), "unaligned");
    cr_expect_eq(*entry_of(40), was);
}

Test(emulate_memory, other_read_only_pages_are_none_of_it)
{
    vcpu->regs.rbx = page_va(L2_PAGE);
    cr_expect_not(FAULT("\x48\x89\x03", page_va(L2_PAGE), DENIED), "an L2");
    vcpu->regs.rbx = entry_va(40);
    cr_expect_not(FAULT("\x0f\x29\x03", entry_va(40), DENIED), "a vector");
    cr_expect_not(FAULT("\x48\x89\x03", entry_va(40), 1), "no write");
    dom->vm_assist = 0;
    cr_expect_not(FAULT("\x48\x89\x03", entry_va(40), DENIED), "no assist");
    cr_expect_not(FAULT("\x48\x89\x03", NOWHERE, 2), "nothing there");
}
