/* Amounts of memory, as people write them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/config.h"
#include "host/log.h"
#include "host/memory.h"

#define MIB_SHIFT 20

/* The power of two that a suffix stands for, or -1. */
static int suffix_shift(const char *suffix)
{
    static const char letters[] = "kmgt";
    const char *found;

    if (!*suffix)
        return MIB_SHIFT;
    found = strchr(letters, *suffix | 0x20); /* either case */
    if (!found || !*found || suffix[1])
        return -1;
    return 10 * (int)(found - letters + 1);
}

int memory_size_parse(const char *text, uint64_t *bytes)
{
    uint64_t number;
    char *suffix;
    int shift;

    errno = 0;
    number = strtoull(text, &suffix, 10);
    shift = suffix_shift(suffix);
    if (*text < '0' || *text > '9' || shift < 0) {
        log_error("'%.64s' is not an amount of memory: write 64M, 1G or 8192K; "
                  "a plain number counts MiB; see 'paravane run --help'",
                  text);
        return -EINVAL;
    }
    if (errno == ERANGE || number > UINT64_MAX >> shift) {
        log_error(
            "'%.64s' is more memory than can be counted: write 64M or 1G; "
            "see 'paravane run --help'",
            text);
        return -EINVAL;
    }
    number <<= shift;
    if (number == 0 || number % PAGE_SIZE) {
        log_error("a guest cannot have '%.64s' of memory: it takes one or more "
                  "pages of 4K, say 64M; see 'paravane run --help'",
                  text);
        return -EINVAL;
    }
    *bytes = number;
    return 0;
}
