/*
 * mmu_update, update_va_mapping, mmuext_op: what a PV kernel may do with its
 * page tables, and how it is told that it may not.
 */
#include "cases.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>

#include <string.h>

#include <hypercall/calls.h>

#include "../tables.h"

#define P   0x001ul
#define RW  0x002ul
#define US  0x004ul
#define A   0x020ul
#define D   0x040ul
#define PSE 0x080ul

#define RAM_FLAGS   (P | RW | A | D)
#define TABLE_FLAGS (P | RW | US | A | D)

#define NO_FRAME (~0ul >> 12 >> 4) /* beyond what any machine has */

/* Pages whose entries the builder made. */
static uint64_t pages[12][NR_ENTRIES] __attribute__((aligned(4096)));
/* What each is for. */
enum { PLAIN, OTHER, L1, L2, L3, L4, SECOND, SCRATCH };

static uint64_t mfn(unsigned page)
{
    return page_mfn(pages[page]);
}

static uint64_t maddr(const volatile void *address)
{
    const void *p = (const void *)(uintptr_t)address;

    return (page_mfn(p) << PAGE_SHIFT) + (uintptr_t)p % PAGE_SIZE;
}

static long update(uint64_t ptr, uint64_t val)
{
    struct mmu_update req = {.ptr = ptr, .val = val};

    return hypercall_mmu_update(&req, 1, NULL, DOMID_SELF);
}

static long ext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = {.cmd = cmd};

    op.arg1.mfn = arg1;
    op.arg2.src_mfn = arg2;
    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static long pin(unsigned level, uint64_t frame)
{
    return ext(MMUEXT_PIN_L1_TABLE + level - 1, frame, 0);
}

static long unpin(uint64_t frame)
{
    return ext(MMUEXT_UNPIN_TABLE, frame, 0);
}

static long map(unsigned page, uint64_t flags)
{
    return hypercall_update_va_mapping(
        (uintptr_t)pages[page], mfn(page) << PAGE_SHIFT | flags, UVMF_INVLPG);
}

/* Empty, and to be read only: what may become a table. */
static void make_blank(unsigned page)
{
    map(page, RAM_FLAGS);
    memset(pages[page], 0, sizeof pages[page]);
    map(page, P | A | D);
}

/* The lists, and who is meant. */

static void lists(void)
{
    struct mmu_update req = {.ptr = NO_FRAME << PAGE_SHIFT};
    struct mmu_update two[2] = {{.ptr = maddr(pages[PLAIN]) + 8, .val = 1},
                                {.ptr = NO_FRAME << PAGE_SHIFT}};
    struct mmuext_op op = {.cmd = 100};
    struct mmuext_op flush = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    unsigned done = 77;

    about("mmu_update");
    AT_WRONG_PLACES("request", req,
                    hypercall_mmu_update(at, 1, NULL, DOMID_SELF));
    say(hypercall_mmu_update(NULL, 0, NULL, DOMID_SELF), "none, nowhere");
    say(hypercall_mmu_update(two, 2, &done, DOMID_SELF), "one of two");
    say(done, "one of two, done");
    for (enum place place = 0; place < NR_PLACES; place++)
        say(hypercall_mmu_update(two, 1, put(place, &done, sizeof done),
                                 DOMID_SELF),
            "done: %s", place_names[place]);
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        say(hypercall_mmu_update(two, 0, NULL, whom[i].id), "none for %s",
            whom[i].name);
        say(hypercall_mmu_update(two, 1, NULL, whom[i].id),
            "not a table, for %s", whom[i].name);
    }
    for (size_t i = 0; i < NUMBER_OF(whom); i++)
        say(HYPERCALL_4(__HYPERVISOR_mmu_update, two, 1, NULL,
                        DOMID_SELF | (whom[i].id + 1u) << 16),
            "tables of %s", whom[i].name);

    about("mmuext_op");
    AT_WRONG_PLACES("request", op,
                    hypercall_mmuext_op(at, 1, NULL, DOMID_SELF));
    say(hypercall_mmuext_op(NULL, 0, NULL, DOMID_SELF), "none, nowhere");
    for (enum place place = 0; place < NR_PLACES; place++)
        say(hypercall_mmuext_op(&flush, 1, put(place, &done, sizeof done),
                                DOMID_SELF),
            "done: %s", place_names[place]);
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        say(hypercall_mmuext_op(&flush, 0, NULL, whom[i].id), "none for %s",
            whom[i].name);
        say(hypercall_mmuext_op(&flush, 1, NULL, whom[i].id), "flush for %s",
            whom[i].name);
    }
    for (unsigned cmd = MMUEXT_UNMARK_SUPER + 1; cmd < 26; cmd++)
        say(ext(cmd, 0, 0), "operation %u", cmd);
    say(ext(~0u, 0, 0), "operation -1");
}

