/*
 * host/lint/lint.h: the sensitive instructions of a PV kernel image: which, at
 * what address, in what function, from what line.
 *
 * What is executable is read as 64-bit code from its first byte to its last,
 * anew from the start of each function where there are symbols. Data between
 * instructions that no symbol tells of is taken for code, and what is found
 * there never runs; so it is where there are no symbols at all.
 */
#ifndef HOST_LINT_LINT_H
#define HOST_LINT_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/build/image.h"
#include "host/lint/sensitive.h"

/* As many are kept; more are counted. */
#define LINT_MAX_FINDINGS 65536

/* Linux puts code in the place of other code while it boots. */
enum lint_place {
    LINT_PLAIN,
    LINT_REPLACED,    /* other code is put there on some CPUs */
    LINT_REPLACEMENT, /* runs only where it is put in place of other code */
};

struct lint_finding {
    uint64_t va;
    const struct sensitive *what;
    uint8_t length;
    uint8_t bytes[15];
    enum lint_place place;
    const char *function; /* NULL: no symbol says; the linter's */
    uint64_t offset;      /* into it */
    char *file;           /* the source's name, or NULL; its own */
    unsigned line;
    uint64_t line_start; /* va of the line's first byte */
};

/* Symbols of code, and of data that lies between. */
struct lint_symbol {
    uint64_t va, size; /* size 0: up to the next one */
    uint32_t name;     /* in the strings */
    bool is_data;
};

struct lint {
    struct lint_finding *findings; /* by address */
    size_t nr_findings;
    uint64_t nr_unlisted; /* beyond LINT_MAX_FINDINGS */

    uint64_t nr_instructions;
    uint64_t nr_undecoded;   /* bytes that are no instruction */
    uint64_t nr_hypercalls;  /* SYSCALL instructions */
    uint64_t pvh_entry;      /* va of the 32-bit code there, which is left out;
                                0: none that is known */
    bool patches_itself;     /* the image has Linux's lists of alternatives */
    bool has_lines;          /* it has debug information that was looked into */
    char lines_trouble[160]; /* "", or why not all lines are there */

    struct lint_symbol *symbols; /* by address */
    size_t nr_symbols;
    char *strings;
};

/*
 * Look at all code of (image), which is 64-bit: 0, or -errno with a sentence
 * logged. Destroy it in every case.
 */
int lint_image(struct image *image, struct lint *lint);
void lint_destroy(struct lint *lint);

/*
 * How a PVH kernel calls: by VMCALL and VMMCALL, which KVM would answer by
 * itself, unless they are the whole of a function and so were replaced when the
 * image was loaded.
 */
struct lint_vm_calls {
    uint64_t found, replaced;
};

/* 0, or -errno with a sentence logged. Those of 32-bit files are not found. */
int lint_vm_calls(struct image *image, struct lint_vm_calls *calls);

/*
 * Look at (size) bytes of code that the guest sees at (va): finds are added to
 * (lint), which was zeroed at first. False: no memory, which was said.
 */
bool lint_code(struct lint *lint, const uint8_t *bytes, size_t size,
               uint64_t va);

/* Of the findings, which are sorted by then: the first at (va) or behind. */
size_t lint_first_finding(const struct lint *lint, uint64_t va);

#endif
