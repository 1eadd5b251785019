/*
 * host/engine/tick.h: the timer signal that interrupts guest code, at the
 * vCPU's next deadline and never more than 10 ms apart. What the signal does
 * is its engine's affair.
 */
#ifndef HOST_ENGINE_TICK_H
#define HOST_ENGINE_TICK_H

#include <signal.h>

#include "host/vcpu.h"

#define TICK_SIGNAL SIGALRM

/* Make the timer, unarmed: 0, or -errno. */
int tick_create(void);
void tick_destroy(void);

/* The kernel's number for it: what the sandbox lets timer_settime have. */
int tick_timer(void);

/* Set it, unless it is set to an earlier time already. */
void tick_arm(struct vcpu *vcpu);

/* From the signal's handler: it is not set any more. */
void tick_rang(void);

#endif
