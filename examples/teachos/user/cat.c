/* cat [FILE...]: write files, or the input, to the output. */
#include "lib/lib.h"

static int copy(const char *name, long fd)
{
    char bytes[512];
    long n;

    while ((n = read(fd, bytes, sizeof bytes)) > 0) {
        long written = write(1, bytes, (size_t)n);

        if (written != n)
            return written < 0 ? complain("cat", "output", written) : 1;
    }
    return n < 0 ? complain("cat", name, n) : 0;
}

int main(int argc, char **argv)
{
    int status = argc < 2 ? copy("input", 0) : 0;

    for (int i = 1; i < argc; i++) {
        long fd = open(argv[i], OPEN_READ);

        if (fd < 0) {
            status = complain("cat", argv[i], fd);
            continue;
        }
        status |= copy(argv[i], fd);
        close(fd);
    }
    return status;
}
