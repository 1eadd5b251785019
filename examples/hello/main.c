/*
 * hello: the smallest guest: says what it runs on, and powers off.
 */
#include <stdio.h>

#include <hypercall/calls.h>

int main(int argc, char **argv)
{
    long version = hypercall_version();

    printf("Hello from a Paravane guest.\n");
    printf("hypervisor interface: Xen %ld.%ld\n", version >> 16,
           version & 0xffff);
    for (int i = 1; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    return 0;
}
