/*
 * host/store/transaction.h: a version of the tree of one's own, and the way
 * back into the common one.
 *
 * Reads inside see the tree as it was at the start, and the transaction's own
 * changes. Every node looked at or changed is noted with its generation at
 * that moment; if one of them is another in the common tree when the
 * transaction ends, somebody interfered, and it fails with -EAGAIN.
 */
#ifndef HOST_STORE_TRANSACTION_H
#define HOST_STORE_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/store/tree.h"

struct store;

/* One node that the transaction has to do with. */
struct touched {
    struct touched *next;
    struct touched *next_change; /* in the order of the first changes */
    uint64_t generation;         /* when first touched; 0: not there */
    uint32_t hash;               /* of (path) */
    bool changed;                /* to be carried over at the end */
    bool fires;                  /* a request named it: watches hear of it */
    bool removed;                /* ... with all that was below */
    char path[];
};

struct transaction {
    struct transaction *next;
    uint32_t id; /* not 0 */
    struct tree tree;
    uint64_t version; /* of the common tree at the start */
    struct touched *touched;
    struct touched *first_change, **last_change;
    unsigned nr_touched;
};

/* 0 or -ENOMEM. */
int transaction_start(struct store *store, uint32_t id,
                      struct transaction **tx);

/*
 * Note that (path), now (node) or missing (NULL), was looked at. 0, -ENOSPC
 * beyond the quota, -ENOMEM.
 */
int transaction_touch(struct transaction *tx, const char *path,
                      const struct node *node);

/*
 * (path), touched before, has changed. (named): by a request for this very
 * path; (removed): with its subtree.
 */
void transaction_change(struct transaction *tx, const char *path, bool named,
                        bool removed);

/*
 * Carry the changes over, then fire watches: 0; -EAGAIN on conflict; -ENOSPC
 * or -ENOMEM: and then the common tree is as before. The transaction lives on
 * until it is freed in all cases.
 */
int transaction_commit(struct store *store, struct transaction *tx);

void transaction_free(struct transaction *tx);

#endif
