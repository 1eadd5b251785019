/*
 * A guest that breaks says so, with registers and a backtrace, and ends as
 * crashed: not silently, and not as if it had powered off.
 */
#include <stdio.h>

static int follow(const int *pointer)
{
    return *pointer + 1;
}

int main(void)
{
    const int *volatile wild = (const int *)0x10;

    printf("about to follow a wild pointer\n");
    return follow(wild);
}
