/*
 * host/cli/print.h: what a file says, on stdout.
 */
#ifndef HOST_CLI_PRINT_H
#define HOST_CLI_PRINT_H

/* It is shown, but must not steer the terminal: control characters are '?'. */
void print_text(const char *text);

#endif
