/*
 * pvguest/shutdown.h: being asked from outside to end, by xenstore's
 * control/shutdown: what `xl shutdown`, or an interrupt key on the host, does.
 *
 * The library watches for it by itself, from the first time the program waits
 * for something. The request is acknowledged, then the hook runs on the store's
 * thread; without one, or when it returns, the guest ends as it was asked to.
 */
#ifndef PVGUEST_SHUTDOWN_H
#define PVGUEST_SHUTDOWN_H

/*
 * Call (hook) with the SHUTDOWN_* reason (xen/sched.h) before ending: to sync
 * disks, or to end in a way of the program's own. NULL removes it.
 */
void shutdown_set_hook(void (*hook)(unsigned reason));

#endif