/* Entries that are none. */
static void where(void)
{
    const uint64_t shared = guest_start_info->shared_info;
    volatile uint64_t *pte = entry_of(pages[PLAIN], 1);

    about("mmu_update");
    for (unsigned cmd = 3; cmd < 8; cmd++)
        say(update(maddr(pte) | cmd, *pte), "command %u", cmd);
    say(update(NO_FRAME << PAGE_SHIFT, 0), "a frame that is none");
    say(update(~7ul, 0), "the last address");
    say(update(shared + 2048, 0), "in shared_info");
    say(update(maddr(pages[PLAIN]), 0x1234), "in a plain page");
    say((long)pages[PLAIN][0], "in a plain page, what is there");
    map(OTHER, P | A | D);
    say(update(maddr(pages[OTHER]), 0x1234), "in a page mapped to be read");
    say((long)pages[OTHER][0], "in a page mapped to be read, what is there");
    map(OTHER, RAM_FLAGS);
    say(update(NO_FRAME << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 0),
        "machphys of a frame that is none");
    say(update(~7ul | MMU_MACHPHYS_UPDATE, 0), "machphys of the last address");
    say(update(shared | MMU_MACHPHYS_UPDATE, 0), "machphys of shared_info");
    say(update((mfn(OTHER) << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE,
               ((uintptr_t)pages[OTHER] - 0x400000) >> PAGE_SHIFT),
        "machphys as it is");
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        struct mmu_update req = {
            .ptr = (mfn(OTHER) << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE,
            .val = ((uintptr_t)pages[OTHER] - 0x400000) >> PAGE_SHIFT};

        say(hypercall_mmu_update(&req, 1, NULL, whom[i].id), "machphys for %s",
            whom[i].name);
        req = (struct mmu_update){.ptr = maddr(pte), .val = *pte};
        say(hypercall_mmu_update(&req, 1, NULL, whom[i].id), "an entry for %s",
            whom[i].name);
        req.val = 0x1234000;
        say(hypercall_mmu_update(&req, 1, NULL, whom[i].id),
            "one that is not present for %s", whom[i].name);
        map(PLAIN, RAM_FLAGS);
    }
    map(PLAIN, RAM_FLAGS);
}

/* Say what became of (entry)'s flags: A and D are the CPU's. */
static void say_flags(uint64_t entry)
{
    printf("which has flags 0x%016lx\n", entry & ~(PTE_FRAME | A | D));
}

/* Each bit, in an entry of each level. */
static void bits(void)
{
    static const unsigned target[] = {0, PLAIN, L1, L2, L3};

    make_blank(L1);
    make_blank(L2);
    make_blank(L3);
    make_blank(L4);
    about("mmu_update");
    say(pin(1, mfn(L1)), "pin an L1");
    say(pin(2, mfn(L2)), "pin an L2");
    say(pin(3, mfn(L3)), "pin an L3");
    say(pin(4, mfn(L4)), "pin an L4");
    for (unsigned level = 1; level <= 4; level++) {
        const uint64_t *table = pages[L1 + level - 1];
        const uint64_t flags = level == 1 ? P | RW | A | D : TABLE_FLAGS;
        const uint64_t val = mfn(target[level]) << PAGE_SHIFT | flags;

        say(update(maddr(table + 3), val), "L%u entry", level);
        say_flags(table[3]);
        for (unsigned bit = 0; bit < 64; bit++) {
            if (bit >= 12 && bit < 52)
                continue;
            update(maddr(table + 3), 0);
            say(update(maddr(table + 3), val ^ 1ul << bit),
                "L%u entry with bit %u changed", level, bit);
            say_flags(table[3]);
        }
        for (unsigned bit = 46; bit < 52; bit++)
            say(update(maddr(table + 3), val | 1ul << bit),
                "L%u entry with bit %u of its address", level, bit);
        say(update(maddr(table + 3), 0xfff0000000000ffe & ~P),
            "L%u entry that is not present", level);
        say_flags(table[3]);
        say(update(maddr(table + 3), val), "L%u entry again", level);
        say(update(maddr(table + 3), val & ~RW), "L%u entry to be read", level);
        say_flags(table[3]);
        say(update(maddr(table + 3), 0), "L%u entry and its end", level);
    }
    for (unsigned page = L1; page <= L4; page++)
        say(unpin(mfn(page)), "unpin");
}

/* What an L1 entry may map. */
static void targets_of_l1(void)
{
    volatile uint64_t *pte = entry_of(pages[SCRATCH], 1);
    const uint64_t l4 = page_mfn((void *)guest_start_info->pt_base);
    const uint64_t was = *pte;
    const struct {
        const char *name;
        uint64_t frame;
    } targets[] = {
        {"a plain page", mfn(PLAIN)},
        {"the L4 in use", l4},
        {"the L1 itself", maddr(pte) >> PAGE_SHIFT},
        {"shared_info", guest_start_info->shared_info >> PAGE_SHIFT},
        {"frame 0", 0},
        {"frame 1", 1},
        {"a frame that is none", NO_FRAME},
        {"the last frame", PTE_FRAME >> PAGE_SHIFT},
    };

    about("mmu_update of an L1 entry");
    for (size_t i = 0; i < NUMBER_OF(targets); i++) {
        if (targets[i].frame < 2)
            continue; /* whose they are differs */
        say(update(maddr(pte), targets[i].frame << PAGE_SHIFT | RAM_FLAGS),
            "to %s", targets[i].name);
        say(update(maddr(pte), targets[i].frame << PAGE_SHIFT | P),
            "to %s, to be read", targets[i].name);
        update(maddr(pte), was);
    }
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        struct mmu_update req = {.ptr = maddr(pte),
                                 .val = NO_FRAME << PAGE_SHIFT | P};

        say(hypercall_mmu_update(&req, 1, NULL, whom[i].id),
            "to a frame that is none, of %s", whom[i].name);
        req.val = mfn(PLAIN) << PAGE_SHIFT | P;
        say(hypercall_mmu_update(&req, 1, NULL, whom[i].id),
            "to a frame of ours, of %s", whom[i].name);
        update(maddr(pte), was);
    }
}

