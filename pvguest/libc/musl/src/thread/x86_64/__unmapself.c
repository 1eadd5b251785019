/*
 * A detached thread's last step: its stack is freed once it no longer runs.
 */
#include "pthread_impl.h"

_Noreturn void guest_libc_exit_unmap(void *stack, size_t size);

void __unmapself(void *stack, size_t size)
{
    guest_libc_exit_unmap(stack, size);
}
