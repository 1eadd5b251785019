/*
 * host/backend/terminal.c: raw mode and the way back.
 *
 * State is global because there is one terminal, and signal handlers and
 * atexit() have no argument to find it by.
 */
#include "host/backend/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "host/backend/console.h"

static struct termios saved;
static volatile sig_atomic_t is_raw;

bool terminal_make_raw(void)
{
    static bool at_exit;
    struct termios raw;

    /* From the background, tcsetattr would stop the whole process. */
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
        tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &saved))
        return false;

    raw = saved;
    cfmakeraw(&raw);
    raw.c_oflag |= saved.c_oflag & (OPOST | ONLCR);
    if (!at_exit) {
        atexit(console_restore_terminal);
        at_exit = true;
    }
    is_raw = 1; /* before: a signal in between restores what was not changed */
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw)) {
        is_raw = 0;
        return false;
    }
    return true;
}

void console_restore_terminal(void)
{
    int error = errno;

    if (is_raw) {
        is_raw = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
    }
    errno = error;
}