static void preserve(void)
{
    volatile uint64_t *pte = entry_of(pages[SCRATCH], 1);
    const uint64_t was = *pte & ~(A | D);

    about("mmu_update");
    update(maddr(pte), was | A);
    say(update(maddr(pte) | MMU_PT_UPDATE_PRESERVE_AD, was),
        "which keeps A and D");
    say((long)(*pte >> 5 & 3), "A and D then");
    update(maddr(pte), was | A | D);
    say(update(maddr(pte) | MMU_PT_UPDATE_PRESERVE_AD, was | P),
        "which keeps both");
    say((long)(*pte >> 5 & 3), "both then");
    say(update(maddr(pte), was), "which does not");
    say((long)(*pte >> 5 & 3), "what is left");
    say(update(maddr(pte) | MMU_PT_UPDATE_PRESERVE_AD, 0x1000),
        "which keeps them of what is gone");
    say((long)*pte, "then");
    map(SCRATCH, RAM_FLAGS);
}

/* One of each level that is a table for good reason, and how to become one. */
static void types(void)
{
    about("types:");
    map(SCRATCH, RAM_FLAGS);
    memset(pages[SCRATCH], 0, PAGE_SIZE);
    for (unsigned level = 1; level <= 4; level++)
        say(pin(level, mfn(SCRATCH)), "a page mapped to write cannot be an L%u",
            level);
    say(map(SCRATCH, P | A | D), "nobody can write it");
    for (unsigned level = 1; level <= 4; level++) {
        say(pin(level, mfn(SCRATCH)), "it becomes an L%u", level);
        say(map(SCRATCH, RAM_FLAGS), "it cannot be mapped to write");
        say(map(SCRATCH, P | A | D), "it can be mapped to be read");
        for (unsigned other = 1; other <= 4; other++)
            say(pin(other, mfn(SCRATCH)), "pinned again as L%u", other);
        say(ext(MMUEXT_CLEAR_PAGE, mfn(SCRATCH), 0), "it cannot be cleared");
        say(ext(MMUEXT_COPY_PAGE, mfn(SCRATCH), mfn(PLAIN)),
            "nor be copied to");
        say(ext(MMUEXT_COPY_PAGE, mfn(OTHER), mfn(SCRATCH)),
            "but be copied from");
        say(unpin(mfn(SCRATCH)), "it is unpinned");
        say(unpin(mfn(SCRATCH)), "once");
        say(map(SCRATCH, RAM_FLAGS), "it can be written again");
        say(map(SCRATCH, P | A | D), "and is made read-only");
    }
    map(SCRATCH, RAM_FLAGS);
}

