/*
 * The library's lock. While there is one vCPU it is a number that counts.
 */
#include <pvguest/spinlock.h>
#include <pvguest/thread.h>

#include "schedule.h"
#include "this_vcpu.h"

static struct spinlock library;

void guest_lock(void)
{
    if (this_vcpu()->lock_depth++ == 0 && guest_smp)
        spin_lock(&library);
}

void guest_unlock(void)
{
    if (--this_vcpu()->lock_depth == 0 && guest_smp)
        spin_unlock(&library);
}

unsigned lock_drop(void)
{
    struct guest_vcpu *self = this_vcpu();
    unsigned depth = self->lock_depth;

    self->lock_depth = 0;
    spin_unlock(&library);
    return depth;
}

void lock_take(unsigned depth)
{
    spin_lock(&library);
    this_vcpu()->lock_depth = depth;
}

/* Depth 1 is that of who waits or yields, and ends with it. */
void lock_pass(void)
{
    unsigned depth = this_vcpu()->lock_depth;

    if (depth > 1 && guest_smp && spin_is_wanted(&library)) {
        lock_drop();
        lock_take(depth);
    }
}

void lock_becomes_real(void)
{
    if (guest_boot_vcpu.lock_depth)
        spin_lock(&library);
}
