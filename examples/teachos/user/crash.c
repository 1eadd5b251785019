/*
 * crash [read | write | jump | execute | privileged | divide] [ADDRESS]: try
 * what no program may. A page of the kernel is the default address.
 */
#include "lib/lib.h"

#define KERNEL 0x411000ul

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "read";
    volatile unsigned long *at = (unsigned long *)KERNEL;
    long zero = number("0");
    static char data[1] = {(char)0xc3}; /* ret */

    if (strcmp(what, "read") == 0)
        printf("%lx\n", *at);
    else if (strcmp(what, "write") == 0)
        *at = 1;
    else if (strcmp(what, "jump") == 0)
        ((void (*)(void))(uintptr_t)at)();
    else if (strcmp(what, "execute") == 0)
        ((void (*)(void))(uintptr_t)data)();
    else if (strcmp(what, "privileged") == 0)
        __asm__ volatile("mov %%cr3, %%rax" ::: "rax");
    else if (strcmp(what, "divide") == 0)
        return (int)(7 / zero);
    printf("it did not\n");
    return 0;
}
