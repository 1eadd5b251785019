#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "host/build/image.h"
#include "tests/unit/build/refusal.h"

const char *refusal_of(const char *path)
{
    static char said[1024];
    int fd = memfd_create("stderr", 0), saved = dup(STDERR_FILENO), rc;
    struct image *image;
    ssize_t len;

    dup2(fd, STDERR_FILENO);
    rc = image_open(path, &image);
    dup2(saved, STDERR_FILENO);
    len = pread(fd, said, sizeof said - 1, 0);
    said[len > 0 ? len : 0] = '\0';
    close(saved);
    close(fd);
    cr_assert_lt(rc, 0, "it was not refused");
    cr_expect_eq(strchr(said, '\n'), said + strlen(said) - 1,
                 "not one line: %s", said);
    return said;
}
