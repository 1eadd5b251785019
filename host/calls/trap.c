/* Where the guest wants its traps, events and system calls. */
#include <errno.h>
#include <stdint.h>

#include <xen/callback.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pagetable.h"
#include "host/pv/bounce.h"

#define RPL_MASK 3

/* Enough for any list that does not repeat itself; then others' turn. */
#define TRAPS_PER_TURN 256

static void clear_traps(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < 256; i++)
        vcpu->traps[i] = (struct trap_entry){0};
}

/* Entries before a bad one stay. */
long call_set_trap_table(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    uint64_t from = args[0];
    struct trap_info trap;

    if (!from) {
        clear_traps(vcpu);
        return 0;
    }
    for (unsigned n = 1;; n++, from += sizeof trap) {
        if (guest_read(vcpu, guest_addr(from), &trap, sizeof trap))
            return -EFAULT;
        if (trap.address == 0)
            return 0;
        if (!va_is_guest(trap.address))
            return -EINVAL;
        vcpu->traps[trap.vector] = (struct trap_entry){
            .address = trap.address,
            .cs = trap.cs | RPL_MASK,
            .flags = trap.flags & 7,
        };
        if (n % TRAPS_PER_TURN == 0 && !call_breathe(vcpu))
            return 0;
    }
}

/* The legacy form; never fails. */
long call_set_callbacks(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;

    vcpu->event.address = args[0];
    vcpu->failsafe.address = args[1];
    vcpu->syscall.address = args[2];
    return 0;
}

static struct callback *find_callback(struct vcpu *vcpu, uint16_t type)
{
    switch (type) {
    case CALLBACKTYPE_event:
        return &vcpu->event;
    case CALLBACKTYPE_failsafe:
        return &vcpu->failsafe;
    case CALLBACKTYPE_syscall:
        return &vcpu->syscall;
    case CALLBACKTYPE_syscall32:
        return &vcpu->syscall32;
    case CALLBACKTYPE_sysenter:
        return &vcpu->sysenter;
    case CALLBACKTYPE_nmi:
        return &vcpu->nmi;
    default:
        return NULL;
    }
}

static long register_callback(struct vcpu *vcpu, uint64_t arg)
{
    struct callback_register op;
    struct callback *callback;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (!va_is_guest(op.address))
        return -EINVAL;
    callback = find_callback(vcpu, op.type);
    if (!callback)
        return -ENOSYS;
    callback->address = op.address;
    callback->mask_events = op.flags & CALLBACKF_mask_events;
    return 0;
}

static long unregister_callback(struct vcpu *vcpu, uint64_t arg)
{
    struct callback_unregister op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (!find_callback(vcpu, op.type))
        return -ENOSYS;
    if (op.type != CALLBACKTYPE_nmi)
        return -EINVAL; /* a guest cannot do without the others */
    vcpu->nmi = (struct callback){0};
    return 0;
}

long call_callback_op(void *opaque, const uint64_t *args)
{
    switch ((int)args[0]) {
    case CALLBACKOP_register:
        return register_callback(opaque, args[1]);
    case CALLBACKOP_unregister:
        return unregister_callback(opaque, args[1]);
    default:
        return -ENOSYS;
    }
}

/* The stack for traps from user mode; a bad one shows when it is used. */
long call_stack_switch(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;

    vcpu->kernel_ss = (args[0] & 0xffff) | RPL_MASK;
    vcpu->kernel_sp = args[1];
    return 0;
}

/* Where it goes on is in the frame on its stack, the value of RAX as well. */
long call_iret(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;

    (void)args;
    tell_sync_regs(vcpu);
    bounce_iret(vcpu);
    tell_set_regs(vcpu);
    return (long)vcpu->regs.rax;
}
