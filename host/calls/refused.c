/* Hypercalls of control domains: they exist, but not for this one. */
#include <errno.h>

#include "host/calls/calls.h"

long call_privileged(void *opaque, const uint64_t *args)
{
    (void)opaque;
    (void)args;
    return -EPERM;
}
