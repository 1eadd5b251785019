/*
 * A local descriptor table is looked at when a selector of it is loaded, and
 * its pages are tables from then on; and what happens to selectors that cannot
 * be loaded again after others have run. As PV only; needs real rings.
 */
#include "verdict.h"

#include <errno.h>

#include <pvguest/clock.h>
#include <pvguest/page.h>

#include "own_entry.h"
#include "trying.h"

#define PTE_READ_ONLY 0x21ul /* present, accessed */
#define PTE_WRITABLE  0x63ul

#define DATA 0x00cff3000000fffful
#define CODE 0x00affb000000fffful

#define LOCAL(index)    ((index) << 3 | 7ul)
#define ERROR(selector) ((selector) & ~3ul)

enum { IN_DATA = 1, IN_CODE, WITH_BASE, LATER, NR_ENTRIES };

#define MS 1000000ull

static uint64_t *table;
static uint64_t table_at;
static const uint64_t behind_base = 0x1122334455667788;

static long set_ldt(const void *at, unsigned nr)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT,
                           .arg1.linear_addr = (uintptr_t)at,
                           .arg2.nr_ents = nr};

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static long show(uint64_t flags)
{
    return hypercall_update_va_mapping(
        (uintptr_t)table, flags ? page_mfn(table) << PAGE_SHIFT | flags : 0,
        UVMF_INVLPG);
}

static void load_ds(uint64_t selector)
{
    TRY("mov %0, %%ds", : "r"(selector));
}

static bool is_loaded(uint64_t selector)
{
    expect_none();
    load_ds(selector);
    load_ds(0);
    return none();
}

static bool is_fault(uint64_t selector)
{
    expect(13);
    load_ds(selector);
    return came(13, ERROR(selector));
}

static void fill(void)
{
    const uint64_t base = (uintptr_t)&behind_base;

    table[IN_DATA] = DATA;
    table[IN_CODE] = CODE;
    table[WITH_BASE] =
        DATA | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
}

static void data(void)
{
    promise(is_fault(LOCAL(IN_DATA)), "without a table its selectors are none");
    promise(set_ldt(table, NR_ENTRIES) == 0, "a table is set");
    promise(show(PTE_WRITABLE) == 0 && show(PTE_READ_ONLY) == 0,
            "nobody has looked at it yet");
    promise(is_loaded(LOCAL(IN_DATA)), "a data segment of it can be loaded");
    promise(show(PTE_WRITABLE) == -EBUSY, "now its page is a table");
    promise(is_fault(LOCAL(NR_ENTRIES)), "an entry beyond its end is none");
    promise(is_fault(LOCAL(LATER)), "nor is one that is empty");
    promise(hypercall_update_descriptor(table_at + LATER * 8, DATA) == 0 &&
                is_loaded(LOCAL(LATER)),
            "until it is filled, by the hypercall");
    hypercall_update_descriptor(table_at + LATER * 8, 0);
}

static void bases(void)
{
    uint64_t seen_there = 0;

    expect_none();
    TRY("mov %1, %%gs\n\tmov %%gs:0, %0\n\tmov %2, %%gs", "=&r"(seen_there)
        : "r"(LOCAL(WITH_BASE)), "r"(0ul));
    promise(none() && seen_there == behind_base, "its bases count in GS");
}

OWN_ENTRY(on_trap, 0);
OWN_ENTRY(on_failsafe, 4);

static void code(void)
{
    const struct trap_info traps[] = {
        {3, 4, FLAT_KERNEL_CS, (uintptr_t)on_trap}, {0, 0, 0, 0}};

    own_begin();
    hypercall_set_trap_table(traps);
    __asm__ volatile("push %[local]\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "int3\n\tint3\n\t"
                     "push %[flat]\n\t"
                     "lea 2f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "2:" ::[local] "r"(LOCAL(IN_CODE)),
                     [flat] "r"((uint64_t)FLAT_KERNEL_CS)
                     : "rax", "memory");
    own_end();
    promise(own_nr == 2 && (own_notes[0].cs & 0xffff) == ERROR(LOCAL(IN_CODE)),
            "code runs in its segments, as frames say");
    promise((own_notes[1].cs & 0xffff) == ERROR(LOCAL(IN_CODE)),
            "and iret goes back there");
}

static void taken_away(void)
{
    promise(set_ldt(NULL, 0) == 0 && is_fault(LOCAL(IN_DATA)),
            "without the table they are none again");
    promise(show(PTE_WRITABLE) == 0, "and its page is a plain one");

    set_ldt(table, NR_ENTRIES);
    expect(14);
    load_ds(LOCAL(IN_DATA));
    promise(nr_seen == 1 && seen_address == (uintptr_t)&table[IN_DATA],
            "a page that is mapped writable is none: a page fault there");
    show(0);
    expect(14);
    load_ds(LOCAL(IN_DATA));
    promise(came(14, 0) && seen_address == (uintptr_t)&table[IN_DATA],
            "as where nothing is mapped");
    show(PTE_READ_ONLY);
    promise(is_loaded(LOCAL(IN_DATA)), "once it is, the load goes on");
}

/* Let others run, who load segments of their own. */
static void sleep_some(void)
{
    struct sched_poll poll = {.timeout = clock_system_ns() + 10 * MS};

    hypercall_sched_op(SCHEDOP_poll, &poll);
}

/* Where nobody else runs on this CPU there is nothing to load again. */
static void loaded_again(void)
{
    const uint64_t until = clock_system_ns() + 3000 * MS;
    const struct own_note *note = own_notes;
    uint64_t first_ds, ds;

    own_begin();
    own_register(CALLBACKTYPE_failsafe, on_failsafe, CALLBACKF_mask_events);
    own_vcpu()->evtchn_upcall_mask = 0;
    __asm__ volatile("mov %0, %%ds" ::"r"(LOCAL(IN_DATA)));
    sleep_some();
    __asm__ volatile("mov %%ds, %0" : "=r"(first_ds));
    const unsigned before = own_nr;
    hypercall_update_descriptor(table_at + IN_DATA * 8, 0);
    while (own_nr == 0 && clock_system_ns() < until)
        sleep_some();
    __asm__ volatile("mov %%ds, %0" : "=r"(ds));
    own_end();
    if (own_nr == 0 && (ds == LOCAL(IN_DATA) || first_ds == 0)) {
        puts(first_ds ? "# nothing was loaded again"
                      : "# selectors do not stay loaded here");
        return;
    }
    promise(before == 0 && first_ds == LOCAL(IN_DATA),
            "a selector that is still good is loaded again");
    promise(own_nr == 1 && own_was(0, on_failsafe),
            "one that is not leads to the failsafe callback");
    promise(note->extra[0] == LOCAL(IN_DATA) && note->extra[1] == 0 &&
                note->extra[2] == 0 && note->extra[3] == 0,
            "whose frame has all four");
    promise((note->cs & 0xffff) == 0xe030 && own_saved_mask(note) == 0 &&
                note->mask_in == 1,
            "and masks events if asked to");
    promise(ds == 0, "it is empty then");
}

int main(void)
{
    table = page_alloc_zeroed(1);
    table_at = page_mfn(table) << PAGE_SHIFT;
    fill();
    show(PTE_READ_ONLY);
    data();
    bases();
    code();
    taken_away();
    loaded_again();
    return verdict();
}
