/*
 * host/lint/sensitive.h: instructions that do in ring 3 something else than in
 * ring 0, what a PV kernel meets instead, and what it should do in their place.
 *
 * Which of them are carried out is told by host/pv/, where that is done, and
 * for all hosts alike by Xen's own list; tests/unit/lint/ compares the two.
 */
#ifndef HOST_LINT_SENSITIVE_H
#define HOST_LINT_SENSITIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sensitive_group {
    SENSITIVE_SILENT,   /* no trap, and not what ring 0 would see or do */
    SENSITIVE_FAULTS,   /* a trap that nobody settles: the guest gets it */
    SENSITIVE_STACK,    /* memory that an event or a trap overwrites */
    SENSITIVE_EMULATED, /* a trap that Xen, and we, settle: slow, but right */
    NR_SENSITIVE_GROUPS,
};

/* Texts, not pointers to them: nothing to relocate when paravane starts. */
struct sensitive {
    char name[16]; /* as assemblers have it: "popf", "mov to cr3" */
    enum sensitive_group group;
    char happens[144]; /* in ring 3 under Xen */
    char instead[112];
};

/* One instruction, as far as a linter cares. */
struct sensitive_code {
    uint8_t length;
    bool hypercall;               /* SYSCALL: how a PV kernel calls, unaided */
    const struct sensitive *what; /* NULL: an innocent one */
};

/*
 * Take apart the 64-bit code at (bytes), of which (size) can be had. CPUID
 * behind Xen's prefix counts as one innocent instruction. 0; -EILSEQ if that
 * is no instruction, or none that ends within (size).
 */
int sensitive_look(const uint8_t *bytes, size_t size,
                   struct sensitive_code *code);

/* All of them, for those who list or test: NULL beyond the last. */
const struct sensitive *sensitive_at(size_t index);

#endif
