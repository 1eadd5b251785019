/* The command line of paravane. */
#include <stdio.h>
#include <string.h>

#include "host/cli/cli.h"

static const char help[] =
    "usage: paravane COMMAND [OPTIONS]\n"
    "\n"
    "Runs Xen-ABI paravirtualized guests without Xen.\n"
    "\n"
    "  run [OPTIONS] IMAGE [-- ARGS...]  run a guest\n"
    "  inspect IMAGE                     what an image is, and what can run "
    "it\n"
    "  doctor                            what this host can run, and what is\n"
    "                                    missing for the rest\n"
    "  help                              this text\n"
    "\n"
    "  --version                         print the version\n"
    "\n"
    "'paravane COMMAND --help' tells more about each.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", cli_run},
    {"inspect", cli_inspect},
    {"doctor", cli_doctor},
};

static int print_help(void)
{
    fputs(help, stdout);
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : NULL;

    if (!command)
        return cli_bad_usage(NULL, "a command is missing");
    if (!strcmp(command, "help") || !strcmp(command, "--help") ||
        !strcmp(command, "-h"))
        return print_help();
    if (!strcmp(command, "--version") || !strcmp(command, "-V")) {
        puts("paravane " PARAVANE_VERSION);
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(command, commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    return cli_bad_usage(NULL, "there is no command '%s'", command);
}
