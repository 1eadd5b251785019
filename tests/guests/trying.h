/*
 * Instructions that may trap, in images: each is tried, and goes on behind
 * itself if it did.
 */
#ifndef TESTS_GUESTS_TRYING_H
#define TESTS_GUESTS_TRYING_H

#include <pvguest/trap.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Named by assembly, and changed behind the compiler's back. */
volatile uint64_t try_at, try_resume;

static volatile struct trap_frame seen;
static volatile uint64_t seen_address;
static volatile unsigned nr_seen;

/*
 * Try (code): one instruction, or several, at the first trap of which the rest
 * is left out. Behind it the operands and clobbers of an asm statement, its
 * first colon left away.
 */
#define TRY(code, ...)                            \
    __asm__ volatile("movq $801f, try_resume\n\t" \
                     "movq $800f, try_at\n"       \
                     "800:\n\t" code "\n"         \
                     "801:\n\t"                   \
                     "movq $0, try_resume"        \
                     : __VA_ARGS__)

static bool try_note(struct trap_frame *frame)
{
    seen = *frame;
    seen_address = trap_fault_address();
    nr_seen++;
    if (try_resume)
        frame->rip = try_resume;
    return true;
}

static inline void expect(unsigned vector)
{
    trap_handle(vector, try_note);
    nr_seen = 0;
}

static inline void expect_none(void)
{
    expect(6);
    expect(13);
    expect(14);
}

static inline bool none(void)
{
    if (nr_seen)
        printf("# trap %lu with 0x%lx at 0x%lx, address 0x%lx\n", seen.vector,
               seen.error, seen.rip, seen_address);
    return nr_seen == 0;
}

/* Exactly one trap came, of (vector) with (error). */
static inline bool came(unsigned vector, uint64_t error)
{
    bool right = nr_seen == 1 && seen.vector == vector && seen.error == error;

    if (!right)
        printf("# %u traps, the last is %lu with 0x%lx at 0x%lx\n", nr_seen,
               seen.vector, seen.error, seen.rip);
    return right;
}

#endif
