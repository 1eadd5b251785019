/*
 * bench syscall | fault | fork | switch N: do that N times, and nothing else,
 * so that somebody else can count what it costs.
 */
#include "lib/lib.h"

#define PAGE 4096ul

static void syscalls(long n)
{
    while (n--)
        getpid();
}

/* A page that was never touched, every time. */
static void faults(long n)
{
    volatile char *at = sbrk((unsigned long)n * PAGE);

    for (; at && n--; at += PAGE)
        *at = 1;
}

/* And its end. */
static void forks(long n)
{
    while (n--) {
        if (fork() == 0)
            exit(0);
        wait(NULL);
    }
}

/* There and back between two processes. */
static void switches(long n)
{
    int there[2], back[2];
    char c = 0;

    if (pipe(there) || pipe(back))
        exit(1);
    if (fork() == 0) {
        while (n-- && read(there[0], &c, 1) == 1)
            write(back[1], &c, 1);
        exit(0);
    }
    while (n-- && write(there[1], &c, 1) == 1)
        read(back[0], &c, 1);
    wait(NULL);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(long n);
    } kinds[] = {
        {"syscall", syscalls},
        {"fault", faults},
        {"fork", forks},
        {"switch", switches},
    };
    long n = argc == 3 ? number(argv[2]) : -1;

    for (unsigned i = 0; n >= 0 && i < sizeof kinds / sizeof *kinds; i++) {
        unsigned long before;

        if (strcmp(argv[1], kinds[i].name) != 0)
            continue;
        before = time_ns();
        kinds[i].fn(n);
        printf("%ld %s: %lu ns each\n", n, argv[1],
               (time_ns() - before) / (unsigned long)(n ? n : 1));
        return 0;
    }
    fprintf(2, "usage: bench syscall | fault | fork | switch N\n");
    return 2;
}
