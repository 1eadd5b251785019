/*
 * host/store/view.h: the tree as one domain sees it, inside a transaction or
 * not: the operations of the protocol with rights, quotas and watches, without
 * the wire.
 *
 * Errors: -ENOENT when the node is missing and that may be known, else
 * -EACCES; -ENOSPC beyond a quota; -ENOMEM. After an error nothing changed.
 */
#ifndef HOST_STORE_VIEW_H
#define HOST_STORE_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "host/store/tree.h"

struct store;
struct transaction;

struct view {
    struct store *store;
    struct transaction *tx; /* NULL: outside of any */
    uint16_t domid;
};

/* The node at (path) if the domain has (right) on it: 0 or -errno. */
int view_find(const struct view *view, const char *path, enum right right,
              const struct node **node);

int view_write(const struct view *view, const char *path, const void *value,
               size_t len);

/* A node that exists already is fine. */
int view_mkdir(const struct view *view, const char *path);

/* A missing node is fine if its parent exists. The root stays: -EINVAL. */
int view_remove(const struct view *view, const char *path);

/* (list): (nr) entries, the first the owner. -EPERM to give a node away. */
int view_set_permissions(const struct view *view, const char *path,
                         const struct permission *list, size_t nr);

#endif
