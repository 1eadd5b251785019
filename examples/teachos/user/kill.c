/* kill PROCESS...: end processes. */
#include "lib/lib.h"

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++) {
        long rc = kill(number(argv[i]));

        if (rc)
            status = complain("kill", argv[i], rc);
    }
    return status;
}
