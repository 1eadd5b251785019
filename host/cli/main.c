/* The command line of paravane. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/log.h"

static const char help[] =
    "usage: paravane COMMAND [OPTIONS]\n"
    "\n"
    "Runs Xen-ABI paravirtualized guests without Xen.\n"
    "\n"
    "  run [OPTIONS] IMAGE [-- ARGS...]  run a guest\n"
    "  inspect IMAGE                     what an image is, and what can run "
    "it;\n"
    "                                    --lint: what it cannot do as PV\n"
    "  doctor                            what this host can run, and what is\n"
    "                                    missing for the rest\n"
    "  traps                             what becomes of sensitive "
    "instructions\n"
    "                                    on this host\n"
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
    {"traps", cli_traps},
};

static int print_help(void)
{
    fputs(help, stdout);
    return STATUS_OK;
}

/*
 * A standard stream that the caller closed would become the number of the next
 * file we open, and get what is meant for the stream. Something that cannot be
 * written stands in for it; to read it is to be at its end.
 */
static void fill_standard_streams(void)
{
    struct pollfd streams[] = {
        {.fd = STDIN_FILENO}, {.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}};
    const nfds_t nr = sizeof streams / sizeof *streams;

    if (poll(streams, nr, 0) <= 0)
        return;
    for (nfds_t i = 0; i < nr; i++)
        if (streams[i].revents & POLLNVAL)
            open("/dev/null", O_RDONLY); /* the lowest number that is free */
}

/* What was printed may have gone nowhere: the disk behind stdout was full. */
static int check_stdout(int status)
{
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    log_error("stdout: %m; not all of the answer was written: send it where "
              "there is room");
    return STATUS_HOST_TROUBLE;
}

static int run_command(int argc, char **argv)
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

int main(int argc, char **argv)
{
    fill_standard_streams();
    return check_stdout(run_command(argc, argv));
}
