/*
 * Random bytes come from the CPU or not at all: a guest has no other source
 * that deserves the name.
 */
#include <cpuid.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "linux.h"

#define TRIES 100 /* the generator may run dry for a moment */

static bool has_rdrand(void)
{
    static int known = -1;
    unsigned eax, ebx, ecx, edx;

    if (known < 0)
        known = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_RDRND);
    return known;
}

static bool draw(uint64_t *word)
{
    bool ok = false;

    for (int i = 0; i < TRIES && !ok; i++)
        __asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ok));
    return ok;
}

long linux_getrandom(void *buf, size_t len, unsigned flags)
{
    size_t done = 0;

    (void)flags;
    if (!has_rdrand())
        return -ENOSYS;
    while (done < len) {
        size_t n = len - done;
        uint64_t word;

        if (!draw(&word))
            return done ? (long)done : -EAGAIN;
        if (n > sizeof word)
            n = sizeof word;
        memcpy((char *)buf + done, &word, n);
        done += n;
    }
    return (long)done;
}
