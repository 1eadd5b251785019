/*
 * A kernel's own descriptors can be loaded and run with, traps come and go
 * with its selectors, and what it must not load is its own fault. Needs real
 * rings. What a segment register shows is not looked at: only a trap's frame
 * tells the truth everywhere.
 *
 * As PV the hypervisor loads the table and checks each return; as PVH the CPU
 * does, which reports a return that failed as one that did not happen.
 */
#include "verdict.h"

#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/trap.h>

#include <stdint.h>
#include <string.h>

#include <hypercall/calls.h>

#define DATA0 0x00cf93000000fffful
#define CODE0 0x00af9b000000fffful
#define DATA3 0x00cff3000000fffful
#define CODE3 0x00affb000000fffful

/* What this kernel runs with, and what it puts into a table of its own. */
struct selectors {
    uint16_t data, code, stack, own_data, own_code;
};
static const struct selectors pv_selectors = {FLAT_RING3_DS32, FLAT_RING3_CS64,
                                              FLAT_KERNEL_SS, 0x0b, 0x13};
static const struct selectors pvh_selectors = {0x10, 0x08, 0x10, 0x40, 0x48};
static const struct selectors *selectors = &pv_selectors;

#define PTE_READ_ONLY 0x21ul /* present, accessed */

static struct trap_frame seen;
static volatile unsigned nr_seen;
static uint64_t first_cs;
static uint64_t resume_at, resume_sp;

/* Step over an instruction by going where the code asked for. */
static bool note(struct trap_frame *frame)
{
    seen = *frame;
    if (nr_seen++ == 0)
        first_cs = seen.cs;
    if (!resume_at)
        return true;
    frame->rip = resume_at;
    frame->cs = selectors->code & ~3ul; /* stay in the kernel */
    frame->ss = selectors->stack;
    if (resume_sp)
        frame->rsp = resume_sp;
    resume_at = resume_sp = 0;
    return true;
}

static bool came(unsigned vector, uint64_t error)
{
    bool right = nr_seen == 1 && seen.vector == vector && seen.error == error;

    if (!right)
        printf("# %u traps, the last is %lu with 0x%lx at 0x%lx\n", nr_seen,
               seen.vector, seen.error, seen.rip);
    return right;
}

static void expect(unsigned vector)
{
    trap_handle(vector, note);
    nr_seen = 0;
}

static void load_data_segment(uint16_t selector)
{
    __asm__ volatile("lea 1f(%%rip), %%rax\n\t"
                     "mov %%rax, %[at]\n\t"
                     "mov %[ds], %%ds\n"
                     "1:\n\t"
                     "movq $0, %[at]"
                     : [at] "=m"(resume_at)
                     : [ds] "r"(selector)
                     : "rax", "memory");
}

static void load_code_segment(uint64_t selector)
{
    __asm__ volatile("push %[cs]\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "1:" ::[cs] "r"(selector)
                     : "rax", "memory");
}

static void the_flat_ones(void)
{
    expect(13);
    load_data_segment(selectors->data);
    promise(nr_seen == 0, "the given data selector can be loaded");
    load_code_segment(selectors->code);
    promise(nr_seen == 0, "the given code selector can be loaded");
    load_data_segment(selectors->own_data);
    promise(came(13, selectors->own_data & ~7u),
            "a selector without a descriptor is a fault that names it");
}

static bool install_table(uint64_t *table)
{
    const uint64_t mfn = page_mfn(table);
    unsigned long frames[1] = {mfn};

    table[selectors->own_data / 8] = DATA3 & ~(3ul << 45); /* for ring 0 */
    table[selectors->own_code / 8] = CODE3;
    return hypercall_update_va_mapping((uintptr_t)table,
                                       mfn << PAGE_SHIFT | PTE_READ_ONLY,
                                       UVMF_INVLPG) == 0 &&
           hypercall_set_gdt(frames, 512) == 0;
}

static bool load_table(uint64_t *table)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) old, new = {PAGE_SIZE - 1, (uintptr_t)table};

    __asm__ volatile("sgdt %0" : "=m"(old));
    memcpy(table, (const void *)old.base, old.limit + 1ul);
    table[selectors->own_data / 8] = DATA0;
    table[selectors->own_code / 8] = CODE0;
    __asm__ volatile("lgdt %0" ::"m"(new), "m"(*table) : "memory");
    return true;
}

