/*
 * Threads are pvguest's: (stack) holds the new one, (tls) is its FS base.
 * (flags) are always those of pthread_create.
 */
#include <stdarg.h>

#include "pthread_impl.h"

int guest_libc_clone(int (*fn)(void *), void *arg, void *stack, int *ptid,
                     void *tls, int *ctid);

int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
    va_list args;
    int *ptid, *ctid;
    void *tls;

    va_start(args, arg);
    ptid = va_arg(args, int *);
    tls = va_arg(args, void *);
    ctid = va_arg(args, int *);
    va_end(args);
    return guest_libc_clone(fn, arg, stack, ptid, tls, ctid);
}
