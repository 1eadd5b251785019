/*
 * pvguest/vcpu.h: the virtual CPUs of the domain: how many there are, starting
 * and stopping them, interrupting each other, and a word of their own.
 *
 * The guest begins on vCPU 0. The others are offline until somebody starts
 * them: a program with threads need not, because the first parallel thread
 * (pvguest/thread.h; every pthread is one) starts all. A kernel with a
 * scheduler of its own uses this file and leaves those alone.
 *
 * All of it works as PV and as PVH. Once vcpu_start was called the GS base of
 * every vCPU is the library's.
 */
#ifndef PVGUEST_VCPU_H
#define PVGUEST_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/vcpu.h>

#define VCPU_MAX 64 /* of those that the domain may have, how many are used */

/* How many the domain was given, online or not: 1 at least. */
unsigned vcpu_count(void);

/* The calling one's number, from 0. */
unsigned vcpu_id(void);

/*
 * Have vCPU (id) run (entry)(arg) on the stack that ends at (stack_top), with
 * events kept out (pvguest/event.h) and the FPU as new; returning from (entry)
 * is vcpu_stop. Page tables and trap handlers are those of the caller's image.
 * The stack is the caller's, who may reuse it when the vCPU is down again.
 * 0; -ENOENT: the domain has no such vCPU; -EBUSY: it runs; -ENOMEM; or what
 * the hypervisor says against it. (xen/vcpu.h, VCPUOP_initialise, VCPUOP_up)
 */
int vcpu_start(unsigned id, void (*entry)(void *arg), void *arg,
               void *stack_top);

/*
 * Take the calling vCPU offline, until somebody starts it again. Not vCPU 0,
 * to which events go that were bound nowhere else.
 */
_Noreturn void vcpu_stop(void);

/* Does (id) run? False as well where there is none. */
bool vcpu_is_up(unsigned id);

/*
 * Interrupt vCPU (id), which was started or is 0: an event that calls the
 * function of vcpu_set_ipi_handler over there as a handler, once for all that
 * were sent before it came to that; and one that ends a sleep. 0, or -ENOENT
 * if nobody started it.
 */
int vcpu_send_ipi(unsigned id);
void vcpu_set_ipi_handler(void (*fn)(void *context), void *context);

/* A word for each vCPU, the program's own; NULL if never set. */
void *vcpu_data(void);
void vcpu_set_data(void *data);

/*
 * How long the calling vCPU ran, waited for a CPU, slept: kept up to date by
 * the hypervisor from the first call on. NULL if it refuses.
 */
const volatile struct vcpu_runstate_info *vcpu_runstate(void);

#endif
