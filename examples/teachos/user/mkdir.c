/* mkdir FOLDER...: make folders. */
#include "lib/lib.h"

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++) {
        long rc = mkdir(argv[i]);

        if (rc)
            status = complain("mkdir", argv[i], rc);
    }
    return status;
}
