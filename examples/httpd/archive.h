/* httpd/archive.h: files in a tar archive that is a whole disk. */
#ifndef HTTPD_ARCHIVE_H
#define HTTPD_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file {
    char *name; /* "docs/index.html", without ./ or / before it */
    uint64_t at, size;
    uint64_t modified; /* seconds since 1970 */
};

/*
 * Read the table of the first disk: how many files it has, 0 without a disk,
 * -1 (with a sentence on stderr) if it is no archive.
 */
long archive_open(void);

/* NULL if there is none of that name. */
const struct file *archive_find(const char *name);

/* Are there files below (name), which has no slash at its end? */
bool archive_has_folder(const char *name);

/*
 * (len) bytes of (file) from (at) on, which must be there: false if the disk
 * fails.
 */
bool archive_read(const struct file *file, uint64_t at, char *bytes,
                  size_t len);

/* Requests to the disk: all so far, and those under way. */
uint64_t archive_nr_reads(void);
unsigned archive_nr_pending(void);

#endif
