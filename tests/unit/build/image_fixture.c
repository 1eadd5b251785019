#include "tests/unit/build/image_fixture.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct test_elf elf;
struct image *image;

void image_make(void)
{
    test_elf_init(&elf);
}

void image_forget(void)
{
    image_close(image);
    image = NULL;
}

void image_open_good(void)
{
    if (image_open(test_elf_write(&elf, sizeof elf), &image))
        abort(); /* it said why */
}

const char *refusal_of(const char *path)
{
    static char said[1024];
    int fd = memfd_create("stderr", 0), saved = dup(STDERR_FILENO), rc;
    struct image *opened;
    ssize_t len;

    dup2(fd, STDERR_FILENO);
    rc = image_open(path, &opened);
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
