/* A unikernel of your own: copy this folder anywhere and go on from here. */
#include <stdio.h>

int main(int argc, char **argv)
{
    printf("Hello from a unikernel of my own");
    for (int i = 1; i < argc; i++)
        printf(" %s", argv[i]);
    printf(".\n");
    return 0;
}
