/*
 * mmu_update by a plain SYSCALL, one entry at a time, as kernels without a
 * hypercall page make it for each page that they show a program: whatever path
 * it takes here, it answers and does what the call through the page does, and
 * registers come back as they were. Once by an instruction of the image, and
 * once by one in the upper half, where such kernels live.
 */
#include "verdict.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <hypercall/calls.h>
#include <xen/memory.h>

#include "tables.h"

#define PTE_PRESENT 0x001ul
#define PTE_RW      0x002ul
#define PTE_USER    0x004ul
#define PTE_GLOBAL  0x100ul
#define PTE_TABLE   0x027ul
#define PTE_SEEN    0x021ul /* accessed, and not writable */
#define PTE_NX      0x8000000000000000ul
#define READ_ONLY   (PTE_PRESENT | PTE_USER)

#define RFLAGS_CF 0x001ul
#define RFLAGS_DF 0x400ul

#define L2_SPAN (2ul << 20)
#define UPPER   0xffffffff80000000ul
#define ROUNDS  40

/* Its tables are the builder's. */
static uint64_t ground[NR_ENTRIES] __attribute__((aligned(4096)));

static uint64_t *table, *page;

/* Code that makes the call and returns. */
static uint64_t caller;
extern const char low_caller[], low_caller_end[];
__asm__(".text\n"
        "low_caller:\n\t"
        "syscall\n\t"
        "ret\n"
        "low_caller_end:\n");

static struct {
    uint64_t rdi, rsi, rdx, r8, r9, r10, flags;
} after;

/* (set_flags) is RFLAGS_CF or RFLAGS_DF or nothing. */
static long update_at(uint64_t req, uint64_t set_flags)
{
    register uint64_t r8 __asm__("r8") = 0x88;
    register uint64_t r9 __asm__("r9") = 0x99;
    register uint64_t r10 __asm__("r10") = DOMID_SELF;
    uint64_t rax = __HYPERVISOR_mmu_update, rdi = req, rsi = 1, rdx = 0;
    uint64_t flags = set_flags | 2;

    __asm__ volatile("push %7; popf; call *%8; pushf; cld; pop %7"
                     : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r8),
                       "+r"(r9), "+r"(r10), "+b"(flags)
                     : "r"(caller)
                     : "rcx", "r11", "memory", "cc");
    after.rdi = rdi;
    after.rsi = rsi;
    after.rdx = rdx;
    after.r8 = r8;
    after.r9 = r9;
    after.r10 = r10;
    after.flags = flags;
    return (long)rax;
}

static bool registers_are_kept(uint64_t req)
{
    return after.rdi == req && after.rsi == 1 && after.rdx == 0 &&
           after.r8 == 0x88 && after.r9 == 0x99 && after.r10 == DOMID_SELF;
}

static long update(uint64_t ptr, uint64_t val)
{
    const struct mmu_update req = {.ptr = ptr, .val = val};
    const long rc = update_at((uintptr_t)&req, 0);

    return registers_are_kept((uintptr_t)&req) ? rc : 1;
}

static long update_by_page(uint64_t ptr, uint64_t val)
{
    const struct mmu_update req = {.ptr = ptr, .val = val};

    return hypercall_mmu_update(&req, 1, NULL, DOMID_SELF);
}

static uint64_t slot_at(unsigned slot)
{
    return (page_mfn(table) << PAGE_SHIFT) + slot * sizeof *table;
}

static uint64_t pte(const void *what, uint64_t flags)
{
    return page_mfn(what) << PAGE_SHIFT | flags;
}

static uint64_t read_slot(unsigned slot)
{
    return ((volatile uint64_t *)table)[slot];
}

static bool map(const void *what, uint64_t flags)
{
    return hypercall_update_va_mapping((uintptr_t)what, pte(what, flags),
                                       UVMF_INVLPG) == 0;
}

static bool extend(unsigned cmd)
{
    const struct mmuext_op op = {.cmd = cmd, .arg1.mfn = page_mfn(table)};

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF) == 0;
}

static bool clear(unsigned from, unsigned nr)
{
    static struct mmu_update reqs[NR_ENTRIES];

    for (unsigned i = 0; i < nr; i++)
        reqs[i] = (struct mmu_update){.ptr = slot_at(from + i)};
    return hypercall_mmu_update(reqs, nr, NULL, DOMID_SELF) == 0;
}

