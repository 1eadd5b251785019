/*
 * host/store/transaction.c: snapshots, and what becomes of them.
 */
#include "host/store/transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/store/server.h"

int transaction_start(struct store *store, uint32_t id, struct transaction **tx)
{
    *tx = calloc(1, sizeof **tx);
    if (!*tx)
        return -ENOMEM;
    (*tx)->id = id;
    (*tx)->tree = tree_snapshot(&store->tree);
    (*tx)->version = store->version;
    (*tx)->last_change = &(*tx)->first_change;
    return 0;
}

void transaction_free(struct transaction *tx)
{
    struct touched *touched = tx->touched, *next;

    for (; touched; touched = next) {
        next = touched->next;
        tx->tree.pool->bytes -= sizeof *touched + strlen(touched->path) + 1;
        free(touched);
    }
    tree_release(&tx->tree);
    free(tx);
}

static struct touched *find(const struct transaction *tx, const char *path,
                            uint32_t hash)
{
    struct touched *touched;

    for (touched = tx->touched; touched; touched = touched->next)
        if (touched->hash == hash && strcmp(touched->path, path) == 0)
            break;
    return touched;
}

int transaction_touch(struct transaction *tx, const char *path,
                      const struct node *node)
{
    const size_t size = strlen(path) + 1;
    const uint32_t hash = path_hash(path);
    struct touched *touched;

    if (find(tx, path, hash))
        return 0;
    if (tx->nr_touched >= QUOTA_TRANSACTION_NODES ||
        tx->tree.pool->bytes > QUOTA_TREE_BYTES)
        return -ENOSPC;

    touched = calloc(1, sizeof *touched + size);
    if (!touched)
        return -ENOMEM;
    touched->generation = node ? node->generation : 0;
    touched->hash = hash;
    memcpy(touched->path, path, size);
    touched->next = tx->touched;
    tx->touched = touched;
    tx->nr_touched++;
    tx->tree.pool->bytes += sizeof *touched + size;
    return 0;
}

void transaction_change(struct transaction *tx, const char *path, bool named,
                        bool removed)
{
    struct touched *touched = find(tx, path, path_hash(path));

    if (!touched->changed) {
        *tx->last_change = touched;
        tx->last_change = &touched->next_change;
    }
    touched->changed = true;
    touched->fires |= named;
    touched->removed |= removed;
}

static bool has_conflict(const struct store *store,
                         const struct transaction *tx)
{
    const struct touched *touched;

    if (tx->version == store->version)
        return false;
    for (touched = tx->touched; touched; touched = touched->next) {
        const struct node *node = tree_find(&store->tree, touched->path);

        if (touched->generation != (node ? node->generation : 0))
            return true;
    }
    return false;
}

/* Make (path) in (tree) what it is in the transaction. */
static int carry_over(struct tree *tree, const struct transaction *tx,
                      const char *path)
{
    const struct node *node = tree_find(&tx->tree, path);
    int rc;

    if (!node)
        return tree_find(tree, path) ? tree_remove(tree, path) : 0;

    rc = tree_write(tree, path, node->value, node->value_len, 0);
    return rc ? rc : tree_set_permissions(tree, path, node->perms);
}

/* The common tree with the transaction's changes: a new version of it. */
static int merge(const struct store *store, const struct transaction *tx,
                 struct tree *merged)
{
    const struct touched *touched;

    if (tx->version == store->version) {
        *merged = tree_snapshot(&tx->tree);
        return 0;
    }
    *merged = tree_snapshot(&store->tree);
    for (touched = tx->first_change; touched; touched = touched->next_change) {
        int rc = carry_over(merged, tx, touched->path);

        if (rc) {
            tree_release(merged);
            return rc;
        }
    }
    return 0;
}

static void fire(const struct store *store, const struct transaction *tx,
                 const struct tree *before, const struct tree *after)
{
    const struct touched *touched;

    for (touched = tx->first_change; touched; touched = touched->next_change) {
        if (!touched->fires)
            continue;
        watch_fire(&store->watches, before, touched->path, touched->removed);
        watch_fire(&store->watches, after, touched->path, false);
    }
}

int transaction_commit(struct store *store, struct transaction *tx)
{
    const uint32_t nr_guest = store->tree.root->nr_guest;
    struct tree before, merged;
    int rc;

    if (has_conflict(store, tx))
        return -EAGAIN;
    if (!tx->first_change)
        return 0;
    rc = merge(store, tx, &merged);
    if (rc)
        return rc;
    if (merged.root->nr_guest > nr_guest &&
        merged.root->nr_guest > QUOTA_NODES) {
        tree_release(&merged);
        return -ENOSPC;
    }

    before = store->tree;
    store->tree = merged;
    store->version++;
    fire(store, tx, &before, &store->tree);
    tree_release(&before);
    return 0;
}
