/*
 * host/store/watch.c: watches: setting, finding, firing.
 */
#include "host/store/watch.h"

#include <stdlib.h>
#include <string.h>

struct store_watch *watch_add(struct watch_list *list,
                              struct event_queue *queue, uint16_t domid,
                              const char *path, const char *token)
{
    const size_t path_len = strlen(path), token_len = strlen(token);
    struct store_watch **link = &list->head, *watch;

    watch = calloc(1, sizeof *watch + path_len + token_len + 2);
    if (!watch)
        return NULL;
    memcpy(watch->path, path, path_len + 1);
    memcpy(watch->path + path_len + 1, token, token_len + 1);
    watch->token = watch->path + path_len + 1;
    watch->queue = queue;
    watch->domid = domid;
    watch->own = (struct event){
        .watch = watch,
        .path = watch->path,
        .hash = path_hash(path),
    };

    while (*link)
        link = &(*link)->next;
    *link = watch;
    event_queue_add(queue, watch, watch->path);
    return watch;
}

struct store_watch *watch_find(const struct watch_list *list,
                               const struct event_queue *queue,
                               const char *path, const char *token)
{
    struct store_watch *watch;

    for (watch = list->head; watch; watch = watch->next)
        if (watch->queue == queue && strcmp(watch->path, path) == 0 &&
            strcmp(watch->token, token) == 0)
            break;
    return watch;
}

void watch_remove(struct watch_list *list, struct store_watch *watch)
{
    struct store_watch **link = &list->head;

    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    event_queue_forget(watch->queue, watch);
    free(watch);
}

void watch_remove_all(struct watch_list *list, const struct event_queue *queue)
{
    struct store_watch *watch = list->head, *next;

    for (; watch; watch = next) {
        next = watch->next;
        if (watch->queue == queue)
            watch_remove(list, watch);
    }
}

static bool may_read(const struct tree *tree, const char *path, uint16_t domid)
{
    const struct node *node = tree_find(tree, path);

    return node && (permissions_rights(node->perms, domid) & RIGHT_READ);
}

/* Who can see a node, or list it in its parent, may know that it changed. */
static bool may_know(const struct tree *tree, const char *path, uint16_t domid)
{
    char parent[PATH_SIZE];

    if (domain_is_privileged(domid) || may_read(tree, path, domid))
        return true;
    if (!tree_find(tree, path))
        return false;
    path_parent(path, parent);
    return may_read(tree, parent, domid);
}

void watch_fire(const struct watch_list *list, const struct tree *tree,
                const char *path, bool removed)
{
    struct store_watch *watch;

    for (watch = list->head; watch; watch = watch->next) {
        const char *about;

        if (path_within(path, watch->path))
            about = path;
        else if (removed && path_within(watch->path, path) &&
                 tree_find(tree, watch->path))
            about = watch->path;
        else
            continue;
        if (may_know(tree, about, watch->domid))
            event_queue_add(watch->queue, watch, about);
    }
}
