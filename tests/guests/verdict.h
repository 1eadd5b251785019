/*
 * How a test image says what it found: a line for each promise, and the exit
 * status. Silence is an error, so the last line tells that it came to its end.
 */
#ifndef TESTS_GUESTS_VERDICT_H
#define TESTS_GUESTS_VERDICT_H

#include <stdbool.h>
#include <stdio.h>

static int broken_promises;

/* One promise, as a sentence. Returns whether it holds. */
static inline bool promise(bool holds, const char *claim)
{
    printf("%s: %s\n", holds ? "ok" : "FAIL", claim);
    broken_promises += !holds;
    return holds;
}

/* What main() returns. */
static inline int verdict(void)
{
    printf("verdict: %s\n", broken_promises ? "failure" : "success");
    return broken_promises ? 1 : 0;
}

#endif
