/*
 * host/store/tree.c: nodes, copied when shared.
 */
#include "host/store/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t node_bytes(const struct node *node)
{
    return sizeof *node + node->name_len + 1 + node->value_len +
           node->room_children * sizeof *node->children;
}

static uint32_t is_guests(const struct node *node)
{
    return !domain_is_privileged(permissions_owner(node->perms));
}

/* Takes over the caller's reference on (perms), also when it fails. */
static struct node *node_new(struct tree_pool *pool, const char *name,
                             size_t len, struct permissions *perms)
{
    struct node *node;

    node = perms ? calloc(1, sizeof *node + len + 1) : NULL;
    if (!node) {
        permissions_unref(perms);
        return NULL;
    }
    node->refs = 1;
    node->perms = perms;
    node->name_len = (uint32_t)len;
    memcpy(node->name, name, len);
    node->generation = ++pool->generation;
    node->nr_guest = is_guests(node);
    pool->bytes += node_bytes(node);
    return node;
}

static void node_free(struct tree_pool *pool, struct node *node)
{
    pool->bytes -= node_bytes(node);
    permissions_unref(node->perms);
    free(node->children);
    free(node->value);
    free(node);
}

/* A chain of the dead instead of recursion: guests build deep trees. */
static void node_unref(struct tree_pool *pool, struct node *node)
{
    struct node *dead = NULL;

    if (!node || --node->refs)
        return;
    node->next_dead = NULL;
    for (dead = node; dead;) {
        node = dead;
        dead = node->next_dead;
        for (uint32_t i = 0; i < node->nr_children; i++) {
            struct node *child = node->children[i];

            if (--child->refs == 0) {
                child->next_dead = dead;
                dead = child;
            }
        }
        node_free(pool, node);
    }
}

static int reserve_child(struct tree_pool *pool, struct node *node)
{
    const uint32_t room = node->room_children ? 2 * node->room_children : 4;
    struct node **children;

    if (node->nr_children < node->room_children)
        return 0;
    children = realloc(node->children, room * sizeof *children);
    if (!children)
        return -ENOMEM;
    pool->bytes += (room - node->room_children) * sizeof *children;
    node->children = children;
    node->room_children = room;
    return 0;
}

/* (value) was allocated by the caller, and is the node's from now on. */
static void give_value(struct tree_pool *pool, struct node *node, char *value,
                       size_t len)
{
    free(node->value);
    pool->bytes += len;
    pool->bytes -= node->value_len;
    node->value = value;
    node->value_len = (uint32_t)len;
}

static int copy_value(const void *value, size_t len, char **copy)
{
    *copy = NULL;
    if (len == 0)
        return 0;
    *copy = malloc(len);
    if (!*copy)
        return -ENOMEM;
    memcpy(*copy, value, len);
    return 0;
}

/* Make *slot a node that no other version sees. */
static int own(struct tree_pool *pool, struct node **slot)
{
    struct node *old = *slot, *node;
    char *value;

    if (old->refs == 1)
        return 0;

    node =
        node_new(pool, old->name, old->name_len, permissions_ref(old->perms));
    if (!node)
        return -ENOMEM;
    node->generation = old->generation;
    node->nr_guest = old->nr_guest;
    if (old->room_children) {
        node->children = malloc(old->room_children * sizeof *node->children);
        if (!node->children)
            goto fail;
        node->room_children = old->room_children;
        pool->bytes += node->room_children * sizeof *node->children;
    }
    if (copy_value(old->value, old->value_len, &value))
        goto fail;
    give_value(pool, node, value, old->value_len);

    for (uint32_t i = 0; i < old->nr_children; i++) {
        node->children[i] = old->children[i];
        node->children[i]->refs++;
    }
    node->nr_children = old->nr_children;
    old->refs--;
    *slot = node;
    return 0;

fail:
    node_unref(pool, node);
    return -ENOMEM;
}

static int compare_name(const struct node *node, const char *name, size_t len)
{
    const size_t common = node->name_len < len ? node->name_len : len;

    for (size_t i = 0; i < common; i++)
        if (node->name[i] != name[i])
            return (uint8_t)node->name[i] < (uint8_t)name[i] ? -1 : 1;
    return node->name_len < len ? -1 : node->name_len > len;
}

/* The place of the child (name), or where it would be. */
static uint32_t child_place(const struct node *node, const char *name,
                            size_t len, bool *found)
{
    uint32_t low = 0, high = node->nr_children;

    *found = false;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        const int order = compare_name(node->children[mid], name, len);

        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

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
        const uint32_t at = child_place(node, name, name_len, &found);

        if (!found)
            break;
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
            at = child_place(node, name, strlen(name), &found);
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
        const uint32_t at = child_place(node, name, name_len, &found);

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

        if (own(tree->pool, slot))
            return -ENOMEM;
        *last = *slot;
        *rest = cursor;
        len = path_next(&cursor, &name);
        if (len == 0) {
            *rest = "";
            return 0;
        }
        at = child_place(*slot, name, len, &found);
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

        if (!node || (*tip && reserve_child(pool, *tip))) {
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

static void attach(struct node *parent, struct node *child)
{
    bool found;
    const uint32_t at =
        child_place(parent, child->name, child->name_len, &found);

    memmove(parent->children + at + 1, parent->children + at,
            (parent->nr_children - at) * sizeof *parent->children);
    parent->children[at] = child;
    parent->nr_children++;
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

    if (reserve_child(tree->pool, last))
        return NULL;
    first = grow(tree->pool, last, rest, creator, &tip);
    if (!first)
        return NULL;
    attach(last, first);
    last->generation = ++tree->pool->generation;
    count_guest(tree, path, (size_t)(rest - path), first->nr_guest);
    return tip;
}

int tree_write(struct tree *tree, const char *path, const void *value,
               size_t len, uint16_t creator)
{
    struct node *node;
    char *copy;

    if (copy_value(value, len, &copy))
        return -ENOMEM;
    node = make(tree, path, creator);
    if (!node) {
        free(copy);
        return -ENOMEM;
    }
    give_value(tree->pool, node, copy, len);
    node->generation = ++tree->pool->generation;
    return 0;
}

int tree_mkdir(struct tree *tree, const char *path, uint16_t creator)
{
    return make(tree, path, creator) ? 0 : -ENOMEM;
}

int tree_remove(struct tree *tree, const char *path)
{
    struct node *parent, *child;
    char above[PATH_SIZE];
    const char *rest, *name;
    bool found;
    uint32_t at;

    path_parent(path, above);
    if (own_path(tree, above, &parent, &rest))
        return -ENOMEM;

    name = strrchr(path, '/') + 1;
    at = child_place(parent, name, strlen(name), &found);
    child = parent->children[at];
    count_guest(tree, above, strlen(above), -child->nr_guest);

    parent->nr_children--;
    memmove(parent->children + at, parent->children + at + 1,
            (parent->nr_children - at) * sizeof *parent->children);
    parent->generation = ++tree->pool->generation;
    node_unref(tree->pool, child);
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

    before = is_guests(node);
    permissions_unref(node->perms);
    node->perms = permissions_ref(perms);
    count_guest(tree, path, strlen(path), is_guests(node) - before);
    node->generation = ++tree->pool->generation;
    return 0;
}
