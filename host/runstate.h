/*
 * host/runstate.h: how a vCPU spends its time, as Xen tells it. (xen/vcpu.h)
 *
 * RUNSTATE_runnable, the time that it wanted to run and had no CPU, is what the
 * kernel counts for its thread, from when the guest first asks for any of this.
 */
#ifndef HOST_RUNSTATE_H
#define HOST_RUNSTATE_H

#include <stdint.h>

#include <xen/vcpu.h>

struct vcpu;

/* Part of vcpu_create; then what the thread needs of the kernel, on any thread
 * once (vcpu)'s is there and before the sandbox closes; and its end. */
void runstate_create(struct vcpu *vcpu, uint64_t now_ns);
void runstate_begin(struct vcpu *vcpu);
void runstate_end(struct vcpu *vcpu);

/* The guest looks at (vcpu)'s from now on. */
void runstate_watch(struct vcpu *vcpu);

/*
 * Change the runstate (RUNSTATE_*), account the time spent in the old one and
 * publish it where the guest asked for it.
 */
void runstate_set(struct vcpu *vcpu, int state);

/* The same with no change, if the last is long ago. By (vcpu)'s own thread. */
void runstate_refresh(struct vcpu *vcpu, uint64_t now_ns);

/* The runstate with its times up to now. */
struct vcpu_runstate_info runstate_now(const struct vcpu *vcpu);

/* Copy the runstate to the area the guest registered, if any. */
void runstate_publish(struct vcpu *vcpu);

#endif
