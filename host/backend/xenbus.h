/*
 * host/backend/xenbus.h: the backend half of the handshake that every split
 * driver begins and ends with (xen/io/xenbus.h), and the directories that the
 * toolstack lays out for it, the same for every class of device.
 *
 *   frontend  /local/domain/<N>/device/<class>/<id>     the guest's
 *   backend   /local/domain/0/backend/<class>/<N>/<id>  ours, it may read
 *
 * A backend embeds a struct xenbus_device and lives so: xenbus_create, presets
 * and features (xenbus_preset, xenbus_publish), xenbus_open; then connect and
 * disconnect come and go in pairs as the frontend wishes; xenbus_destroy.
 *
 * Everything in the frontend's directory is hostile: any bytes, any length,
 * gone at any time. It is looked at only inside connect, while the guest does
 * not run, so what connect reads is one consistent snapshot; what the frontend
 * writes later is ignored until it connects anew.
 */
#ifndef HOST_BACKEND_XENBUS_H
#define HOST_BACKEND_XENBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/io/xenbus.h>

struct domain;
struct store_watch;
struct xenbus_device;

#define XENBUS_PATH_MAX 96

struct xenbus_ops {
    /*
     * The frontend says that its keys are there (Initialised, or Connected at
     * once as Mini-OS does). Read them, map the ring, bind the port, publish
     * what belongs before Connected. 0: the state becomes Connected. -errno,
     * with everything undone: the device is closed, and xenbus_fail called for
     * it if (connect) did not.
     */
    int (*connect)(struct xenbus_device *dev);

    /*
     * The frontend is gone or done: finish what is in flight, unmap, unbind.
     * Called once for each connect that returned 0, and never from inside it.
     */
    void (*disconnect)(struct xenbus_device *dev);
};

struct xenbus_device {
    struct domain *dom;
    const char *class; /* "vbd"; the caller's, must stay */
    uint32_t id;       /* virtual-device number, handle... */
    const struct xenbus_ops *ops;
    void *context; /* the backend's own */

    char frontend[XENBUS_PATH_MAX]; /* absolute, no trailing slash */
    char backend[XENBUS_PATH_MAX];

    /* private */
    enum xenbus_state state; /* ours, as last written */
    bool connected;          /* connect succeeded, disconnect not yet called */
    bool online;             /* false: unplugged, no reconnect */
    bool gone; /* it was unplugged, and its directories are removed */
    unsigned nr_failures; /* reported to the user */
    struct store_watch *front_watch;
    struct store_watch *online_watch;
};

/*
 * Make both directories as the toolstack does: links, domids, state 1,
 * online 1, owners. (class), (ops) and (context) stay the caller's. 0 or
 * -errno with a sentence logged and nothing left behind.
 */
int xenbus_create(struct xenbus_device *dev, struct domain *dom,
                  const char *class, uint32_t id, const struct xenbus_ops *ops,
                  void *context);

/*
 * Write a key of the frontend's directory that is the toolstack's to give
 * (virtual-device, mac...), before xenbus_open. 0 or -errno.
 */
int xenbus_preset(struct xenbus_device *dev, const char *key,
                  const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Write a key of the backend's directory: features and configuration before
 * xenbus_open, device data inside connect. 0 or -errno.
 */
int xenbus_publish(struct xenbus_device *dev, const char *key,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * All keys are there: state InitWait, and from now on follow the frontend.
 * 0 or -errno with a sentence logged.
 */
int xenbus_open(struct xenbus_device *dev);

/*
 * Inside connect: the frontend's key, NUL-terminated, copied to (buf). Its
 * length; -ENOENT; -E2BIG when it does not fit; -EINVAL when it has a NUL
 * inside.
 */
long xenbus_read(struct xenbus_device *dev, const char *key, char *buf,
                 size_t size);

/*
 * Inside connect: the frontend's key as a strict decimal number: 0; -ENOENT
 * (absence is an answer, (value) untouched); -EINVAL for anything but
 * 0..4294967295.
 */
int xenbus_read_u32(struct xenbus_device *dev, const char *key,
                    uint32_t *value);

/*
 * The frontend broke the protocol, or we cannot go on: leave the sentence in
 * the log and in the backend's error directory, disconnect if connected, state
 * Closing. Nothing of the connection may be touched afterwards. The frontend
 * may close and connect again.
 */
void xenbus_fail(struct xenbus_device *dev, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Hot-unplug: online 0, state Closing; the frontend is asked to let go. When
 * it has, or if it is not there, the state becomes Closed, and both directories
 * are removed.
 */
void xenbus_unplug(struct xenbus_device *dev);

/*
 * Disconnect if connected, remove both directories, forget the watches. A
 * device that was never created (all zero) is fine.
 */
void xenbus_destroy(struct xenbus_device *dev);

#endif
