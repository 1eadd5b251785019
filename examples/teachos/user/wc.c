/* wc [FILE...]: count lines, words and bytes. */
#include "lib/lib.h"

static int count(const char *name, long fd)
{
    unsigned long lines = 0, words = 0, bytes = 0;
    bool in_word = false;
    char text[512];
    long n;

    while ((n = read(fd, text, sizeof text)) > 0) {
        bytes += (unsigned long)n;
        for (long i = 0; i < n; i++) {
            bool blank = strchr(" \t\n", text[i]) != NULL;

            lines += text[i] == '\n';
            words += in_word && blank;
            in_word = !blank;
        }
    }
    if (n < 0)
        return complain("wc", name, n);
    printf("%lu %lu %lu%s%s\n", lines, words + in_word, bytes, *name ? " " : "",
           name);
    return 0;
}

int main(int argc, char **argv)
{
    int status = argc < 2 ? count("", 0) : 0;

    for (int i = 1; i < argc; i++) {
        long fd = open(argv[i], OPEN_READ);

        status |= fd < 0 ? complain("wc", argv[i], fd) : count(argv[i], fd);
        close(fd);
    }
    return status;
}
