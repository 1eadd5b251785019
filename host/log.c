#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/log.h"

#define LINE_SIZE 1024

static bool log_verbose;

void log_set_verbose(bool verbose)
{
    log_verbose = verbose;
}

/*
 * Sentences quote what a file or a guest said: nothing of that may reach the
 * user's terminal as a control sequence.
 */
static void make_printable(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f)
            text[i] = '?';
    }
}

/* One write(2) per line: no stdio, so it works in a signal handler as well. */
static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nowhere left to complain */
        line += n;
        len -= (size_t)n;
    }
}

static void log_line(const char *prefix, const char *format, va_list args)
{
    char line[LINE_SIZE];
    int saved_errno = errno;
    size_t start = (size_t)snprintf(line, sizeof line, "%s", prefix);
    size_t len = start;
    int n;

    n = vsnprintf(line + start, sizeof line - start - 1, format, args);
    if (n > 0) {
        size_t room = sizeof line - start - 2;

        len += (size_t)n < room ? (size_t)n : room;
    }
    make_printable(line + start, len - start);
    line[len++] = '\n';
    write_line(line, len);
    errno = saved_errno;
}

void log_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_line("paravane: ", format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_line("paravane: warning: ", format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;

    if (!log_verbose)
        return;
    va_start(args, format);
    log_line("paravane: ", format, args);
    va_end(args);
}

void log_trace(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_line("", format, args);
    va_end(args);
}