/* (page) with one entry, tried as a table of (level). */
static void try_table(unsigned level, const char *what, uint64_t entry)
{
    map(SCRATCH, RAM_FLAGS);
    memset(pages[SCRATCH], 0, PAGE_SIZE);
    pages[SCRATCH][7] = entry;
    map(SCRATCH, P | A | D);
    say(pin(level, mfn(SCRATCH)), "pin an L%u with %s", level, what);
    unpin(mfn(SCRATCH));
}

static void contents(void)
{
    about("mmuext_op");
    make_blank(L1);
    make_blank(L2);
    make_blank(L3);
    map(PLAIN, RAM_FLAGS);
    for (unsigned level = 1; level <= 4; level++) {
        static const unsigned below[] = {0, PLAIN, L1, L2, L3};
        const uint64_t good = mfn(below[level]) << PAGE_SHIFT;
        const uint64_t self = mfn(SCRATCH) << PAGE_SHIFT;
        const uint64_t l4 = page_mfn((void *)guest_start_info->pt_base)
                            << PAGE_SHIFT;

        try_table(level, "an entry as it should be", good | TABLE_FLAGS);
        try_table(level, "one that is not present", good | (TABLE_FLAGS & ~P));
        try_table(level, "bits that are not allowed", good | P | 0x80);
        try_table(level, "PWT", good | P | 0x8);
        try_table(level, "PCD", good | P | 0x10);
        try_table(level, "bit 8", good | P | 0x100);
        try_table(level, "NX", good | P | 1ul << 63);
        try_table(level, "a frame that is none", NO_FRAME << PAGE_SHIFT | P);
        try_table(level, "the last frame", PTE_FRAME | P);
        try_table(level, "itself", self | P);
        try_table(level, "itself to write", self | P | RW);
        try_table(level, "the L4 in use", l4 | P);
        try_table(level, "the L4 in use to write", l4 | P | RW);
        try_table(level, "shared_info", guest_start_info->shared_info | P);
        if (level > 1)
            try_table(level, "a page mapped to write",
                      mfn(PLAIN) << PAGE_SHIFT | P);
        if (level > 2)
            try_table(level, "a table two levels below",
                      mfn(below[level - 1]) << PAGE_SHIFT | P);
    }
    map(SCRATCH, RAM_FLAGS);
}

/* The hypervisor's slots of an L4, and its neighbours. */
static void reserved(void)
{
    static const unsigned slots[] = {0,   255, 256, 257, 258, 259, 260, 261,
                                     262, 263, 264, 270, 271, 272, 273, 511};
    make_blank(L4);
    make_blank(L3);
    about("L4");
    for (size_t i = 0; i < NUMBER_OF(slots); i++) {
        map(L4, RAM_FLAGS);
        memset(pages[L4], 0, PAGE_SIZE);
        pages[L4][slots[i]] = mfn(L3) << PAGE_SHIFT | TABLE_FLAGS;
        map(L4, P | A | D);
        say(pin(4, mfn(L4)), "pinned with slot %u in use", slots[i]);
        say(update(maddr(&pages[L4][slots[i]]),
                   mfn(L3) << PAGE_SHIFT | TABLE_FLAGS),
            "slot %u set", slots[i]);
        say(update(maddr(&pages[L4][slots[i]]), 0), "slot %u cleared",
            slots[i]);
        unpin(mfn(L4));
    }
    map(L4, RAM_FLAGS);
    map(L3, RAM_FLAGS);
}