static void a_page_to_be_read(void)
{
    const struct mmu_update req = {slot_at(0), pte(page, READ_ONLY)};

    promise(update_at((uintptr_t)&req, 0) == 0 &&
                read_slot(0) == pte(page, READ_ONLY | PTE_GLOBAL),
            "an empty entry can be written, and says what Xen makes of it");
    promise(registers_are_kept((uintptr_t)&req) &&
                !(after.flags & (RFLAGS_CF | RFLAGS_DF)),
            "no register is another afterwards");
    clear(0, 1);
    promise(update_at((uintptr_t)&req, RFLAGS_CF) == 0 &&
                (after.flags & (RFLAGS_CF | RFLAGS_DF)) == RFLAGS_CF,
            "nor are the flags");
    clear(0, 1);
    promise(update_at((uintptr_t)&req, RFLAGS_DF) == 0 &&
                (after.flags & (RFLAGS_CF | RFLAGS_DF)) == RFLAGS_DF &&
                registers_are_kept((uintptr_t)&req),
            "not even that for strings");
    promise(update(req.ptr, req.val) == 0, "it can be written again");
    promise(update(req.ptr, 0) == 0 && read_slot(0) == 0, "and emptied");
    promise(update_at(0x7ffffffff000, 0) == -EFAULT,
            "a request that is nowhere is told");
}

/* Each is tried in two entries, in both ways; the same comes of it. */
static void whatever_it_says(void)
{
    static const uint64_t flags[] = {0,
                                     PTE_PRESENT,
                                     READ_ONLY,
                                     READ_ONLY | PTE_RW,
                                     0x00d,
                                     0x015,
                                     0x025,
                                     0x045,
                                     0x065,
                                     0x085,
                                     READ_ONLY | PTE_GLOBAL,
                                     0xe05,
                                     0x067,
                                     READ_ONLY | PTE_NX,
                                     READ_ONLY | 1ul << 52,
                                     0x7fful << 52 | READ_ONLY};
    const uint64_t frames[] = {page_mfn(page),
                               page_mfn(table),
                               page_mfn(ground),
                               0,
                               1,
                               0xffffffffff,
                               0xfffffffffe,
                               0x8000000000,
                               page_mfn(page) + 1,
                               UINT64_C(1) << 26};
    static const unsigned commands[] = {0, 2, 3, 4, 5, 7};
    unsigned wrong = 0;

    for (size_t f = 0; f < sizeof frames / sizeof *frames; f++)
        for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
            for (size_t c = 0; c < sizeof commands / sizeof *commands; c++) {
                const uint64_t val = frames[f] << PAGE_SHIFT | flags[i];
                const long one = update(slot_at(8) | commands[c], val);
                const long other =
                    update_by_page(slot_at(9) | commands[c], val);

                if (one != other || read_slot(8) != read_slot(9)) {
                    printf("# 0x%lx by %u: %ld and 0x%lx, not %ld and 0x%lx\n",
                           val, commands[c], one, read_slot(8), other,
                           read_slot(9));
                    wrong++;
                }
                clear(8, 2);
            }
    promise(wrong == 0, "any other entry is what it is by the page");
}

/* The same of where the entry is. */
static void wherever_it_is(void)
{
    const uint64_t at[] = {page_mfn(page), page_mfn(ground), 0,        1,
                           0xffffffffff,   0xfffffffffffff,  1ul << 26};
    const uint64_t val = pte(page, READ_ONLY);
    unsigned wrong = 0;

    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        for (unsigned by = 0; by < 2; by++) {
            const uint64_t ptr = at[i] << PAGE_SHIFT | (by ? 0xff8 : 0);

            wrong += update(ptr, val) != update_by_page(ptr, val);
        }
    promise(wrong == 0, "and so is an entry anywhere else");
}

