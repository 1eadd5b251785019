/* What the kvm engine maps beside a guest, as the CPU will walk it. */
#include <criterion/criterion.h>

#include <string.h>

#include "host/engine/kvm/stub.h"
#include "host/pagetable.h"

#define CPUS 3

static struct memory mem;
static struct stub stub;

static void start(void)
{
    const struct memory_config config = {.ram_pages = 1024, .shared_pages = 33};
    uint64_t end;

    cr_assert_eq(memory_create(&mem, &config), 0);
    end = (mem.first_mfn + mem.nr_frames) << PAGE_SHIFT;
    cr_assert_eq(stub_create(&stub, &mem, CPUS,
                             (end + 0x1fffff) & ~UINT64_C(0x1fffff), true),
                 0);
}

static void stop(void)
{
    stub_destroy(&stub);
    memory_destroy(&mem);
}

TestSuite(stub, .init = start, .fini = stop);

static const uint64_t *table(uint64_t entry)
{
    const uint64_t gpa = entry & PTE_MFN_MASK;

    cr_assert(gpa >= stub.gpa && gpa < stub.gpa + stub.size);
    return (const uint64_t *)stub.pages + (gpa - stub.gpa) / sizeof entry;
}

/* The leaf for (va), with PTE_USER only if all levels have it; 0: none. */
static uint64_t leaf(uint64_t va)
{
    const uint64_t slot = (va >> 39 & 511) - STUB_FIRST_SLOT;
    uint64_t entry = slot < stub.nr_l4 ? stub.l4[slot] : 0;

    for (unsigned shift = 30; entry & PTE_PRESENT; shift -= 9) {
        entry = table(entry)[va >> shift & 511];
        if (shift == 12 || (entry & PTE_PSE))
            break;
    }
    return entry & PTE_PRESENT ? entry : 0;
}

static uint64_t own_va(const void *page)
{
    return STUB_VA + (uint64_t)((const char *)page - (char *)stub.pages);
}

static bool is_entry(uint64_t va)
{
    return va == own_va(stub.pages->syscall) ||
           va == own_va(stub.pages->deputy);
}

Test(stub, ring_3_may_use_its_system_call_entries_and_no_other_page)
{
    for (size_t i = 0; i < 512; i++) {
        const uint64_t va = STUB_VA + i * PAGE_SIZE, entry = leaf(va);

        if (is_entry(va))
            cr_expect_eq(entry & (PTE_USER | PTE_RW | PTE_NX), PTE_USER);
        else
            cr_expect_eq(entry & PTE_USER, 0, "page %zu", i);
    }
}

Test(stub, only_code_can_be_executed_and_it_cannot_be_written)
{
    for (size_t i = 0; i < 512; i++) {
        const uint64_t va = STUB_VA + i * PAGE_SIZE, entry = leaf(va);

        if (va == own_va(stub.pages->code) || is_entry(va))
            cr_expect_eq(entry & (PTE_RW | PTE_NX), 0, "page %zu", i);
        else if (entry)
            cr_expect_neq(entry & PTE_NX, 0, "page %zu", i);
    }
}

Test(stub, the_m2p_is_all_there_and_can_only_be_read)
{
    for (size_t at = 0; at < mem.m2p_size; at += PAGE_SIZE) {
        const uint64_t entry = leaf(STUB_M2P_VA + at);

        cr_expect_eq(entry & PTE_MFN_MASK, stub.m2p_gpa + at);
        cr_expect_eq(entry & (PTE_USER | PTE_RW | PTE_NX), PTE_USER | PTE_NX);
    }
    cr_expect_eq(leaf(STUB_M2P_VA + mem.m2p_size), 0, "and nothing behind it");
}

Test(stub, the_window_shows_all_frames_to_ring_0)
{
    const uint64_t end = stub.gpa + stub.size;

    for (uint64_t at = 0; at < end; at += PAGE_SIZE) {
        const uint64_t entry = leaf(STUB_WINDOW_VA + at);

        cr_expect_eq(entry & PTE_MFN_MASK, at & ~UINT64_C(0x1fffff));
        cr_expect_eq(entry & (PTE_USER | PTE_RW | PTE_NX), PTE_RW | PTE_NX);
    }
}

/* The leaf for (va) of what the deputy sees, as it is in kernels' tables. */
static uint64_t deputy_leaf(uint64_t offset)
{
    const uint64_t kept = stub.l4[0];
    uint64_t entry;

    cr_assert_eq(DEPUTY_VA >> 39 & 511, STUB_LAST_SLOT);
    stub.l4[0] = stub.deputy_l4;
    entry = leaf((UINT64_C(0xffff) << 48 | (uint64_t)STUB_FIRST_SLOT << 39) +
                 offset);
    stub.l4[0] = kept;
    return entry;
}

Test(stub, the_deputy_sees_its_pages_the_records_and_the_frames)
{
    const uint64_t rights = PTE_USER | PTE_RW | PTE_NX;

    for (unsigned i = 0; i < CPUS; i++)
        cr_expect_eq(deputy_leaf(i * PAGE_SIZE),
                     (stub.gpa + own_va(&stub.cpus[i].deputy) - STUB_VA) |
                         rights | PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY);
    cr_expect_eq(deputy_leaf(CPUS * PAGE_SIZE), 0);
    for (uint64_t at = 0; at < stub.frames_size; at += PAGE_SIZE) {
        const uint64_t entry = deputy_leaf(DEPUTY_FRAMES + at);

        cr_expect_eq(entry & PTE_MFN_MASK, stub.frames_gpa + at);
        cr_expect_eq(entry & rights, PTE_USER | PTE_NX, "only to read");
    }
    cr_expect_eq(deputy_leaf(DEPUTY_FRAMES + stub.frames_size), 0);
    for (uint64_t at = 0; at < stub.gpa; at += PAGE_SIZE)
        cr_expect_eq(deputy_leaf(DEPUTY_WINDOW + at) & (PTE_MFN_MASK | rights),
                     (at & ~UINT64_C(0x1fffff)) | rights);
    cr_expect_eq(deputy_leaf(DEPUTY_WINDOW + stub.gpa), 0, "nothing of ours");
}