/* Tables that refer to tables of their own level. */
static void linear(void)
{
    about("linear");
    for (unsigned level = 2; level <= 4; level++) {
        const unsigned page = L1 + level - 1;

        make_blank(page);
        make_blank(SECOND);
        say(pin(level, mfn(page)), "an L%u", level);
        say(update(maddr(&pages[page][5]), mfn(page) << PAGE_SHIFT | P),
            "L%u in itself to be read", level);
        say(update(maddr(&pages[page][6]), mfn(page) << PAGE_SHIFT | P | RW),
            "L%u in itself to be written", level);
        say(pin(level, mfn(SECOND)), "another L%u", level);
        say(update(maddr(&pages[page][7]), mfn(SECOND) << PAGE_SHIFT | P),
            "L%u in another", level);
        say(update(maddr(&pages[SECOND][7]), mfn(page) << PAGE_SHIFT | P),
            "L%u in another, and back", level);
        say(update(maddr(&pages[page][5]), 0), "L%u no more in itself", level);
        say(update(maddr(&pages[page][6]), 0), "nor to be written");
        say(update(maddr(&pages[page][7]), 0), "nor in another");
        say(update(maddr(&pages[SECOND][7]), 0), "nor back");
        say(unpin(mfn(SECOND)), "the other unpinned");
        say(unpin(mfn(page)), "the L%u unpinned", level);
        say(map(page, RAM_FLAGS), "and it can be written");
        say(map(SECOND, RAM_FLAGS), "the other as well");
    }
}

/* A whole tree, made from below, and taken apart in the wrong order. */
static void tree(void)
{
    make_blank(L1);
    make_blank(L2);
    make_blank(L3);
    make_blank(L4);
    about("tree:");
    map(L2, RAM_FLAGS);
    pages[L2][1] = mfn(L1) << PAGE_SHIFT | TABLE_FLAGS;
    map(L2, P | A | D);
    map(L3, RAM_FLAGS);
    pages[L3][1] = mfn(L2) << PAGE_SHIFT | TABLE_FLAGS;
    map(L3, P | A | D);
    map(L4, RAM_FLAGS);
    pages[L4][1] = mfn(L3) << PAGE_SHIFT | TABLE_FLAGS;
    map(L4, P | A | D);
    say(pin(4, mfn(L4)), "an L4 with all below");
    say(map(L1, RAM_FLAGS), "its L1 cannot be written");
    say(pin(1, mfn(L1)), "its L1 pinned");
    say(pin(2, mfn(L1)), "its L1 pinned as L2");
    say(unpin(mfn(L2)), "its L2 is not pinned");
    say(update(maddr(&pages[L1][9]), mfn(PLAIN) << PAGE_SHIFT | RAM_FLAGS),
        "an entry of its L1");
    say(update(maddr(&pages[L1][10]), mfn(L2) << PAGE_SHIFT | RAM_FLAGS),
        "one that would make its L2 writable");
    say(update(maddr(&pages[L2][1]), 0), "the L1 taken off");
    say(map(L1, RAM_FLAGS), "and pinned yet");
    say(unpin(mfn(L1)), "the L1 unpinned");
    say(map(L1, RAM_FLAGS), "and it can be written");
    say(unpin(mfn(L4)), "the L4 unpinned");
    say(map(L2, RAM_FLAGS), "its L2 can be written");
    say(map(L3, RAM_FLAGS), "and its L3");
    say(map(L4, RAM_FLAGS), "and the L4");
}

