/*
 * pvdrivers/handshake.h: how a frontend and its backend find each other, once
 * for all drivers: the states of xen/io/xenbus.h, spoken through xenstore.
 *
 *   backend            frontend            calls
 *   InitWait      ->                       offer, publish (in a transaction)
 *                 <-   Initialised
 *   Connected     ->                       connect
 *                 <-   Connected
 *
 * or, for a device whose backend acts on Connected alone (at_once):
 *
 *   InitWait      ->                       offer, publish (in a transaction)
 *                 <-   Connected
 *   Connected     ->                       connect
 *
 * and in the end:
 *
 *   Closing       ->                       stop
 *                 <-   Closing, Closed
 *   Closed        ->                       withdraw
 *                 <-   Initialising        and again from the top
 *
 * A backend that vanishes or starts anew without a word is taken as Closed. It
 * all happens on the store's thread, driven by a watch on the backend's state;
 * only open and close run on the caller's.
 */
#ifndef PVDRIVERS_HANDSHAKE_H
#define PVDRIVERS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/io/xenbus.h>

#include <pvguest/store.h>
#include <pvguest/thread.h>

#define HANDSHAKE_PATH 160

struct handshake;

/* Each returns 0 or negative errno, which ends the connection with an error. */
struct handshake_ops {
    /* Say Connected with the keys, as Linux's netback wants it. */
    bool at_once;

    /* The backend said what it can: make rings, grant them, open a port. */
    int (*offer)(struct handshake *hs);

    /* Write the keys about them; again when the transaction has to be. */
    int (*publish)(struct handshake *hs, uint32_t tx);

    /* The backend is ready: read what it says, start. */
    int (*connect)(struct handshake *hs);

    /* The backend wants to leave: send nothing more. */
    void (*stop)(struct handshake *hs);

    /* The backend let go: undo offer. Also after an offer that failed. */
    void (*withdraw)(struct handshake *hs);

    /* There will be no other backend: (error) is final. */
    void (*gone)(struct handshake *hs, int error);
};

struct handshake {
    const struct handshake_ops *ops; /* the driver's, as is (node) */
    char node[64];                   /* "device/vbd/51712" */

    char backend[HANDSHAKE_PATH]; /* absolute */
    domid_t backend_id;
    enum xenbus_state ours, theirs;
    bool offered;      /* withdraw is due some time */
    bool connected;    /* both are, and connect was called */
    bool closing;      /* by us: the store's thread only looks */
    unsigned refusals; /* Closed without Connected before, in a row */
    int error;         /* why it ended for good */
    int failure;       /* why it has to, see handshake_fail */
    const char *failed;
    char state_path[HANDSHAKE_PATH + 8];
    struct store_watch watch;
    struct wait_queue changed; /* woken on every step */
};

/*
 * Begin. Returns when connected, 0, or negative errno: -ENODEV without such a
 * device, -ETIMEDOUT when the backend does not come.
 */
int handshake_open(struct handshake *hs);

/* Take leave in an orderly way; withdraw has been called at its end. */
void handshake_close(struct handshake *hs);

/*
 * The driver found the backend broken: leave for good, and say why. From event
 * handlers too; what there is to do follows on the store's thread.
 */
void handshake_fail(struct handshake *hs, int error, const char *why);

/* A number in the backend's directory, or (fallback) if there is none. */
uint64_t handshake_number(struct handshake *hs, const char *key,
                          uint64_t fallback);

/* Write (key) in our own directory, or see that it is not there. */
int handshake_write(struct handshake *hs, uint32_t tx, const char *key,
                    const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int handshake_remove(struct handshake *hs, uint32_t tx, const char *key);

#endif
