/* Where the guest wants its traps, events and system calls. */
#include <errno.h>
#include <stdint.h>

#include <xen/callback.h>
#include <xen/nmi.h>

#include "host/calls/calls.h"
#include "host/domain.h"
#include "host/engine/tell.h"
#include "host/pagetable.h"
#include "host/pv/bounce.h"

#define RPL_MASK   3
#define VECTOR_NMI 2

/* trap_info.flags (xen/arch-x86/xen.h): TI_SET_IF */
#define TRAP_MASKS_EVENTS 4

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
        if (!va_is_canonical(trap.address))
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

/* The callback of (type); NULL for NMIs, which have another place. */
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
    default:
        return NULL;
    }
}

/* (address) has been found canonical. An event masks events anyway. */
static void set_callback(struct callback *callback, uint64_t address,
                         uint16_t flags)
{
    callback->address = address;
    callback->mask_events = flags & CALLBACKF_mask_events;
}

/* The callback is the entry of the trap table, under another name. */
static void set_nmi(struct vcpu *vcpu, uint64_t address)
{
    vcpu->traps[VECTOR_NMI] = (struct trap_entry){
        .address = address,
        .cs = FLAT_KERNEL_CS,
        .flags = TRAP_MASKS_EVENTS,
    };
}

static void clear_nmi(struct vcpu *vcpu)
{
    vcpu->traps[VECTOR_NMI] = (struct trap_entry){0};
}

/* The legacy form; never fails. What is no address stays as it was. */
long call_set_callbacks(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    struct callback *const callbacks[] = {&vcpu->event, &vcpu->failsafe,
                                          &vcpu->syscall};

    for (unsigned i = 0; i < 3; i++)
        if (va_is_canonical(args[i]))
            set_callback(callbacks[i], args[i], 0);
    return 0;
}

static long register_callback(struct vcpu *vcpu, uint64_t arg)
{
    struct callback_register op;
    struct callback *callback;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (!va_is_canonical(op.address))
        return -EINVAL;
    callback = find_callback(vcpu, op.type);
    if (callback)
        set_callback(callback, op.address, op.flags);
    else if (op.type == CALLBACKTYPE_nmi)
        set_nmi(vcpu, op.address);
    else
        return -ENOSYS;
    return 0;
}

static long unregister_callback(struct vcpu *vcpu, uint64_t arg)
{
    struct callback_unregister op;

    if (guest_read(vcpu, guest_addr(arg), &op, sizeof op))
        return -EFAULT;
    if (find_callback(vcpu, op.type))
        return -EINVAL; /* a guest cannot do without these */
    if (op.type != CALLBACKTYPE_nmi)
        return -ENOSYS;
    clear_nmi(vcpu);
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

/* What callback_op does for NMIs, under the call that was before it. */
long call_nmi_op(void *opaque, const uint64_t *args)
{
    struct vcpu *vcpu = opaque;
    struct xennmi_callback op;

    switch ((uint32_t)args[0]) {
    case XENNMI_register_callback:
        if (guest_read(vcpu, guest_addr(args[1]), &op, sizeof op))
            return -EFAULT;
        if (!va_is_canonical(op.handler_address))
            return -EINVAL;
        set_nmi(vcpu, op.handler_address);
        return 0;
    case XENNMI_unregister_callback:
        clear_nmi(vcpu);
        return 0;
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
