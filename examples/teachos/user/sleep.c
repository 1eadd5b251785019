/* sleep SECONDS */
#include "lib/lib.h"

int main(int argc, char **argv)
{
    long seconds = argc == 2 ? number(argv[1]) : -1;

    if (seconds < 0) {
        fprintf(2, "usage: sleep SECONDS\n");
        return 2;
    }
    return sleep_ms((unsigned long)seconds * 1000) ? 1 : 0;
}
