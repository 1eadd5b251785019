/* multicall: several hypercalls for the price of one. */
#include <errno.h>

#include "host/calls/calls.h"
#include "host/domain.h"

/* A call that ended the domain ends the list as well. */
static int read_guest(void *opaque, uint64_t va, void *buf, size_t len)
{
    const struct vcpu *vcpu = opaque;

    if (vcpu->domain->end != DOMAIN_RUNS)
        return -EFAULT;
    return guest_read(opaque, guest_addr(va), buf, len);
}

static int write_guest(void *opaque, uint64_t va, const void *buf, size_t len)
{
    return guest_write(opaque, guest_addr(va), buf, len);
}

static long call_one(void *opaque, uint64_t nr, const uint64_t *args)
{
    return domain_hypercall(opaque, nr, args);
}

long call_multicall(void *opaque, const uint64_t *args)
{
    return hypercall_run_list(opaque, args[0], (uint32_t)args[1], read_guest,
                              write_guest, call_one);
}
