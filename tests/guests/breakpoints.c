/*
 * Breakpoints that the debug registers hold are met: by instructions, by
 * writes, by reads. As PV only, and not in a process, which may not arm any.
 */
#include "verdict.h"

#include <stdint.h>

#include <hypercall/calls.h>

#include "trying.h"

#define DR6_FIXED 0xffff0ff0ul
#define DR7_L(n)  (1ul << 2 * (n))
#define DR7_G(n)  (2ul << 2 * (n))
#define ON_WRITE(n, len) \
    (0x1ul << (16 + 4 * (n)) | ((len)-1ul) << (18 + 4 * (n)))
#define ON_ACCESS(n, len) \
    (0x3ul << (16 + 4 * (n)) | ((len)-1ul) << (18 + 4 * (n)))

#define RFLAGS_RF 0x10000ul

static uint64_t met_at, met_dr6;
static volatile unsigned nr_met;

static bool met(struct trap_frame *frame)
{
    met_at = frame->rip;
    met_dr6 = (uint64_t)hypercall_get_debugreg(6);
    hypercall_set_debugreg(6, 0);
    nr_met++;
    frame->rflags |= RFLAGS_RF; /* past the instruction, if it was one */
    return true;
}

static void arm(int nr, const volatile void *at, unsigned long control)
{
    nr_met = 0;
    hypercall_set_debugreg(nr, (uintptr_t)at);
    hypercall_set_debugreg(7, control);
}

static void disarm(void)
{
    hypercall_set_debugreg(7, 0);
    for (int i = 0; i < 4; i++)
        hypercall_set_debugreg(i, 0);
}

extern char watched_code[];
static volatile uint32_t watched_data[4];

__attribute__((noinline)) static void run_watched_code(void)
{
    __asm__ volatile("nop\n"
                     ".global watched_code\n"
                     "watched_code:\n\t"
                     "nop" ::
                         : "memory");
}

static void instructions(void)
{
    arm(0, watched_code, DR7_L(0));
    run_watched_code();
    promise(nr_met == 1 && met_at == (uintptr_t)watched_code &&
                met_dr6 == (DR6_FIXED | 1),
            "an instruction is met before it runs, once");
    disarm();
    nr_met = 0;
    run_watched_code();
    promise(nr_met == 0, "and no more when that is off");
    arm(3, watched_code, DR7_G(3));
    run_watched_code();
    promise(nr_met == 1 && met_dr6 == (DR6_FIXED | 8),
            "by the fourth register, globally");
    disarm();
}

static void data(void)
{
    uint64_t before, sum;

    arm(1, &watched_data[1], DR7_L(1) | ON_WRITE(1, 4));
    watched_data[0] = 1;
    watched_data[2] = 2;
    sum = watched_data[1];
    promise(nr_met == 0 && sum == 0, "neighbours are not met, nor reads");
    __asm__ volatile("lea 1f(%%rip), %0\n\t"
                     "movl $5, %1\n"
                     "1:"
                     : "=&r"(before), "=m"(watched_data[1])
                     :
                     : "memory");
    promise(nr_met == 1 && met_at == before && watched_data[1] == 5 &&
                met_dr6 == (DR6_FIXED | 2),
            "a write is met behind it");
    disarm();
    arm(2, &watched_data[2], DR7_L(2) | ON_ACCESS(2, 4));
    sum = watched_data[2];
    promise(nr_met == 1 && sum == 2 && met_dr6 == (DR6_FIXED | 4),
            "and a read, if asked for");
    disarm();
    watched_data[1] = watched_data[2] = 0;
    promise(nr_met == 1, "no more when that is off");
}

/* They go with DR7 of the moment, also by MOV. */
static void by_instruction(void)
{
    expect_none();
    nr_met = 0;
    TRY("mov %0, %%dr0\n\tmov %1, %%dr7",
        : "r"((uintptr_t)watched_code), "r"(DR7_L(0)));
    run_watched_code();
    TRY("mov %0, %%dr7", : "r"(0ul));
    run_watched_code();
    promise(none() && nr_met == 1, "MOV to the registers arms as well");
    disarm();
}

int main(void)
{
    trap_handle(1, met);
    hypercall_set_debugreg(6, 0);
    instructions();
    data();
    by_instruction();
    return verdict();
}
