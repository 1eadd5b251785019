/*
 * forks: as many processes as there can be; then all end. Nobody else is hurt.
 */
#include "lib/lib.h"

int main(void)
{
    long children = 0, rc;

    while ((rc = fork()) > 0)
        children++;
    if (rc == 0) {
        sleep_ms(100000);
        return 1;
    }
    printf("%s after some: %s\n", children > 10 ? "refused" : "too early",
           error_text(rc));
    for (unsigned n = 0;; n++) {
        struct teachos_process about;

        if (process_info(n, &about))
            break;
        if (about.parent == getpid() && about.state != PROCESS_FREE)
            kill(about.id);
    }
    while (wait(NULL) > 0)
        children--;
    return children == 0 && rc == E_AGAIN ? 0 : 1;
}
