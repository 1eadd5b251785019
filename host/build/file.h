/*
 * host/build/file.h: the files that a domain is built from.
 *
 * They are read, never mapped: others may cut or rewrite them while we look.
 * What has gone missing since is an error instead of a SIGBUS.
 */
#ifndef HOST_BUILD_FILE_H
#define HOST_BUILD_FILE_H

#include <stdint.h>

/*
 * Open the regular file (path), which must not be empty, and learn how long it
 * is. (what) names it in sentences, as in "the image". 0, or -errno with a
 * sentence logged: -ENOEXEC for what is no such file.
 */
int file_open(const char *path, const char *what, int *fd, uint64_t *size);

/*
 * Copy (len) bytes at (offset) of (fd), which sentences call (path): 0, or
 * -errno with a sentence logged, also when the file became shorter meanwhile.
 */
int file_read(const char *path, int fd, uint64_t offset, void *to,
              uint64_t len);

#endif
