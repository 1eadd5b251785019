/*
 * tests/unit/build/refusal.h: what is said about images that are refused.
 */
#ifndef TESTS_UNIT_BUILD_REFUSAL_H
#define TESTS_UNIT_BUILD_REFUSAL_H

/* Open the image at (path), which must be refused in one line: that line. */
const char *refusal_of(const char *path);

#endif
