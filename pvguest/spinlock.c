/*
 * Waiting for a lock: a while by looking, then asleep until whoever unlocks
 * sends an event to the port of the vCPU whose turn it is.
 */
#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/spinlock.h>
#include <pvguest/vcpu.h>

#include <hypercall/calls.h>

#include "internal.h"
#include "this_vcpu.h"

#define LOOKS 1024 /* some microseconds: longer than what should be locked */

/*
 * A handler that interrupted somebody who was about to sleep may have taken
 * that one's event for its own: nobody sleeps for longer than this.
 */
#define NAP_NS 1000000ull

static bool is_turn(const struct spinlock *lock, uint32_t ticket)
{
    return __atomic_load_n(&lock->owner, __ATOMIC_SEQ_CST) == ticket;
}

static void nap(struct guest_vcpu *vcpu, struct spinlock *lock, uint32_t ticket)
{
    struct spinlock *outer = vcpu->awaited;
    uint32_t outer_ticket = vcpu->awaited_ticket;

    event_forget(vcpu->kick_port);
    vcpu->awaited_ticket = ticket;
    __atomic_store_n(&vcpu->awaited, lock, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&lock->sleepers, 1, __ATOMIC_SEQ_CST);
    if (!is_turn(lock, ticket))
        hypercall_poll(&vcpu->kick_port, 1, clock_system_ns() + NAP_NS);
    __atomic_fetch_sub(&lock->sleepers, 1, __ATOMIC_SEQ_CST);
    vcpu->awaited_ticket = outer_ticket;
    __atomic_store_n(&vcpu->awaited, outer, __ATOMIC_SEQ_CST);
}

void spinlock_wait(struct spinlock *lock, uint32_t ticket)
{
    for (;;) {
        for (unsigned i = 0; i < LOOKS; i++) {
            if (is_turn(lock, ticket))
                return;
            __builtin_ia32_pause();
        }
        if (this_vcpu()->kick_port)
            nap(this_vcpu(), lock, ticket);
        else
            hypercall_yield();
    }
}

void spinlock_wake(struct spinlock *lock, uint32_t ticket)
{
    for (unsigned i = 0; i < VCPU_MAX; i++) {
        struct guest_vcpu *vcpu =
            __atomic_load_n(&guest_vcpus[i], __ATOMIC_ACQUIRE);

        if (vcpu && __atomic_load_n(&vcpu->awaited, __ATOMIC_SEQ_CST) == lock &&
            vcpu->awaited_ticket == ticket)
            event_send(vcpu->kick_port);
    }
}
