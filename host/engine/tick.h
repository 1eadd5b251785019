/*
 * host/engine/tick.h: the timer signal that interrupts guest code, at the
 * vCPU's next deadline and never more than 10 ms apart. What the signal does
 * is its engine's affair. Each vCPU has a timer, which signals its thread.
 */
#ifndef HOST_ENGINE_TICK_H
#define HOST_ENGINE_TICK_H

#include <signal.h>

#include "host/vcpu.h"

#define TICK_SIGNAL SIGALRM

/*
 * What handlers do wherever they come: the thread sanitizer, which may be what
 * they interrupt, shall not hear of it.
 */
#define UNSANITIZED __attribute__((no_sanitize("thread")))

/*
 * Make the timer of (vcpu), unarmed, which the sandbox lets be set: 0, or
 * -errno. Called on its thread, if there are several.
 */
int tick_create(struct vcpu *vcpu);
void tick_destroy(struct vcpu *vcpu);

/* Set it, unless it is set to an earlier time already. */
void tick_arm(struct vcpu *vcpu);

/* From the signal's handler: it is not set any more. */
void tick_rang(struct vcpu *vcpu);

#endif
