/* ps: the processes, and how much memory is free. */
#include "lib/lib.h"

int main(void)
{
    static const char *const states[] = {"", "runs", "waits", "ended"};
    struct teachos_process about;

    printf("%4s %6s %3s %-5s %5s %8s %s\n", "ID", "PARENT", "CPU", "STATE",
           "PAGES", "CPU/ms", "NAME");
    for (unsigned n = 0; process_info(n, &about) == 0; n++)
        if (about.state != PROCESS_FREE)
            printf("%4d %6d %3u %-5s %5lu %8lu %s\n", about.id, about.parent,
                   about.cpu, states[about.state], about.pages,
                   about.cpu_ns / 1000000, about.name);
    printf("%ld pages are free, %ld virtual CPUs\n", memory_free(), nr_cpus());
    return 0;
}
