/*
 * host/traps/traps.h: what becomes of each sensitive instruction on this host:
 * in an ordinary process, and in a guest on each engine. A tiny guest that
 * tries them is a part of paravane (probe/).
 */
#ifndef HOST_TRAPS_TRAPS_H
#define HOST_TRAPS_TRAPS_H

#include <stdbool.h>
#include <stddef.h>

#include "host/config.h"
#include "host/probe/probe.h"

#define TRAPS_MAX_PROBES 64

/* One place where all were tried. */
struct traps_place {
    bool tried;    /* else (why) says what is missing */
    char why[384]; /* also if not all of them came to an end */
    struct probe_result results[TRAPS_MAX_PROBES];
};

/* In a process of its own, natively: nobody is below but the kernel. */
void traps_try_native(struct traps_place *place);

/* In a guest on (engine), as ABI_PV or ABI_PVH. */
void traps_try_guest(const char *engine, enum abi abi,
                     struct traps_place *place);

/*
 * What a child process says on (fd), until it ends: lines of PROBE_LINE; all
 * others are ignored. Closes (fd), and ends the child (pid) if it does not end
 * within (seconds). Returns the child's status, as of waitpid.
 */
int traps_read(int fd, int pid, unsigned seconds, struct traps_place *place);

/* What a child process does: it tells (to) of each probe. Returns its status.
 */
typedef int traps_child(const void *arg, int to);

/*
 * Start (child) with (arg), and read what it says: true, with its (status) as
 * of waitpid; false if it could not be started, and (place) says why.
 */
bool traps_run(traps_child *child, const void *arg, unsigned seconds,
               struct traps_place *place, int *status);

#endif
