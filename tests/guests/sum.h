/* What bytes a guest saw, in a number that a test can work out as well. */
#ifndef TESTS_GUESTS_SUM_H
#define TESTS_GUESTS_SUM_H

#include <stddef.h>
#include <stdint.h>

/* Go on from (total), 1 at the beginning. */
static inline uint32_t sum(uint32_t total, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        total = total * 31 + bytes[i];
    return total;
}

#endif
