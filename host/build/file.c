#include "host/build/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/log.h"

static int check_kind(const char *path, const char *what, const struct stat *st)
{
    if (S_ISDIR(st->st_mode))
        log_error("%s: this is a directory: give the path of a file as %s",
                  path, what);
    else if (!S_ISREG(st->st_mode))
        log_error("%s: this is not a regular file: give the path of one as %s",
                  path, what);
    else if (st->st_size == 0)
        log_error("%s: the file is empty: build or copy it again", path);
    else
        return 0;
    return -ENOEXEC;
}

int file_open(const char *path, const char *what, int *fd, uint64_t *size)
{
    struct stat st = {0};
    int rc;

    /* O_NONBLOCK: a FIFO without a writer shall not hang us */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (*fd < 0 || fstat(*fd, &st)) {
        rc = -errno;
        log_error("%s: cannot open %s: %s", path, what, strerror(-rc));
    } else {
        rc = check_kind(path, what, &st);
    }
    if (!rc) {
        *size = (uint64_t)st.st_size;
    } else if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}

int file_read(const char *path, int fd, uint64_t offset, void *to, uint64_t len)
{
    uint8_t *bytes = to;

    while (len > 0) {
        ssize_t n = pread(fd, bytes, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int rc = -errno;

            log_error("%s: cannot be read: %s", path, strerror(-rc));
            return rc;
        }
        if (n == 0) {
            log_error("%s: the file became shorter while it was read: start "
                      "again when it is written",
                      path);
            return -ENOEXEC;
        }
        bytes += n;
        offset += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return 0;
}
