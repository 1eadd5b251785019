/* The best of several rounds: on a shared machine, what the code can do. */
#ifndef TESTS_BENCH_ROUNDS_H
#define TESTS_BENCH_ROUNDS_H

#include <stdint.h>

#define ROUNDS  20
#define REPEATS 100000

/* Nanoseconds that one (operation) takes, by the clock (now_ns). */
static inline double best_ns(void (*operation)(void), uint64_t (*now_ns)(void))
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = now_ns();
        double ns;

        for (int i = 0; i < REPEATS; i++)
            operation();
        ns = (double)(now_ns() - begin) / REPEATS;
        if (ns < best)
            best = ns;
    }
    return best;
}

#endif