static void pins(void)
{
    const struct {
        const char *name;
        uint64_t frame;
    } frames[] = {
        {"shared_info", guest_start_info->shared_info >> PAGE_SHIFT},
        {"a frame that is none", NO_FRAME},
        {"frame -1", ~0ul},
        {"the last frame", PTE_FRAME >> PAGE_SHIFT},
        {"the L4 in use", page_mfn((void *)guest_start_info->pt_base)},
    };

    about("mmuext_op");
    for (size_t i = 0; i < NUMBER_OF(frames); i++) {
        for (unsigned level = 1; level <= 4; level++)
            say(pin(level, frames[i].frame), "pin %s as L%u", frames[i].name,
                level);
        if (i < 4)
            say(unpin(frames[i].frame), "unpin %s", frames[i].name);
        if (i < 4)
            say(ext(MMUEXT_NEW_BASEPTR, frames[i].frame, 0), "new_baseptr %s",
                frames[i].name);
        say(ext(MMUEXT_NEW_USER_BASEPTR, frames[i].frame, 0),
            "new_user_baseptr %s", frames[i].name);
        say(ext(MMUEXT_CLEAR_PAGE, i < 4 && i > 0 ? frames[i].frame : NO_FRAME,
                0),
            "clear_page %s", frames[i].name);
        say(ext(MMUEXT_COPY_PAGE, mfn(OTHER), frames[i].frame),
            "copy_page from %s", frames[i].name);
        if (i > 0)
            say(ext(MMUEXT_COPY_PAGE, frames[i].frame, mfn(OTHER)),
                "copy_page to %s", frames[i].name);
    }
    say(ext(MMUEXT_NEW_USER_BASEPTR, 0, 0), "no user_baseptr");
    say(ext(MMUEXT_NEW_USER_BASEPTR, 0, 0), "no user_baseptr again");
    say(ext(MMUEXT_NEW_BASEPTR, mfn(PLAIN), 0), "new_baseptr a plain page");
    say(ext(MMUEXT_NEW_USER_BASEPTR, mfn(PLAIN), 0),
        "new_user_baseptr a plain page");
    say(ext(MMUEXT_NEW_BASEPTR, page_mfn((void *)guest_start_info->pt_base), 0),
        "new_baseptr as it is");
    say(unpin(mfn(PLAIN)), "unpin what is no table");
    say(ext(MMUEXT_CLEAR_PAGE, mfn(OTHER), 0), "clear_page");
    say(ext(MMUEXT_COPY_PAGE, mfn(OTHER), mfn(PLAIN)), "copy_page");
    say(ext(MMUEXT_MARK_SUPER, mfn(PLAIN), 0), "mark_super");
    say(ext(MMUEXT_UNMARK_SUPER, mfn(PLAIN), 0), "unmark_super");
    say(ext(MMUEXT_FLUSH_CACHE, 0, 0), "flush_cache");
    say(ext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), "flush_cache_global");
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE};

        op.arg1.mfn = NO_FRAME;
        say(hypercall_mmuext_op(&op, 1, NULL, whom[i].id), "pin for %s",
            whom[i].name);
        op.cmd = MMUEXT_CLEAR_PAGE;
        say(hypercall_mmuext_op(&op, 1, NULL, whom[i].id), "clear for %s",
            whom[i].name);
        op.cmd = MMUEXT_NEW_BASEPTR;
        say(hypercall_mmuext_op(&op, 1, NULL, whom[i].id), "base for %s",
            whom[i].name);
        op.cmd = MMUEXT_SET_LDT;
        op.arg1.linear_addr = 0;
        op.arg2.nr_ents = 0;
        say(hypercall_mmuext_op(&op, 1, NULL, whom[i].id), "LDT for %s",
            whom[i].name);
    }
}

