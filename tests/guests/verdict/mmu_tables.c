/*
 * What a page may become: each level of tables, by what is in it and by what is
 * done with it beside.
 */
#include "mmu_pages.h"

/* One of each level that is a table for good reason, and how to become one. */
void types(void)
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

void contents(void)
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
void reserved(void)
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
void linear(void)
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
void tree(void)
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
