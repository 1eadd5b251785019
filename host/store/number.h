/*
 * host/store/number.h: numbers as the store's values spell them: strict
 * decimal, digits and nothing else.
 */
#ifndef HOST_STORE_NUMBER_H
#define HOST_STORE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* (len) digits at (text), no NUL needed: 0, or -EINVAL (empty, too large). */
int number_parse(const char *text, size_t len, uint64_t *value);

#endif
