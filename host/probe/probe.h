/*
 * host/probe/probe.h: sensitive instructions, each tried once and seen what
 * comes of it. The same code runs in a process, and as a guest in any ring: it
 * needs neither a C library nor memory, and whoever runs it hands it the traps.
 *
 * An instruction is sensitive if it reads or changes the state of the machine
 * rather than of the program, and so must not be a guest's to carry out
 * unseen. (Popek and Goldberg, "Formal requirements for virtualizable third
 * generation architectures", 1974.)
 */
#ifndef HOST_PROBE_PROBE_H
#define HOST_PROBE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

/* Where it is tried. */
struct probe_world {
    bool ring0;
    uint64_t start, end; /* addresses that are the program's own */
};

enum probe_outcome {
    PROBE_NOT_TRIED, /* it would leave this ring, or sleep */
    PROBE_TRAPPED,
    PROBE_WRONG, /* it ran, and did or saw what ring 0 would not */
    PROBE_RIGHT, /* it ran, to ring 0's effect */
    NR_PROBE_OUTCOMES,
};

struct probe_result {
    enum probe_outcome outcome;
    uint32_t vector; /* of the trap */
    uint64_t error;  /* its error code */
    uint64_t value;  /* what was read, where something is */
};

unsigned probe_count(void);

/* As the linter calls it; and what it would do in ring 0. */
const char *probe_name(unsigned probe);

/* Did it leave a value worth showing? */
bool probe_has_value(unsigned probe);

/*
 * Try one. Interrupts are off where that can be had, and no event may come
 * while they are on for a moment.
 */
void probe_try(unsigned probe, const struct probe_world *world,
               struct probe_result *result);

/*
 * For the trap handler: true if the trap is a probe's own; then go on at *rip
 * with *rsp.
 */
bool probe_caught(unsigned vector, uint64_t error, uint64_t *rip,
                  uint64_t *rsp);

/* A result as a line of a console: "probe 3 trapped 13 0 0", and back. */
#define PROBE_LINE "probe %u %u %u %lx %lx\n"

#endif