static void own_ones(void)
{
    uint64_t *table = page_alloc_zeroed(1);

    promise(guest_is_pvh() ? load_table(table) : install_table(table),
            "a table is accepted");
    nr_seen = 0;
    load_data_segment(selectors->own_data);
    promise(nr_seen == 0, "a data descriptor can be loaded");

    /* No hypercall between: its SYSRET would load Xen's own segment. */
    expect(3);
    load_code_segment(selectors->own_code);
    __asm__ volatile("int3\n\tint3" ::: "memory");
    load_code_segment(selectors->code);
    promise(nr_seen == 2 && seen.vector == 3,
            "traps come from an own code segment");
    promise((first_cs & 0xfffc) == (selectors->own_code & ~3u),
            "say so in their frame");
    promise((seen.cs & 0xfffc) == (selectors->own_code & ~3u),
            "and go back there");
}

/* The iret hypercall to (cs:rip), which is none where a kernel can be. */
static void iret_to(uint64_t cs, uint64_t rip)
{
    __asm__ volatile(
        "lea 1f(%%rip), %%rax\n\t"
        "mov %%rax, %[at]\n\t"
        "mov %%rsp, %[sp]\n\t"
        "push %[ss]\n\t"
        "push %[sp]\n\t"
        "push $2\n\t" /* upcalls stay masked */
        "push %[cs]\n\t"
        "push %[rip]\n\t"
        "push $0\n\t"
        "jmp hypercall_page + 23 * 32\n"
        "1:"
        : [at] "=m"(resume_at), [sp] "=m"(resume_sp)
        : [ss] "r"((uint64_t)FLAT_KERNEL_SS), [cs] "r"(cs), [rip] "r"(rip)
        : "rax", "rcx", "r11", "memory");
}

/* IRET to (cs:rip), as above. */
static void cpu_iret_to(uint64_t cs, uint64_t rip)
{
    __asm__ volatile(
        "lea 1f(%%rip), %%rax\n\t"
        "mov %%rax, %[at]\n\t"
        "mov %%rsp, %[sp]\n\t"
        "push %[ss]\n\t"
        "push %[sp]\n\t"
        "push $2\n\t"
        "push %[cs]\n\t"
        "push %[rip]\n\t"
        "iretq\n"
        "1:"
        : [at] "=m"(resume_at), [sp] "=m"(resume_sp)
        : [ss] "r"((uint64_t)selectors->stack), [cs] "r"(cs), [rip] "r"(rip)
        : "rax", "memory");
}

static void bad_returns_of_the_cpu(void)
{
    expect(13);
    cpu_iret_to(0x7770, 0x400000);
    promise(came(13, 0x7770), "a return to no code segment is a fault");
    expect(13);
    cpu_iret_to(selectors->code, 0x8000000000000000);
    promise(came(13, 0), "a return to no address is a fault");
}

static void bad_returns(void)
{
    expect(13);
    iret_to(0x7770, 0x400000);
    promise(came(13, 0x7770), "a return to no code segment is a fault");
    promise(seen.rip == 0x400000, "whose frame names where it went");

    expect(13);
    iret_to(FLAT_KERNEL_CS & ~3ul, 0x8000000000000000);
    promise(came(13, 0), "a return to no address is a fault");
}

static void software_interrupts(void)
{
    expect(13);
    __asm__ volatile("lea 1f(%%rip), %%rax\n\t"
                     "mov %%rax, %[at]\n\t"
                     "int $0x81\n"
                     "1:"
                     : [at] "=m"(resume_at)
                     :
                     : "rax", "memory");
    /* QEMU's TCG counts gates of long mode by 16 bytes */
    promise(
        came(13, seen.error == (0x81 << 4 | 2) ? seen.error : 0x81 << 3 | 2),
        "an INT that is not allowed is a fault");
    expect(4);
    __asm__ volatile("int $4" ::: "memory");
    promise(came(4, 0), "one that is allowed is its trap");
}

int main(void)
{
    if (guest_is_pvh())
        selectors = &pvh_selectors;
    the_flat_ones();
    own_ones();
    if (guest_is_pvh())
        bad_returns_of_the_cpu();
    else
        bad_returns();
    software_interrupts();
    return verdict();
}
