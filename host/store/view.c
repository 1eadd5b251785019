/*
 * host/store/view.c: reading and changing the tree as a domain.
 */
#include "host/store/view.h"

#include <errno.h>
#include <string.h>

#include "host/store/server.h"
#include "host/store/transaction.h"

static struct tree *view_tree(const struct view *view)
{
    return view->tx ? &view->tx->tree : &view->store->tree;
}

/* Every node that a transaction looks at or changes is noted. */
static int touch(const struct view *view, const char *path,
                 const struct node *node)
{
    return view->tx ? transaction_touch(view->tx, path, node) : 0;
}

/* Where a path leads. */
struct site {
    const struct node *nearest; /* the node, or the last one on the way */
    size_t len;                 /* of the part of the path that exists */
    bool found;
};

static struct site survey(const struct view *view, const char *path)
{
    struct site site;

    site.nearest = tree_nearest(view_tree(view), path, &site.len);
    site.found = path[site.len] == '\0';
    return site;
}

static int check_right(const struct view *view, const struct site *site,
                       const char *path, enum right right)
{
    const int rc = touch(view, path, site->found ? site->nearest : NULL);

    if (rc)
        return rc;
    if (!(permissions_rights(site->nearest->perms, view->domid) & right))
        return -EACCES;
    return site->found ? 0 : -ENOENT;
}

int view_find(const struct view *view, const char *path, enum right right,
              const struct node **node)
{
    const struct site site = survey(view, path);

    *node = site.nearest;
    return check_right(view, &site, path, right);
}

static unsigned count_missing(const struct site *site, const char *path)
{
    unsigned nr = 0;

    for (const char *at = path + site->len; *at; at++)
        nr += *at == '/';
    /* of the root, the slash is the name as well */
    return nr + (site->len == 1 && !site->found);
}

static int check_quota(const struct view *view, const struct site *site,
                       const char *path, size_t value_len)
{
    const struct permissions *perms = site->nearest->perms;
    const size_t bytes = value_len + perms->nr * sizeof perms->list[0];

    if (domain_is_privileged(view->domid))
        return 0;
    if (bytes > QUOTA_NODE_BYTES || view->store->pool.bytes > QUOTA_TREE_BYTES)
        return -ENOSPC;
    if (!site->found &&
        view_tree(view)->root->nr_guest + count_missing(site, path) >
            QUOTA_NODES)
        return -ENOSPC;
    return 0;
}

/* Call (fn) for the nearest node's path, then for each missing one's. */
static int for_path(const struct view *view, const struct site *site,
                    const char *path,
                    int (*fn)(const struct view *view, const char *part,
                              const struct node *node))
{
    const struct node *node = site->nearest;
    char part[PATH_SIZE];
    size_t len = site->len;

    for (;;) {
        int rc;

        memcpy(part, path, len);
        part[len] = '\0';
        rc = fn(view, part, node);
        if (rc || path[len] == '\0')
            return rc;
        node = NULL;
        len += path[len] == '/';
        len += strcspn(path + len, "/");
    }
}

static int mark_new(const struct view *view, const char *part,
                    const struct node *node)
{
    if (!node)
        transaction_change(view->tx, part, false, false);
    return 0;
}

/* A node was written or made: tell the world, or note it for later. */
static void announce(const struct view *view, const struct site *site,
                     const char *path)
{
    if (view->tx) {
        for_path(view, site, path, mark_new);
        transaction_change(view->tx, path, true, false);
        return;
    }
    view->store->version++;
    watch_fire(&view->store->watches, &view->store->tree, path, false);
}

int view_write(const struct view *view, const char *path, const void *value,
               size_t len)
{
    const struct site site = survey(view, path);
    int rc;

    rc = check_right(view, &site, path, RIGHT_WRITE);
    if (rc && rc != -ENOENT)
        return rc;
    rc = check_quota(view, &site, path, len);
    if (!rc && view->tx)
        rc = for_path(view, &site, path, touch);
    if (!rc)
        rc = tree_write(view_tree(view), path, value, len, view->domid);
    if (!rc)
        announce(view, &site, path);
    return rc;
}

int view_mkdir(const struct view *view, const char *path)
{
    const struct site site = survey(view, path);
    int rc;

    rc = check_right(view, &site, path, RIGHT_WRITE);
    if (rc != -ENOENT)
        return rc;
    rc = check_quota(view, &site, path, 0);
    if (!rc && view->tx)
        rc = for_path(view, &site, path, touch);
    if (!rc)
        rc = tree_mkdir(view_tree(view), path, view->domid);
    if (!rc)
        announce(view, &site, path);
    return rc;
}

/* Inside a transaction: every node that goes is one that it changed. */
static int touch_subtree(const struct view *view, const char *top)
{
    const struct tree *tree = view_tree(view);
    char path[PATH_SIZE];
    int rc;

    path_parent(top, path);
    rc = touch(view, path, tree_find(tree, path));
    strcpy(path, top);
    do {
        if (!rc)
            rc = touch(view, path, tree_find(tree, path));
    } while (!rc && tree_next(tree, top, path));
    return rc;
}

static void change_subtree(const struct view *view, const char *top)
{
    char path[PATH_SIZE];

    strcpy(path, top);
    transaction_change(view->tx, path, true, true);
    while (tree_next(view_tree(view), top, path))
        transaction_change(view->tx, path, false, false);
}

int view_remove(const struct view *view, const char *path)
{
    const struct node *node;
    char parent[PATH_SIZE];
    int rc;

    if (path[1] == '\0')
        return -EINVAL;
    rc = view_find(view, path, RIGHT_WRITE, &node);
    if (rc == -ENOENT) {
        path_parent(path, parent);
        return tree_find(view_tree(view), parent) ? 0 : -ENOENT;
    }
    if (rc)
        return rc;

    /* while the nodes, and who may see them, are still there */
    if (view->tx) {
        rc = touch_subtree(view, path);
        if (rc)
            return rc;
        change_subtree(view, path);
    } else {
        watch_fire(&view->store->watches, &view->store->tree, path, true);
        view->store->version++;
    }
    return tree_remove(view_tree(view), path);
}

int view_set_permissions(const struct view *view, const char *path,
                         const struct permission *list, size_t nr)
{
    const struct node *node;
    struct permissions *perms;
    int rc;

    rc = view_find(view, path, RIGHT_OWN, &node);
    if (rc)
        return rc;
    if (!domain_is_privileged(view->domid)) {
        if (nr > QUOTA_PERMISSIONS ||
            node->value_len + nr * sizeof *list > QUOTA_NODE_BYTES)
            return -ENOSPC;
        if (list[0].domid != permissions_owner(node->perms))
            return -EPERM;
    }

    perms = permissions_new(list, nr);
    if (!perms)
        return -ENOMEM;
    if (!view->tx) /* those who could see it until now, then the others */
        watch_fire(&view->store->watches, &view->store->tree, path, false);
    rc = tree_set_permissions(view_tree(view), path, perms);
    permissions_unref(perms);
    if (!rc) {
        const struct site site = survey(view, path);

        announce(view, &site, path);
    }
    return rc;
}
