/*
 * host/cli/cli.h: the subcommands. Each gets its own arguments, argv[0] being
 * the subcommand's name, and returns paravane's exit status.
 */
#ifndef HOST_CLI_CLI_H
#define HOST_CLI_CLI_H

#include <stdbool.h>

enum exit_status {
    STATUS_OK = 0,
    STATUS_HOST_TROUBLE = 1, /* a sentence was said */
    STATUS_BAD_USAGE = 2,    /* a sentence and a hint to --help were said */
    STATUS_FINDINGS = 3,     /* inspect --lint found something to mend */
};

int cli_run(int argc, char **argv);
int cli_inspect(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_traps(int argc, char **argv);

/*
 * Say one sentence about the arguments of (command), NULL: of paravane itself,
 * and where to read about them. Returns STATUS_BAD_USAGE.
 */
int cli_bad_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * For getopt_long with opterr = 0: say what is wrong with the argument it
 * stopped at, having returned (result): '?' or ':'. Returns STATUS_BAD_USAGE.
 */
int cli_bad_option(const char *command, int result, char **argv);

/*
 * Read the options of a command that reports: --json, and --help, which prints
 * (help). True: argv[optind] is the first argument; false: the command ends
 * with *status.
 */
bool cli_report_options(int argc, char **argv, const char *help, bool *json,
                        int *status);

#endif
