/*
 * host/store/node.c: nodes, copied when shared.
 */
#include "host/store/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t node_bytes(const struct node *node)
{
    return sizeof *node + node->name_len + 1 + node->value_len +
           node->room_children * sizeof *node->children;
}

struct node *node_new(struct tree_pool *pool, const char *name, size_t len,
                      struct permissions *perms)
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
    node->nr_guest = node_is_guests(node);
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
void node_unref(struct tree_pool *pool, struct node *node)
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

void node_changed(struct tree_pool *pool, struct node *node)
{
    node->generation = ++pool->generation;
}

int node_copy_value(const void *value, size_t len, char **copy)
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

void node_give_value(struct tree_pool *pool, struct node *node, char *value,
                     size_t len)
{
    free(node->value);
    pool->bytes += len;
    pool->bytes -= node->value_len;
    node->value = value;
    node->value_len = (uint32_t)len;
}

int node_own(struct tree_pool *pool, struct node **slot)
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
    if (node_copy_value(old->value, old->value_len, &value))
        goto fail;
    node_give_value(pool, node, value, old->value_len);

    for (uint32_t i = 0; i < old->nr_children; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there is room */
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

uint32_t node_place(const struct node *node, const char *name, size_t len,
                    bool *found)
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

int node_reserve(struct tree_pool *pool, struct node *node)
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

void node_attach(struct node *parent, struct node *child)
{
    bool found;
    const uint32_t at =
        node_place(parent, child->name, child->name_len, &found);

    memmove(parent->children + at + 1, parent->children + at,
            (parent->nr_children - at) * sizeof *parent->children);
    parent->children[at] = child;
    parent->nr_children++;
}

struct node *node_detach(struct node *parent, uint32_t place)
{
    struct node *child = parent->children[place];

    parent->nr_children--;
    memmove(parent->children + place, parent->children + place + 1,
            (parent->nr_children - place) * sizeof *parent->children);
    return child;
}
