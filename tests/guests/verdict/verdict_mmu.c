/*
 * mmu_update, update_va_mapping, mmuext_op: what a PV kernel may do with its
 * page tables, and how it is told that it may not. Here single entries.
 */
#include "mmu_pages.h"

uint64_t pages[12][NR_ENTRIES] __attribute__((aligned(4096)));

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
