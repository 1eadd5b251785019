/*
 * host/cli/lint.h: paravane inspect --lint.
 */
#ifndef HOST_CLI_LINT_H
#define HOST_CLI_LINT_H

#include <stdbool.h>
#include <stdint.h>

#include "host/config.h"
#include "host/lint/lint.h"

#define LINT_MAX_EXCEPTIONS 64

struct lint_wish {
    enum abi abi; /* ABI_AUTO: as the image offers */
    bool json;
    const char *exceptions[LINT_MAX_EXCEPTIONS]; /* patterns of fnmatch */
    unsigned nr_exceptions;
};

/* All that is told, found and counted before a word is printed. */
struct lint_report {
    const struct lint_wish *wish;
    const struct image *image;
    bool as_pv;
    struct lint lint;              /* as PV */
    struct lint_vm_calls vm_calls; /* as PVH */
    char lacks[2][256];            /* sentences: what every PV kernel needs */
    unsigned nr_lacks;
    uint64_t counts[NR_SENSITIVE_GROUPS]; /* neither excepted nor placed */
    uint64_t nr_excepted;
    uint64_t nr_alternatives; /* in code that Linux puts in, or replaces */
    uint64_t to_mend;         /* what the exit status is about */
};

/* Report on the file (path); returns paravane's exit status. */
int lint_report(const char *path, const struct lint_wish *wish);

/* Is it one that is listed and counted? */
bool lint_counts(const struct lint_report *report,
                 const struct lint_finding *finding);

/* Words for programs: "silent", "faults", "stack", "emulated". */
const char *lint_group_name(enum sensitive_group group);

/* lint_json.c: the whole as one object. */
void lint_print_json(const struct lint_report *report);

#endif
