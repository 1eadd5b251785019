/*
 * host/backend/net.h: the network backend: netif (xen/io/netif.h) over pairs
 * of rings, grants and event channels, with a link (host/link/) behind.
 */
#ifndef HOST_BACKEND_NET_H
#define HOST_BACKEND_NET_H

struct domain;

/*
 * Open the link of every network device of dom->config, publish their
 * directories in the store, allow in dom->sandbox what they need, and wait for
 * frontends. 0, or -errno with a sentence logged and nothing left behind.
 */
int net_create_all(struct domain *dom);

/*
 * Ask the guest to let go of the device called by its number, which is not
 * given again: 0, or -ENOENT.
 */
int net_unplug(struct domain *dom, const char *number);

/* Disconnect, close, say under -v what passed. Without any, nothing. */
void net_destroy_all(struct domain *dom);

#endif
