/* rm PATH...: remove files, and folders that are empty. */
#include "lib/lib.h"

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++) {
        long rc = unlink(argv[i]);

        if (rc)
            status = complain("rm", argv[i], rc);
    }
    return status;
}
