/*
 * host/store/tree.c: finding nodes by path, and changing one version of the
 * tree without the others noticing.
 */
#include "host/store/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tree_create(struct tree *tree, struct tree_pool *pool)
{
    const struct permission nobody = {.domid = 0, .rights = RIGHT_NONE};

    tree->pool = pool;
    tree->root = node_new(pool, "", 0, permissions_new(&nobody, 1));
    return tree->root ? 0 : -ENOMEM;
}

struct tree tree_snapshot(const struct tree *tree)
{
    tree->root->refs++;
    return *tree;
}

void tree_release(struct tree *tree)
{
    node_unref(tree->pool, tree->root);
    tree->root = NULL;
}

const struct node *tree_nearest(const struct tree *tree, const char *path,
                                size_t *len)
{
    const struct node *node = tree->root;
    const char *cursor = path, *name;
    size_t name_len;

    *len = 0;
    while ((name_len = path_next(&cursor, &name))) {
        bool found;
        const uint32_t at = node_place(node, name, name_len, &found);

        if (!found)
            break;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it has a root */
        node = node->children[at];
        *len = (size_t)(cursor - path);
    }
    if (*len == 0)
        *len = 1; /* the root's slash */
    return node;
}

const struct node *tree_find(const struct tree *tree, const char *path)
{
    size_t len;
    const struct node *node = tree_nearest(tree, path, &len);

    return path[len] == '\0' ? node : NULL;
}

/* Append (child)'s name to the first (len) bytes of (path), a directory. */
static void append(char path[PATH_SIZE], size_t len, const struct node *child)
{
    if (len > 1)
        path[len++] = '/';
    memcpy(path + len, child->name, child->name_len + 1);
}

bool tree_next(const struct tree *tree, const char *top, char path[PATH_SIZE])
{
    const struct node *node = tree_find(tree, path);
    const size_t top_len = strlen(top);
    size_t len = strlen(path);
    char parent[PATH_SIZE];

    if (node && node->nr_children) {
        append(path, len, node->children[0]);
        return true;
    }
    while (len > top_len) {
        const char *name = strrchr(path, '/') + 1;
        uint32_t at = 0;
        bool found = false;

        path_parent(path, parent);
        node = tree_find(tree, parent);
        if (node)
            at = node_place(node, name, strlen(name), &found);
        at += found;
        len = strlen(parent);
        memcpy(path, parent, len + 1);
        if (node && at < node->nr_children) {
            append(path, len, node->children[at]);
            return true;
        }
    }
    return false;
}

/* Add (delta) to the counts of the nodes named by path[0..len), all owned. */
static void count_guest(struct tree *tree, const char *path, size_t len,
                        uint32_t delta)
{
    const char *const end = path + len;
    struct node *node = tree->root;
    const char *name;
    size_t name_len;

    node->nr_guest += delta;
    while (path < end && (name_len = path_next(&path, &name))) {
        bool found;
        const uint32_t at = node_place(node, name, name_len, &found);

        node = node->children[at];
        node->nr_guest += delta;
    }
}

/*
 * Walk to (path) owning each node. The last that exists in *node, the rest of
 * the path in *rest ("" when it was found).
 */
static int own_path(struct tree *tree, const char *path, struct node **last,
                    const char **rest)
{
    struct node **slot = &tree->root;
    const char *cursor = path, *name;
    size_t len;

    for (;;) {
        bool found;
        uint32_t at;

        if (node_own(tree->pool, slot))
            return -ENOMEM;
        *last = *slot;
        *rest = cursor;
        len = path_next(&cursor, &name);
        if (len == 0) {
            *rest = "";
            return 0;
        }
        at = node_place(*slot, name, len, &found);
        if (!found)
            return 0;
        slot = &(*slot)->children[at];
    }
}

static struct permissions *inherit(const struct node *parent, uint16_t creator)
{
    if (domain_is_privileged(creator))
        return permissions_ref(parent->perms);
    return permissions_for_owner(parent->perms, creator);
}

static uint32_t count_components(const char *rest)
{
    const char *name;
    uint32_t nr = 0;

    while (path_next(&rest, &name))
        nr++;
    return nr;
}

/*
 * A new branch below (parent) for the components in (rest); *tip is its last
 * node. All its nodes have the same owner.
 */
static struct node *grow(struct tree_pool *pool, const struct node *parent,
                         const char *rest, uint16_t creator, struct node **tip)
{
    uint32_t below = count_components(rest);
    struct node *first = NULL;
    const char *name;
    size_t len;

    *tip = NULL;
    for (; (len = path_next(&rest, &name)); below--) {
        struct node *node = node_new(pool, name, len, inherit(parent, creator));

        if (!node || (*tip && node_reserve(pool, *tip))) {
            node_unref(pool, node);
            node_unref(pool, first);
            return NULL;
        }
        node->nr_guest *= below;
        if (*tip)
            (*tip)->children[(*tip)->nr_children++] = node;
        else
            first = node;
        *tip = node;
        parent = node;
    }
    return first;
}

/* The node at (path), owned, made if need be; or NULL without memory. */
static struct node *make(struct tree *tree, const char *path, uint16_t creator)
{
    struct node *last, *first, *tip;
    const char *rest;

    if (own_path(tree, path, &last, &rest))
        return NULL;
    if (*rest == '\0')
        return last;

    if (node_reserve(tree->pool, last))
        return NULL;
    first = grow(tree->pool, last, rest, creator, &tip);
    if (!first)
        return NULL;
    node_attach(last, first);
    node_changed(tree->pool, last);
    count_guest(tree, path, (size_t)(rest - path), first->nr_guest);
    return tip;
}

int tree_write(struct tree *tree, const char *path, const void *value,
               size_t len, uint16_t creator)
{
    struct node *node;
    char *copy;

    if (node_copy_value(value, len, &copy))
        return -ENOMEM;
    node = make(tree, path, creator);
    if (!node) {
        free(copy);
        return -ENOMEM;
    }
    node_give_value(tree->pool, node, copy, len);
    node_changed(tree->pool, node);
    return 0;
}

int tree_mkdir(struct tree *tree, const char *path, uint16_t creator)
{
    return make(tree, path, creator) ? 0 : -ENOMEM;
}

int tree_remove(struct tree *tree, const char *path)
{
    struct node *parent;
    char above[PATH_SIZE];
    const char *rest, *name;
    bool found;
    uint32_t at;

    path_parent(path, above);
    if (own_path(tree, above, &parent, &rest))
        return -ENOMEM;

    name = strrchr(path, '/') + 1;
    at = node_place(parent, name, strlen(name), &found);
    count_guest(tree, above, strlen(above), -parent->children[at]->nr_guest);

    node_unref(tree->pool, node_detach(parent, at));
    node_changed(tree->pool, parent);
    return 0;
}

int tree_set_permissions(struct tree *tree, const char *path,
                         struct permissions *perms)
{
    struct node *node;
    const char *rest;
    uint32_t before;

    if (own_path(tree, path, &node, &rest))
        return -ENOMEM;

    before = node_is_guests(node);
    permissions_unref(node->perms);
    node->perms = permissions_ref(perms);
    count_guest(tree, path, strlen(path), node_is_guests(node) - before);
    node_changed(tree->pool, node);
    return 0;
}
