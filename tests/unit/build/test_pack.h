/*
 * tests/unit/build/test_pack.h: kernels packed as Linux's build packs them.
 */
#ifndef TESTS_UNIT_BUILD_TEST_PACK_H
#define TESTS_UNIT_BUILD_TEST_PACK_H

#include <stddef.h>
#include <stdint.h>

/*
 * What the program (name) makes of (content), without a trailer: its length, or
 * 0 where its library is missing. Aborts when (size) bytes are too few.
 */
size_t test_pack(const char *name, const void *content, size_t len,
                 uint8_t *packed, size_t size);

#endif
