/*
 * host/cli/restart.h: a domain that starts again when its guest reboots.
 *
 * What a guest was built from cannot be opened in the sandbox that it runs in,
 * so somebody stays outside: a parent that starts a process for each run, and
 * does nothing but wait for it and hand on signals.
 */
#ifndef HOST_CLI_RESTART_H
#define HOST_CLI_RESTART_H

#include <stdbool.h>

struct domain_config;

/* One run in this process: paravane's exit status; *again after a reboot. */
typedef int (*restart_fn)(const struct domain_config *config, bool *again);

/*
 * Call (run) in a child, and again in another as long as it says so. Returns
 * the last status; a child that a signal ended is 128 plus its number.
 */
int restart_while_asked(restart_fn run, const struct domain_config *config);

#endif