static void what_it_shows(void)
{
    const unsigned slot = (unsigned)((uintptr_t)ground / L2_SPAN % NR_ENTRIES);
    volatile uint64_t *entry = entry_of(ground, 2);
    unsigned free_slot = slot + 1;
    volatile const uint64_t *shown;
    uint64_t l2;

    while (free_slot < NR_ENTRIES - 1 && entry[free_slot - slot])
        free_slot++;
    shown = (const uint64_t *)(((uintptr_t)ground & ~(L2_SPAN - 1)) +
                               (free_slot - slot) * L2_SPAN + 5 * PAGE_SIZE);
    l2 = (*entry_of(ground, 3) & PTE_FRAME) + free_slot * sizeof l2;
    /* which takes turns: what comes back in registers is Xen's affair */
    promise(update_by_page(l2, pte(table, PTE_TABLE)) == 0,
            "a table can be linked");
    for (unsigned i = 0; i < 16; i++)
        if (update(slot_at(i), pte(i == 5 ? page : ground, READ_ONLY)))
            promise(false, "its pages can be shown, one by one");
    promise(*shown == page[0], "what an entry shows is read at once");
    promise(update_by_page(l2, 0) == 0, "and the table taken away again");
    clear(0, 16);
}

/* Ticks come between, and find each of its instructions now and then. */
static void again_and_again(void)
{
    unsigned wrong = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < NR_ENTRIES; i++)
            wrong += update(slot_at(i), pte(page, READ_ONLY)) != 0;
        for (unsigned i = 0; i < NR_ENTRIES; i++)
            wrong += read_slot(i) != pte(page, READ_ONLY | PTE_GLOBAL);
        wrong += !clear(0, NR_ENTRIES);
    }
    promise(wrong == 0, "time and again");
}

/* Not a table any more, it is a page like others. */
static void of_no_table(void)
{
    update(slot_at(3), pte(page, READ_ONLY));
    promise(extend(MMUEXT_UNPIN_TABLE), "it can be unpinned with entries");
    promise(update(slot_at(4), pte(page, READ_ONLY)) == 0 &&
                read_slot(4) == pte(page, READ_ONLY),
            "then an update is a plain store");
    promise(map(table, PTE_TABLE | 0x40), "and it can be written again");
    table[3] = table[4] = 0;
    promise(update(slot_at(3), 7) == 0 && read_slot(3) == 7,
            "by an update as well");
}

static void *link_table(uint64_t *above, unsigned slot)
{
    uint64_t *below = page_alloc_zeroed(1);

    above[slot] = pte(below, PTE_TABLE);
    return below;
}

/* Who shows the M2P table in the lower half has no other for guests. */
static bool has_upper_half(void)
{
    struct xen_machphys_mapping m2p = {0};

    return hypercall_memory_op(XENMEM_machphys_mapping, &m2p) == 0 &&
           m2p.v_start >> 63;
}

/* The code at UPPER. */
static bool go_up(void)
{
    const unsigned last = NR_ENTRIES - 1;
    uint64_t *l3 = page_alloc_zeroed(1);
    uint64_t *l2 = link_table(l3, last - 1);
    uint64_t *l1 = link_table(l2, 0);
    char *code = link_table(l1, 0);

    memcpy(code, low_caller, (size_t)(low_caller_end - low_caller));
    l1[0] = pte(code, READ_ONLY);
    caller = UPPER;
    return map(l3, READ_ONLY | PTE_SEEN) && map(l2, READ_ONLY | PTE_SEEN) &&
           map(l1, READ_ONLY | PTE_SEEN) &&
           update_by_page(
               (page_mfn((void *)guest_start_info->pt_base) << PAGE_SHIFT) +
                   last * sizeof *l3,
               pte(l3, PTE_TABLE)) == 0;
}

static void all(void)
{
    table = page_alloc_zeroed(1);
    page = page_alloc_zeroed(1);
    page[0] = 0x70616765;
    promise(map(table, READ_ONLY | PTE_SEEN) && extend(MMUEXT_PIN_L1_TABLE),
            "a table can be pinned");
    a_page_to_be_read();
    whatever_it_says();
    wherever_it_is();
    what_it_shows();
    again_and_again();
    of_no_table();
}

int main(void)
{
    if (guest_is_pvh())
        return verdict();
    caller = (uintptr_t)low_caller;
    all();
    if (has_upper_half() && promise(go_up(), "code can be in the upper half"))
        all();
    return verdict();
}