Test(stub, the_deputy_is_shown_where_vcpu_info_is)
{
    cr_expect(stub_show_info(&stub, 1, 0x123));
    cr_expect_eq(deputy_leaf(DEPUTY_INFO + PAGE_SIZE) & PTE_MFN_MASK, 0x123000);
    cr_expect_not(stub_show_info(&stub, 1, 0x123), "it is there");
    cr_expect(stub_show_info(&stub, 1, 0x124));
    cr_expect_eq(deputy_leaf(DEPUTY_INFO), 0, "of another vCPU");
}

Test(stub, the_deputy_is_in_kernels_tables_alone)
{
    uint64_t l4[512] = {0};

    cr_expect_eq(stub_install(&stub, l4, STUB_KERNEL), 0, "nothing was there");
    cr_expect_eq(l4[STUB_LAST_SLOT], stub.deputy_l4);
    cr_expect_eq(l4[STUB_FIRST_SLOT - 1] | l4[STUB_LAST_SLOT + 1], 0);
    cr_expect_eq(stub_install(&stub, l4, STUB_KERNEL), 0, "it is there");
    cr_expect_eq(stub_install(&stub, l4, STUB_BOTH), 1 << 15,
                 "the same, used by programs now");
    cr_expect_eq(l4[STUB_LAST_SLOT], 0);
    cr_expect_eq(memcmp(l4 + STUB_FIRST_SLOT, stub.l4, stub.nr_l4 * sizeof *l4),
                 0);
}

Test(stub, the_m2p_is_not_for_programs)
{
    uint64_t l4[512] = {0};

    stub_install(&stub, l4, STUB_BOTH);
    cr_expect_neq(l4[258], 0);
    cr_expect_eq(stub_install(&stub, l4, STUB_USER), 1 << 0 | 1 << 2);
    cr_expect_eq(l4[256] | l4[258], 0);
    cr_expect_eq(l4[257], stub.l4[1]);
    cr_expect_eq(stub_install(&stub, l4, STUB_KERNEL), 0);
    cr_expect_eq(l4[258], stub.l4[2]);
}

Test(stub, each_vector_enters_at_its_own_place)
{
    for (unsigned i = 0; i < 256; i++) {
        const uint64_t *gate = &stub.pages->idt[2 * i];
        const uint64_t va =
            (gate[0] & 0xffff) | (gate[0] >> 48) << 16 | gate[1] << 32;
        const uint8_t *code = stub.pages->code;

        cr_expect_eq(gate[0] >> 16 & 0xffff, STUB_CS);
        cr_expect_eq(gate[0] >> 45 & 3, i == 3 || i == 4 ? 3 : 0, "%u", i);
        cr_expect_eq(va, own_va(code) + i * STUB_VECTOR_SIZE);
        cr_expect_eq(code[i * STUB_VECTOR_SIZE], 0xe6, "out");
        cr_expect_eq(code[i * STUB_VECTOR_SIZE + 1], STUB_PORT);
    }
}

Test(stub, one_port_is_open)
{
    uint16_t bitmap;

    memcpy(&bitmap, stub.cpus[0].tss + 102, sizeof bitmap);
    for (unsigned port = 0; port < 0x80; port++)
        cr_expect_eq(stub.cpus[0].tss[bitmap + port / 8] >> port % 8 & 1,
                     port != STUB_PORT, "port %u", port);
}

/* Only sizes matter, so these guests are none. */
Test(stub, large_guests_have_room_for_their_tables)
{
    const uint64_t gib = UINT64_C(1) << 30;
    const uint64_t sizes[] = {gib, 3 * gib, 64 * gib, 600 * gib};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct memory large = {.m2p_size = sizes[i] / 512};
        struct stub small = stub;

        cr_assert_eq(stub_create(&stub, &large, CPUS, sizes[i], false), 0);
        cr_expect_leq(stub.next_table * PAGE_SIZE, stub.size);
        cr_expect_leq(stub.gpa + stub.size, stub.m2p_gpa);
        cr_expect_neq(leaf(STUB_WINDOW_VA + stub.m2p_gpa - 1), 0);
        stub_destroy(&stub);
        stub = small;
    }
}

/* A port is open where its bit is clear, unless the TSS ends before it. */
Test(stub, every_port_but_its_own_is_closed)
{
    const uint8_t *tss = stub.cpus[0].tss;
    uint16_t bitmap;

    memcpy(&bitmap, tss + 102, sizeof bitmap);
    cr_assert_leq(bitmap, STUB_TSS_LIMIT);
    for (unsigned port = 0; port < 0x10000; port++) {
        const unsigned at = bitmap + port / 8u;
        const bool open =
            at + 1 <= STUB_TSS_LIMIT && !(tss[at] >> port % 8 & 1);

        cr_expect_eq(open, port == STUB_PORT, "port %#x", port);
    }
    /* the CPU reads two bytes for each port */
    cr_expect_eq(tss[STUB_TSS_LIMIT], 0xff);
}
