/*
 * host/log.h: one human sentence on stderr. The house rule for host errors: a
 * function returns negative errno and has said, once, what object, which
 * value, and what to do about it.
 */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include <stdarg.h>
#include <stdbool.h>

/* "paravane: ..." always. The sentence needs no newline. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, for things that go on working. */
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Only with -v. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What --trace asked for; the caller has checked that it did. */
void log_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

void log_set_verbose(bool verbose);

#endif
