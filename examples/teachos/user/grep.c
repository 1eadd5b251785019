/* grep TEXT [FILE...]: the lines with (TEXT) in them. */
#include "lib/lib.h"

int main(int argc, char **argv)
{
    char line[512];
    int found = 1;

    if (argc < 2) {
        fprintf(2, "usage: grep TEXT [FILE...]\n");
        return 2;
    }
    for (int i = 2; i < argc || i == 2; i++) {
        long fd = argc > 2 ? open(argv[i], OPEN_READ) : 0;

        if (fd < 0) {
            complain("grep", argv[i], fd);
            return 2;
        }
        while (read_line(fd, line, sizeof line)) {
            if (!strstr(line, argv[1]))
                continue;
            printf("%s\n", line);
            found = 0;
        }
        if (fd)
            close(fd);
    }
    return found;
}
