/*
 * host/lint/lines.h: from addresses to lines of the source, by the image's
 * debug information. (private)
 *
 * That is large, intricate, and as hostile as all of a file can be; so a child
 * process reads it, which may do nothing but read the image and answer.
 */
#ifndef HOST_LINT_LINES_H
#define HOST_LINT_LINES_H

#include "host/build/elf.h"
#include "host/lint/lint.h"

/*
 * Fill in file and line of the findings, which are sorted: 0, or -errno with a
 * sentence. That some lines could not be found is no error, but told in
 * lint->lines_trouble.
 */
int lint_find_lines(const struct image *image, const struct elf *elf,
                    struct lint *lint);

/* Was it built with what reads them? */
extern const bool lines_can_be_read;

/*
 * The child's part: write an answer for each of (lint)'s findings that (fd),
 * the image, tells a line of. False: it has debug information that cannot be
 * read.
 */
bool lines_read(int fd, const struct lint *lint,
                bool (*answer)(void *to, size_t finding, const char *file,
                               unsigned line),
                void *to);

#endif
