/*
 * host/store/number.c: strict decimal numbers.
 */
#include "host/store/number.h"

#include <errno.h>

int number_parse(const char *text, size_t len, uint64_t *value)
{
    uint64_t sum = 0;

    if (len == 0)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(text[i] - '0'), &sum))
            return -EINVAL;
    }
    *value = sum;
    return 0;
}
