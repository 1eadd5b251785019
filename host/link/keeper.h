/*
 * host/link/keeper.h: a process beside the domain's that makes the other ends
 * of a link, the first and, when one has died, the next. The domain has given
 * up the right to start programs and to open sockets by then; all that it can
 * ask of its keeper is to do the same thing once more.
 */
#ifndef HOST_LINK_KEEPER_H
#define HOST_LINK_KEEPER_H

struct sandbox;

/*
 * What the keeper does when it is asked: a descriptor that does not block, of a
 * connected stream socket or a device, or -errno. Whatever it had made before
 * is of no use any more.
 */
typedef int (*keeper_fn)(void *context);

/*
 * Fork one: its descriptor, which is readable when something can be taken, or
 * -errno. It ends when the descriptor is closed, or with the caller's thread.
 * The caller's other descriptors are not open in it, but for 0 to 2.
 */
int keeper_start(keeper_fn make, void *context);

/* The first: waits for (make) to be done once, and returns what it did. */
int keeper_first(int keeper);

/*
 * Ask for another one, to be taken when there is one: after failures, and after
 * those that did not live long, it takes its time, up to seconds.
 */
void keeper_ask(int keeper);

/* It; -EAGAIN: not yet; another -errno: the keeper is gone. */
int keeper_take(int keeper);

/*
 * The same, in the place of (fd), so that who allowed calls on that need not
 * allow others: 0, -EAGAIN, or -errno. A keeper that is gone is told and
 * closed, (*keeper) -1 from then on.
 */
int keeper_renew(int *keeper, int fd);

/* The system calls that asking and taking need, in the place of (fd). */
void keeper_allow(int keeper, int fd, struct sandbox *sandbox);

#endif
