/*
 * Debug registers: what may be written to them and what is read back; and
 * single steps, which need none. (breakpoints.c has what they are for.) As PV
 * only.
 */
#include "verdict.h"

#include <errno.h>
#include <stdint.h>

#include <hypercall/calls.h>

#include "trying.h"

#define HOLE          0xffff800000000000ul
#define BEHIND_HOLE   0xffff880000000000ul
#define NOT_CANONICAL 0x800000000000ul
#define NO_PLACE      0x8000000000000000ul

#define CR4_DE 0x8ul

#define DR6_FIXED 0xffff0ff0ul
#define DR6_STEP  0x4000ul
#define DR7_FIXED 0x400ul
#define DR7_GD    0x2000ul
#define DR7_L0    0x1ul
#define DR7_IO_0  0x20000ul /* breakpoint 0 is one of ports */

#define RFLAGS_TF 0x100ul

static long set(int reg, unsigned long value)
{
    return hypercall_set_debugreg(reg, value);
}

static unsigned long get(int reg)
{
    return (unsigned long)hypercall_get_debugreg(reg);
}

static void addresses(void)
{
    bool kept = true;

    for (int i = 0; i < 4; i++)
        kept &= set(i, 0x1000ul + i) == 0;
    for (int i = 0; i < 4; i++)
        kept &= get(i) == 0x1000ul + i;
    promise(kept, "four addresses are kept");
    promise(set(0, BEHIND_HOLE) == 0 && get(0) == BEHIND_HOLE &&
                set(0, 0x7ffffffff000) == 0,
            "of both halves");
    promise(set(0, HOLE) == -EPERM && set(0, BEHIND_HOLE - 1) == -EPERM,
            "none of the hypervisor's");
    promise(set(1, NOT_CANONICAL) == -EPERM && set(1, NO_PLACE) == -EPERM,
            "and what is none");
    promise(get(0) == 0x7ffffffff000 && get(1) == 0x1001,
            "what was refused changed nothing");
    for (int i = 0; i < 4; i++)
        set(i, 0);
}

static void status(void)
{
    promise(set(6, 0) == 0 && get(6) == DR6_FIXED, "DR6 has fixed bits");
    promise(set(6, 0xffffffff) == 0 && get(6) == 0xffffefff,
            "and others that are free");
    promise(set(6, 1ul << 32) == -EINVAL && get(6) == 0xffffefff,
            "but no upper half");
    promise(set(4, 0) == 0 && get(4) == DR6_FIXED && get(6) == DR6_FIXED,
            "4 is another name of it");
}

static void control(void)
{
    promise(set(7, 0) == 0 && get(7) == DR7_FIXED, "DR7 has a fixed bit");
    promise(set(7, 0xffffd800) == 0 && get(7) == (0xffff0000 | DR7_FIXED),
            "and some that are always clear");
    promise(set(7, DR7_GD) == -EPERM && set(7, 1ul << 32) == -EINVAL,
            "it does not guard itself, and has no upper half");
    promise(get(7) == (0xffff0000 | DR7_FIXED), "refused, it is as before");
    promise(set(5, 0x55550000) == 0 && get(7) == (0x55550000 | DR7_FIXED) &&
                get(5) == get(7),
            "5 is another name of it");
    promise(set(7, DR7_IO_0) == 0, "ports may be meant as long as none is on");
    promise(set(7, DR7_IO_0 | DR7_L0) == -EPERM,
            "one that is on takes the extensions");
    set(7, 0);
    promise(set(8, 0) == -ENODEV && get(8) == (unsigned long)-ENODEV &&
                set(-1, 0) == -ENODEV,
            "there is no other");
}

static void with_extensions(void)
{
    uint64_t cr4;

    expect_none();
    TRY("mov %%cr4, %0", "=r"(cr4));
    TRY("mov %0, %%cr4", : "r"(cr4 | CR4_DE));
    promise(set(4, 0) == -ENODEV && get(4) == (unsigned long)-ENODEV &&
                set(5, 0) == -ENODEV && get(5) == (unsigned long)-ENODEV,
            "with CR4.DE the other names are none");
    promise(set(7, DR7_IO_0 | DR7_L0) == 0 &&
                get(7) == (DR7_IO_0 | DR7_L0 | DR7_FIXED),
            "and ports may be watched");
    set(7, 0);
    promise(get(7) == DR7_FIXED, "until they are not");
    TRY("mov %0, %%cr4", : "r"(cr4));
    promise(none() && get(4) == get(6), "CR4.DE can be taken back");
}

/* Addresses of instructions where a step ended. */
static uint64_t steps[16], step_dr6;
static volatile unsigned nr_steps;

static bool step(struct trap_frame *frame)
{
    if (nr_steps < sizeof steps / sizeof *steps)
        steps[nr_steps] = frame->rip;
    step_dr6 = get(6);
    set(6, 0);
    nr_steps++;
    return true;
}

static void single_steps(void)
{
    uint64_t first, cleared;

    trap_handle(1, step);
    set(6, 0);
    __asm__ volatile("lea 1f(%%rip), %[first]\n\t"
                     "pushf\n\t"
                     "orq %[tf], (%%rsp)\n\t"
                     "popf\n\t"
                     "nop\n" /* stepped over */
                     "1:\n\t"
                     "nop\n\t"
                     "pushf\n\t"
                     "andq $~0x100, (%%rsp)\n\t"
                     "popf\n\t"
                     "nop\n\t"
                     "pushf\n\t"
                     "pop %[cleared]"
                     : [first] "=&r"(first), [cleared] "=&r"(cleared)
                     : [tf] "i"(RFLAGS_TF)
                     : "memory", "cc");
    trap_handle(1, NULL);
    promise(nr_steps == 5 && !(cleared & RFLAGS_TF),
            "every instruction ends in a trap while TF is set");
    promise(steps[0] == first && steps[1] == first + 1, "which is behind it");
    promise(step_dr6 == (DR6_FIXED | DR6_STEP), "and DR6 says why");
}

int main(void)
{
    addresses();
    status();
    control();
    with_extensions();
    single_steps();
    return verdict();
}
