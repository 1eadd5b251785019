/*
 * host/engine/fault.h: the end of the shim by a signal that no guest's doing
 * explains: it has a bug.
 */
#ifndef HOST_ENGINE_FAULT_H
#define HOST_ENGINE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Give the terminal back, say that (signal) came at (rip), and exit with 1.
 * (what) is the system call that the sandbox (refused), or an address.
 */
_Noreturn void fault_end(int signal, uint64_t rip, bool refused, uint64_t what);

/* Have every signal that a bug may raise end so. 0, or -errno. */
int fault_watch(void);

#endif
