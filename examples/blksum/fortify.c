/*
 * Distributions compile nettle with _FORTIFY_SOURCE, which asks for functions
 * that musl does not have. Only a debugging aid of nettle's calls this one.
 */
#include <stdarg.h>
#include <stdio.h>

int __fprintf_chk(FILE *file, int level, const char *format, ...);

int __fprintf_chk(FILE *file, int level, const char *format, ...)
{
    va_list args;
    int len;

    (void)level;
    va_start(args, format);
    len = vfprintf(file, format, args);
    va_end(args);
    return len;
}
