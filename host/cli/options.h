/*
 * host/cli/options.h: the arguments of 'paravane run' as a domain_config.
 */
#ifndef HOST_CLI_OPTIONS_H
#define HOST_CLI_OPTIONS_H

#include <stdbool.h>

#include "host/config.h"

/*
 * Read (argv), argv[0] being "run". Returns STATUS_OK, or another exit status
 * with a sentence logged. (help) is set if only help is wanted. (config) points
 * into (argv); destroy it in every case.
 */
int options_parse_run(int argc, char **argv, struct domain_config *config,
                      bool *help);
void options_destroy(struct domain_config *config);

#endif
