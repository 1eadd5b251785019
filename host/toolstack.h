/*
 * host/toolstack.h: what a toolstack does for a domain through xenstore: the
 * part of the tree that it lays out before the guest starts, as libxl does,
 * and the few words it exchanges with a running guest.
 */
#ifndef HOST_TOOLSTACK_H
#define HOST_TOOLSTACK_H

#include <stdint.h>

struct domain;

/*
 * Lay out /local/domain/<id>, /vm/<uuid> and domain 0's own part, for a domain
 * with dom->store and dom->rings. 0, or -errno with a sentence logged.
 */
int toolstack_publish(struct domain *dom);

/*
 * Ask the guest to shut down: (reason) is "poweroff", "reboot", "suspend",
 * "halt" or "crash". 0 or -errno. The guest answers in its own time or never.
 */
int toolstack_request_shutdown(struct domain *dom, const char *reason);

/* The memory that the guest shall leave itself: 0 or -errno. */
int toolstack_set_target(struct domain *dom, uint64_t bytes);

/* A letter for the kernel's debugging keys: 0 or -errno. */
int toolstack_send_sysrq(struct domain *dom, char key);

/*
 * What the guest's main returned, from data/exit-status: 0 with *status in
 * 0..255 (0 when the guest said nothing), or -EINVAL with a sentence logged
 * when it wrote something else.
 */
int toolstack_exit_status(struct domain *dom, int *status);

#endif
