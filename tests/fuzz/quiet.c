/*
 * In place of host/log.c, for targets whose every input is refused with a
 * sentence.
 */
#include "host/log.h"

void log_error(const char *format, ...)
{
    (void)format;
}

void log_warning(const char *format, ...)
{
    (void)format;
}

void log_info(const char *format, ...)
{
    (void)format;
}

void log_trace(const char *format, ...)
{
    (void)format;
}

void log_set_verbose(bool verbose)
{
    (void)verbose;
}
