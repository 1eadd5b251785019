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
 * Finding number (finding) lies in line (line) of (file), whose code begins at
 * (start): of several the nearest one is right. False: nobody listens.
 */
typedef bool (*lines_answer)(void *to, size_t finding, uint64_t start,
                             const char *file, unsigned line);

/*
 * The child's part: (answer) for each of (lint)'s findings that (fd), the
 * image, tells a line of. False: it has debug information that cannot be read.
 */
bool lines_read(int fd, const struct lint *lint, lines_answer answer, void *to);

#endif
