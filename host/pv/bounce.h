/*
 * host/pv/bounce.h: delivering a trap or an event to a PV guest: the frame
 * pushed on the guest's stack and the registers it continues with, the same on
 * every engine. (vcpu->regs) is the interrupted state on entry and the
 * handler's on return, in kernel mode whichever mode was interrupted.
 */
#ifndef HOST_PV_BOUNCE_H
#define HOST_PV_BOUNCE_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

struct trap {
    uint8_t vector;
    bool has_error;
    uint32_t error; /* with the U bit as the guest kernel shall see it */
    uint64_t cr2;   /* vector 14 */
};

/*
 * Deliver (trap) to the handler in the guest's trap table. Without a handler,
 * or when its stack cannot be written, the domain crashes with a report.
 */
void bounce_trap(struct vcpu *vcpu, const struct trap *trap);

/* Is there something for bounce_event to deliver? */
bool bounce_is_due(const struct vcpu *vcpu);

/*
 * Deliver an NMI if one is pending, then the event upcall if one is and is not
 * masked.
 */
void bounce_event(struct vcpu *vcpu);

/*
 * DS, ES, FS and GS, which were (selectors), could not be loaded again: tell
 * the guest, which has a callback for that or crashes.
 */
void bounce_failsafe(struct vcpu *vcpu, const uint16_t selectors[4]);

/*
 * A SYSCALL of a user program, done but for the jump: vcpu->regs are those
 * behind it. Without a callback it is an undefined instruction.
 */
void bounce_syscall(struct vcpu *vcpu);

/*
 * A SYSENTER. The CPU keeps neither its RIP nor its RSP: those in vcpu->regs
 * are what the frame will say. Without a callback it is a protection fault.
 */
void bounce_sysenter(struct vcpu *vcpu);

/*
 * iret.c: the iret hypercall: take the frame at vcpu->regs.rsp and continue
 * there. An unreadable frame crashes the domain, and one for user mode without
 * user page tables.
 */
void bounce_iret(struct vcpu *vcpu);

#endif
