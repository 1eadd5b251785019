/*
 * tests/unit/build/image_fixture.h: an image to bend, and what is said of it.
 */
#ifndef TESTS_UNIT_BUILD_IMAGE_FIXTURE_H
#define TESTS_UNIT_BUILD_IMAGE_FIXTURE_H

#include <string.h>

#include <criterion/criterion.h>

#include "host/build/image.h"
#include "tests/unit/build/test_elf.h"

/* The file's bytes, and what image_open() made of them. */
extern struct test_elf elf;
extern struct image *image;

/* For .init and .fini of a suite: a good file; nothing open. */
void image_make(void);
void image_forget(void);

/* Open the file as it is now, which must be accepted. */
void image_open_good(void);

/* Open the image at (path), which must be refused in one line: that line. */
const char *refusal_of(const char *path);

#define expect_refusal_of(path, words)                                         \
    do {                                                                       \
        const char *said_ = refusal_of(path);                                  \
        cr_expect(strstr(said_, words), "expected '%s' in: %s", words, said_); \
    } while (0)

#define expect_refusal(words) \
    expect_refusal_of(test_elf_write(&elf, sizeof elf), words)

#endif