static void flushes(void)
{
    static const struct {
        const char *name;
        unsigned cmd;
    } ops[] = {
        {"tlb_flush_local", MMUEXT_TLB_FLUSH_LOCAL},
        {"tlb_flush_all", MMUEXT_TLB_FLUSH_ALL},
        {"tlb_flush_multi", MMUEXT_TLB_FLUSH_MULTI},
        {"invlpg_local", MMUEXT_INVLPG_LOCAL},
        {"invlpg_all", MMUEXT_INVLPG_ALL},
        {"invlpg_multi", MMUEXT_INVLPG_MULTI},
    };
    static const uint64_t vas[] = {0, 0x7fffffffffff, 1ul << 63,
                                   0xffff800000000000, ~0ul};
    static const uint64_t masks[] = {0, 1, 2, ~0ul};

    about("mmuext_op");
    for (size_t i = 0; i < NUMBER_OF(ops); i++)
        for (size_t v = 0; v < NUMBER_OF(vas); v++)
            say(ext(ops[i].cmd, vas[v], (uint64_t)&masks[1]), "%s of 0x%lx",
                ops[i].name, vas[v]);
    for (size_t i = 0; i < NUMBER_OF(ops); i++) {
        for (enum place place = 0; place < NR_PLACES; place++)
            say(ext(ops[i].cmd, 0,
                    (uint64_t)put(place, &masks[1], sizeof *masks)),
                "%s, its mask %s", ops[i].name, place_names[place]);
        for (size_t m = 0; m < NUMBER_OF(masks); m++)
            say(ext(ops[i].cmd, 0, (uint64_t)&masks[m]), "%s, mask 0x%lx",
                ops[i].name, masks[m]);
    }
}

static void va_mappings(void)
{
    static const struct {
        const char *name;
        uint64_t va;
    } vas[] = {
        {"0", 0},
        {"what has no table", 0x7123456780000},
        {"what has none below", 0x712345678000},
        {"no address", 1ul << 63},
        {"the hole", 0xffff800000000000},
        {"the hole's end", 0xffff87fffffff000},
        {"behind the hole", 0xffff880000000000},
        {"the last page", ~0xffful},
    };
    const uint64_t pte = mfn(SCRATCH) << PAGE_SHIFT | RAM_FLAGS;
    const uint64_t here = (uintptr_t)pages[SCRATCH];
    static const uint64_t mask[1] = {1};

    about("update_va_mapping");
    for (size_t i = 0; i < NUMBER_OF(vas); i++) {
        say(hypercall_update_va_mapping(vas[i].va, 0, UVMF_NONE),
            "%s to nothing", vas[i].name);
        say(hypercall_update_va_mapping(vas[i].va, pte, UVMF_NONE),
            "%s to a page", vas[i].name);
    }
    for (unsigned flags = 0; flags < 8; flags++)
        say(hypercall_update_va_mapping(here, pte, flags), "flags %u", flags);
    for (unsigned flags = 1; flags <= 3; flags++)
        for (enum place place = 1; place < NR_PLACES; place++) {
            uint64_t at = (uint64_t)put(place, mask, sizeof mask) & ~7ul;

            say(hypercall_update_va_mapping(here, pte, at | flags),
                "flags %u, a mask %s", flags, place_names[place]);
        }
    say(hypercall_update_va_mapping(here, pte, (uint64_t)mask | UVMF_INVLPG),
        "a mask");
    say(hypercall_update_va_mapping(here, pte | PSE, UVMF_INVLPG),
        "with bit 7");
    say(hypercall_update_va_mapping(here, NO_FRAME << PAGE_SHIFT | P,
                                    UVMF_INVLPG),
        "to a frame that is none");
    say(hypercall_update_va_mapping(here + 5, pte, UVMF_INVLPG),
        "an address inside of a page");

    about("update_va_mapping_otherdomain");
    for (size_t i = 0; i < NUMBER_OF(whom); i++) {
        say(HYPERCALL_4(__HYPERVISOR_update_va_mapping_otherdomain, here, pte,
                        UVMF_INVLPG, whom[i].id),
            "a page for %s", whom[i].name);
        say(HYPERCALL_4(__HYPERVISOR_update_va_mapping_otherdomain, here,
                        NO_FRAME << PAGE_SHIFT | P, UVMF_INVLPG, whom[i].id),
            "a frame that is none for %s", whom[i].name);
        say(HYPERCALL_4(__HYPERVISOR_update_va_mapping_otherdomain, here, 0,
                        UVMF_INVLPG, whom[i].id),
            "nothing for %s", whom[i].name);
        map(SCRATCH, RAM_FLAGS);
    }
}

int main(void)
{
    cases_begin();
    lists();
    where();
    bits();
    targets_of_l1();
    preserve();
    types();
    contents();
    reserved();
    linear();
    tree();
    pins();
    flushes();
    va_mappings();
    return 0;
}
