/*
 * host/store/node.h: one node of a tree, its value, and its children by name.
 *
 * Nodes belong to as many parents, in different versions of the tree, as have
 * a reference on them. One with a single reference may be changed, and
 * node_own makes it so.
 */
#ifndef HOST_STORE_NODE_H
#define HOST_STORE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/store/permission.h"

/* What all versions of one tree have in common. */
struct tree_pool {
    size_t bytes;        /* held by nodes and by what is charged to them */
    uint64_t generation; /* the last one given to a node */
};

struct node {
    uint32_t refs;
    uint32_t nr_children, room_children;
    uint32_t nr_guest; /* nodes from here down that domain 0 does not own */
    union {
        /* changes with the value, the permissions, the list of children */
        uint64_t generation;
        struct node *next_dead; /* while a subtree is being freed */
    };
    struct permissions *perms;
    struct node **children; /* sorted by name, bytewise */
    char *value;            /* NULL when empty; no NUL at its end */
    uint32_t value_len;
    uint32_t name_len;
    char name[]; /* the last component, NUL-terminated; "" is the root */
};

/* Is the node one that counts against a guest's quota: 1 or 0. */
static inline uint32_t node_is_guests(const struct node *node)
{
    return !domain_is_privileged(permissions_owner(node->perms));
}

/*
 * A node without value or children and one reference, or NULL without memory.
 * Takes over the caller's reference on (perms), also when it fails; no (perms)
 * is no memory.
 */
struct node *node_new(struct tree_pool *pool, const char *name, size_t len,
                      struct permissions *perms);

/* NULL is fine. */
void node_unref(struct tree_pool *pool, struct node *node);

/*
 * Make *slot, a reference in a node that is owned itself, a node that no other
 * version sees: 0 or -ENOMEM.
 */
int node_own(struct tree_pool *pool, struct node **slot);

/* A new generation: the node has changed. */
void node_changed(struct tree_pool *pool, struct node *node);

/* A copy to be given to a node, NULL for an empty one: 0 or -ENOMEM. */
int node_copy_value(const void *value, size_t len, char **copy);

/* The node takes over (value), from node_copy_value. */
void node_give_value(struct tree_pool *pool, struct node *node, char *value,
                     size_t len);

/* The place of the child (name), or where it would be. */
uint32_t node_place(const struct node *node, const char *name, size_t len,
                    bool *found);

/* Room for one more child: 0 or -ENOMEM. */
int node_reserve(struct tree_pool *pool, struct node *node);

/* Into room reserved before; the parent takes over the reference. */
void node_attach(struct node *parent, struct node *child);

/* The caller gets the reference. */
struct node *node_detach(struct node *parent, uint32_t place);

#endif
