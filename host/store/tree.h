/*
 * host/store/tree.h: the nodes, in as many versions as there are readers.
 *
 * A tree is a root and what hangs below it. Nodes are counted references and
 * shared between versions: a snapshot takes one reference on the root and
 * costs nothing more; a change copies the nodes on its path that somebody else
 * still sees, and only those. While there are no snapshots, changes happen in
 * place.
 *
 * Paths are canonical (path.h). Nobody's rights are looked at here.
 */
#ifndef HOST_STORE_TREE_H
#define HOST_STORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/store/node.h"
#include "host/store/path.h"
#include "host/store/permission.h"

struct tree {
    struct tree_pool *pool;
    struct node *root;
};

/* A root alone, owned by domain 0, no rights for others: 0 or -ENOMEM. */
int tree_create(struct tree *tree, struct tree_pool *pool);

/* Another version that starts out the same; release each. */
struct tree tree_snapshot(const struct tree *tree);
void tree_release(struct tree *tree);

/* The node, or NULL. */
const struct node *tree_find(const struct tree *tree, const char *path);

/* The longest beginning of (path) that exists; its length in *len. */
const struct node *tree_nearest(const struct tree *tree, const char *path,
                                size_t *len);

/*
 * Step through the nodes at and below (top), parents first: (path) starts as
 * (top) and becomes the next one. False at the end. The tree may change
 * between two steps.
 */
bool tree_next(const struct tree *tree, const char *top, char path[PATH_SIZE]);

/*
 * Changes: 0 or -ENOMEM, and then nothing changed. Nodes that are missing on
 * the way come into being with their parent's permissions, owned by (creator)
 * unless that is privileged.
 */
int tree_write(struct tree *tree, const char *path, const void *value,
               size_t len, uint16_t creator);
int tree_mkdir(struct tree *tree, const char *path, uint16_t creator);

/* The node must exist, and not be the root. */
int tree_remove(struct tree *tree, const char *path);

/* The node must exist. Takes a reference of its own. */
int tree_set_permissions(struct tree *tree, const char *path,
                         struct permissions *perms);

#endif
