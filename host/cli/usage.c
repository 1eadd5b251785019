#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "host/cli/cli.h"
#include "host/log.h"

int cli_bad_usage(const char *command, const char *format, ...)
{
    char sentence[768];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    log_error("%s; see 'paravane %s%s--help'", sentence, command ? command : "",
              command ? " " : "");
    return STATUS_BAD_USAGE;
}

int cli_bad_option(const char *command, int result, char **argv)
{
    const char *given = argv[optind - 1];

    if (result == ':')
        return cli_bad_usage(command, "option '%s' needs a value", given);
    if (optopt >= 256) /* a long one that takes none: --verbose=3 */
        return cli_bad_usage(command, "option '%s' takes no value", given);
    if (optopt)
        return cli_bad_usage(command, "unknown option '-%c'", optopt);
    return cli_bad_usage(command, "unknown or ambiguous option '%s'", given);
}

#define OPTION_JSON 256 /* no letter */

bool cli_report_options(int argc, char **argv, const char *help, bool *json,
                        int *status)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, OPTION_JSON},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int result;

    opterr = 0;
    while ((result = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (result == OPTION_JSON) {
            *json = true;
            continue;
        }
        if (result == 'h') {
            fputs(help, stdout);
            *status = STATUS_OK;
        } else {
            *status = cli_bad_option(argv[0], result, argv);
        }
        return false;
    }
    return true;
}
