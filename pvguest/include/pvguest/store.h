/*
 * pvguest/store.h: xenbus client: the guest's end of xenstore.
 *
 * Calls block the calling thread, not others. Relative paths are the domain's
 * own (/local/domain/N/...). Errors are negative errno, as the server named
 * them; -EIO when there is no xenstore (dom0 without a toolstack).
 */
#ifndef PVGUEST_STORE_H
#define PVGUEST_STORE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_NO_TX 0 /* outside of any transaction */

/* Is there a xenstore? Where not, all else here is -EIO. */
bool store_available(void);

/*
 * The value of (path), copied to (buf) and NUL-terminated. Its length without
 * the NUL; -E2BIG when (size) is too small for it, -ENOENT, -EACCES...
 */
long store_read(uint32_t tx, const char *path, char *buf, size_t size);

/* The same for a decimal number: 0, or -EINVAL too when it is none. */
int store_read_u64(uint32_t tx, const char *path, uint64_t *value);

/*
 * Write (value) without its NUL; makes the node, and those above it. A value
 * by (format), as guest_format takes it, has at most 511 bytes, else -E2BIG.
 */
int store_write(uint32_t tx, const char *path, const char *value);
int store_printf(uint32_t tx, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int store_vprintf(uint32_t tx, const char *path, const char *format,
                  va_list args) __attribute__((format(printf, 3, 0)));

/* Make an empty node unless there is one; remove one and all below it. */
int store_mkdir(uint32_t tx, const char *path);
int store_remove(uint32_t tx, const char *path);

/*
 * Names below (path), one after another with their NULs, in (buf). Returns
 * the bytes used, or -E2BIG when there are more.
 */
long store_directory(uint32_t tx, const char *path, char *buf, size_t size);

/*
 * A transaction: what is done with *tx is seen by others at its end, all of it
 * or nothing. Every one that began must be ended.
 */
int store_tx_begin(uint32_t *tx);

/* 0, or -EAGAIN: somebody interfered, do it all again. */
int store_tx_end(uint32_t tx, bool commit);

/*
 * Be told of changes at or below (path): once at first, then after each, but
 * for several that came meanwhile only once; (fn) is given the watch's own
 * path. It runs on the store's own thread and may block and call back into the
 * store.
 */
struct store_watch {
    void (*fn)(struct store_watch *watch, const char *path);
    void *context;
    const char *path;         /* the caller's; must stay */
    struct store_watch *next; /* private */
    unsigned id;              /* private */
    bool fired;               /* private */
};

/* Begin: 0 or negative errno. The struct is the caller's until unwatched. */
int store_watch(struct store_watch *watch);

/* End: 0 or negative errno. Afterwards (fn) does not run any more, unless it is
 * the caller. */
int store_unwatch(struct store_watch *watch);

/* Have (fn) called soon as if there was a change; from event handlers too. */
void store_watch_again(struct store_watch *watch);

#endif
