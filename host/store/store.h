/*
 * host/store/store.h: the domain's xenstore: the tree, its watches and
 * transactions, and two ways in: the wire protocol over the guest's ring, and
 * direct calls for the toolstack and the backends, which act as domain 0.
 */
#ifndef HOST_STORE_STORE_H
#define HOST_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain;
struct store;

/* The value and the path are the store's; copy what you keep. */
typedef void (*store_watch_fn)(void *context, const char *path);

int store_create(struct store **store);
void store_destroy(struct store *store);

/*
 * Call (fill), once, before the first look at the tree or change of it, from
 * either side. (fill) may use the store.
 */
void store_fill_at_first_use(struct store *store, void (*fill)(void *context),
                             void *context);

/* Did that happen? (True if there was nothing to call.) */
bool store_was_used(const struct store *store);

/*
 * Serve the guest's ring in its xenstore page, already built, through its
 * port: 0 or -errno.
 */
int store_connect(struct store *store, struct domain *dom, void *ring_page,
                  uint32_t port);

/* As domain 0. Absolute paths. 0 or -errno (ENOENT, EINVAL, ENOSPC). */
int store_write(struct store *store, const char *path, const char *value);
int store_printf(struct store *store, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int store_remove(struct store *store, const char *path);

/*
 * Owner (owner) and, if (reader) is not the owner, read permission for it;
 * (recursive): the whole subtree.
 */
int store_set_owner(struct store *store, const char *path, uint16_t owner,
                    uint16_t reader);

/*
 * Copy the value, NUL-terminated, to (buf). Returns its length; -ENOENT;
 * -E2BIG when it does not fit.
 */
long store_read(struct store *store, const char *path, char *buf, size_t size);

/* A strict decimal number: 0, -ENOENT, or -EINVAL when it is not one. */
int store_read_u64(struct store *store, const char *path, uint64_t *value);

/*
 * Call (fn) after every change at or below (path), and once soon after this
 * call. Calls come from store_run, never from inside a store function.
 */
struct store_watch *store_watch(struct store *store, const char *path,
                                store_watch_fn fn, void *context);
void store_unwatch(struct store *store, struct store_watch *watch);

/* Deliver what is due to host watches; called by domain_work. */
void store_run(struct store *store);

#endif
