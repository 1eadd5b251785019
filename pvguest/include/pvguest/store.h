/*
 * pvguest/store.h: xenbus client: the guest's end of xenstore.
 *
 * Calls block the calling thread, not others. Relative paths are the domain's
 * own (/local/domain/N/...). Errors are negative errno, as the server named
 * them; -EIO when there is no xenstore (dom0 without a toolstack).
 */
#ifndef PVGUEST_STORE_H
#define PVGUEST_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_NO_TX 0 /* outside of any transaction */

bool store_available(void);

/* The value, NUL-terminated; its length, or negative errno (-E2BIG). */
long store_read(uint32_t tx, const char *path, char *buf, size_t size);
int store_read_u64(uint32_t tx, const char *path, uint64_t *value);
int store_write(uint32_t tx, const char *path, const char *value);
int store_printf(uint32_t tx, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int store_mkdir(uint32_t tx, const char *path);
int store_remove(uint32_t tx, const char *path);

/*
 * Names below (path), one after another with their NULs, in (buf). Returns
 * the bytes used.
 */
long store_directory(uint32_t tx, const char *path, char *buf, size_t size);

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

int store_watch(struct store_watch *watch);

/* Afterwards (fn) does not run any more, unless it is the caller. */
int store_unwatch(struct store_watch *watch);

/* Have (fn) called soon as if there was a change; from event handlers too. */
void store_watch_again(struct store_watch *watch);

#endif
