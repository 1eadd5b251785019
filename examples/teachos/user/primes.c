/* primes N: how many primes there are below N; to have something computed. */
#include "lib/lib.h"

static bool is_prime(unsigned long n)
{
    for (unsigned long d = 2; d * d <= n; d++)
        if (n % d == 0)
            return false;
    return n > 1;
}

int main(int argc, char **argv)
{
    long limit = argc == 2 ? number(argv[1]) : -1;
    unsigned long found = 0;

    if (limit < 0) {
        fprintf(2, "usage: primes N\n");
        return 2;
    }
    for (unsigned long n = 2; n < (unsigned long)limit; n++)
        found += is_prime(n);
    printf("%lu\n", found);
    return 0;
}
