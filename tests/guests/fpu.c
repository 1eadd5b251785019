/*
 * A kernel that saves the FPU's state lazily sets TS and gets #NM at the next
 * use. As PV only, and not in a process, whose FPU is always there.
 */
#include "verdict.h"

#include <stdint.h>

#include <hypercall/calls.h>

#include "own_entry.h"
#include "trying.h"

#define CR0_TS 0x8ul

static volatile unsigned nr_nm;
static uint64_t nm_rip;

/* The library's own entry saves the FPU before anybody is asked. */
OWN_ENTRY(on_nm, 0);

ON_TOP static uint64_t read_cr0(void)
{
    uint64_t cr0;

    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0)::"memory");
    return cr0;
}

static uint64_t cr0_in;

ON_TOP static void note_nm(struct own_note *note, uint64_t *rip)
{
    (void)rip;
    cr0_in = read_cr0();
    nm_rip = note->rip;
    nr_nm++;
}

static void begin(void)
{
    const struct trap_info table[] = {{7, 4, FLAT_KERNEL_CS, (uintptr_t)on_nm},
                                      {0, 0, 0, 0}};

    own_begin();
    hypercall_set_trap_table(table);
    own_hook = note_nm;
    nr_nm = 0;
}

/* What may not be compiled to anything that uses the FPU by itself. */
#define USE_SSE                            \
    __asm__ volatile("lea 1f(%%rip), %0\n" \
                     "1:\n\t"              \
                     "movups %%xmm0, (%1)" \
                     : "=&r"(at)           \
                     : "r"(room)           \
                     : "memory")

ON_TOP static void try_sse(unsigned *nr, bool *at_it, uint64_t *after)
{
    uint64_t room[2], at;

    hypercall_fpu_taskswitch(1);
    USE_SSE;
    *nr = nr_nm;
    *at_it = nm_rip == at;
    USE_SSE;
    *after = nr_nm;
}

ON_TOP static unsigned try_x87(void)
{
    nr_nm = 0;
    hypercall_fpu_taskswitch(1);
    __asm__ volatile("fninit" ::: "memory");
    return nr_nm;
}

ON_TOP static unsigned try_clear(void)
{
    uint64_t room[2], at;

    nr_nm = 0;
    hypercall_fpu_taskswitch(1);
    hypercall_fpu_taskswitch(0);
    USE_SSE;
    hypercall_fpu_taskswitch(1);
    __asm__ volatile("clts" ::: "memory");
    USE_SSE;
    return nr_nm;
}

ON_TOP static unsigned try_cr0(void)
{
    uint64_t room[2], at;

    nr_nm = 0;
    __asm__ volatile("mov %0, %%cr0" ::"r"(read_cr0() | CR0_TS) : "memory");
    USE_SSE;
    return nr_nm;
}

/* Calls, events and sleep leave TS alone. */
ON_TOP static unsigned try_long(bool *stays)
{
    uint64_t room[2], at;

    nr_nm = 0;
    hypercall_fpu_taskswitch(1);
    for (unsigned i = 0; i < 100; i++)
        hypercall_version();
    *stays = read_cr0() & CR0_TS;
    USE_SSE;
    return nr_nm;
}

int main(void)
{
    unsigned nr, x87, cleared, cr0, later;
    uint64_t after;
    bool at_it, stays;
    double value = 2.5;

    begin();
    try_sse(&nr, &at_it, &after);
    x87 = try_x87();
    cleared = try_clear();
    cr0 = try_cr0();
    later = try_long(&stays);
    own_end();

    promise(nr == 1, "with TS the next use of a vector register is #NM");
    promise(at_it, "at it");
    promise(!(cr0_in & CR0_TS), "where TS is off already");
    promise(after == 1, "so that it goes on, and the next one as well");
    promise(x87 == 1, "the same with x87");
    promise(cleared == 0, "none comes when TS is cleared, by either way");
    promise(cr0 == 1, "one does when CR0 was written");
    promise(stays && later == 1, "and long after");
    __asm__ volatile("" : "+x"(value));
    promise(value * 2 == 5, "the FPU computes");
    return verdict();
}
