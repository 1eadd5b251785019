/*
 * host/probe/try.h: what the probes are made of. (private)
 *
 * Each probe is a straight line: what leads up to the instruction, the
 * instruction, and a look at what it did. If it traps, the handler goes on
 * behind it with the stack as it was.
 */
#ifndef HOST_PROBE_TRY_H
#define HOST_PROBE_TRY_H

#include <stdbool.h>
#include <stdint.h>

#include "host/probe/probe.h"

#define RFLAGS_IF 0x200ul

/* Named by assembly, and changed behind the compiler's back. */
extern volatile uint64_t probe_resume, probe_stack;

/*
 * Try (code). Behind it come operands and clobbers of an asm statement, R11
 * among these; its first colon is left away.
 */
#define TRY(code, ...)                                                      \
    __asm__ volatile("leaq 801f(%%rip), %%r11\n\t"                          \
                     "movq %%r11, probe_resume(%%rip)\n\t"                  \
                     "movq %%rsp, probe_stack(%%rip)\n\t" code "\n801:\n\t" \
                     "movq $0, probe_resume(%%rip)"                         \
                     : __VA_ARGS__)

/* What LGDT and LIDT load. */
struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

typedef const struct probe_world *world_t;

/* RFLAGS, as PUSHF shows it. */
uint64_t probe_flags(void);

/* In ring 0 alone, where that is not itself what is tried. */
void probe_set_interrupts(world_t world, bool on);

/* The trap that came was of what leads up to the instruction. */
void probe_forget(void);

/* Where to try it, and whether it leaves a value. */
enum { EVERYWHERE = 0, RING3_ONLY = 1, SHOWS = 2 };

/* clang-format off */
#define EACH_PROBE(X)                                                       \
    X(pushf, "pushf", SHOWS)                                                \
    X(popf, "popf", SHOWS)                                                  \
    X(iret, "iret", SHOWS)                                                  \
    X(sgdt, "sgdt", SHOWS)                                                  \
    X(sidt, "sidt", SHOWS)                                                  \
    X(sldt, "sldt", SHOWS)                                                  \
    X(str, "str", SHOWS)                                                    \
    X(smsw, "smsw", SHOWS)                                                  \
    X(lar, "lar", SHOWS)                                                    \
    X(lsl, "lsl", SHOWS)                                                    \
    X(verr, "verr", EVERYWHERE)                                             \
    X(verw, "verw", EVERYWHERE)                                             \
    X(mov_from_cs, "mov from cs", SHOWS)                                    \
    X(cpuid, "cpuid", SHOWS)                                                \
    X(forced_cpuid, "ud2 xen cpuid", SHOWS)                                 \
    X(rdtsc, "rdtsc", EVERYWHERE)                                           \
    X(cli, "cli", EVERYWHERE)                                               \
    X(sti, "sti", EVERYWHERE)                                               \
    X(hlt, "hlt", RING3_ONLY)                                               \
    X(lgdt, "lgdt", EVERYWHERE)                                             \
    X(lidt, "lidt", EVERYWHERE)                                             \
    X(lldt, "lldt", EVERYWHERE)                                             \
    X(ltr, "ltr", EVERYWHERE)                                               \
    X(lmsw, "lmsw", EVERYWHERE)                                             \
    X(clts, "clts", EVERYWHERE)                                             \
    X(mov_from_cr0, "mov from cr0", SHOWS)                                  \
    X(mov_to_cr0, "mov to cr0", EVERYWHERE)                                 \
    X(mov_from_cr2, "mov from cr2", SHOWS)                                  \
    X(mov_to_cr2, "mov to cr2", EVERYWHERE)                                 \
    X(mov_from_cr3, "mov from cr3", SHOWS)                                  \
    X(mov_to_cr3, "mov to cr3", EVERYWHERE)                                 \
    X(mov_from_cr4, "mov from cr4", SHOWS)                                  \
    X(mov_to_cr4, "mov to cr4", EVERYWHERE)                                 \
    X(mov_from_cr8, "mov from cr8", SHOWS)                                  \
    X(mov_to_cr8, "mov to cr8", EVERYWHERE)                                 \
    X(mov_from_dr, "mov from dr", SHOWS)                                    \
    X(mov_to_dr, "mov to dr", EVERYWHERE)                                   \
    X(invlpg, "invlpg", EVERYWHERE)                                         \
    X(wbinvd, "wbinvd", EVERYWHERE)                                         \
    X(rdmsr, "rdmsr", SHOWS)                                                \
    X(wrmsr, "wrmsr", EVERYWHERE)                                           \
    X(swapgs, "swapgs", EVERYWHERE)                                         \
    X(sysret, "sysret", RING3_ONLY)                                         \
    X(in, "in", SHOWS)                                                      \
    X(out, "out", EVERYWHERE)                                               \
    X(ins, "ins", SHOWS)                                                    \
    X(outs, "outs", EVERYWHERE)
/* clang-format on */

/*
 * Each returns whether ring 0's effect was there, and may leave a value: those
 * of silent.c do not trap in ring 3, those of privileged.c do.
 */
#define DECLARE(function, name, how) \
    bool try_##function(world_t world, uint64_t *value);
EACH_PROBE(DECLARE)
#undef DECLARE

#endif
