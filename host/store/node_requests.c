/*
 * host/store/node_requests.c: requests that read or change nodes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/store/number.h"
#include "host/store/request.h"

/* The payload is one path, and its node one with (right). */
static int find_only(struct request *req, enum right right,
                     const struct node **node)
{
    char path[PATH_SIZE];
    int rc = request_path(req, request_only_string(req), path);

    return rc ? rc : view_find(&req->view, path, right, node);
}

/*
 * The list of children as the protocol has it, from (offset) on, as much as
 * (room) holds in whole names. Returns its length; *end: nothing is left.
 */
static size_t list_children(const struct node *node, size_t offset, char *buf,
                            size_t room, bool *end)
{
    size_t at = 0, used = 0;

    *end = false;
    for (uint32_t i = 0; i < node->nr_children; i++) {
        const struct node *child = node->children[i];
        const size_t size = child->name_len + 1;
        size_t skip;

        at += size;
        if (at <= offset)
            continue;
        skip = offset > at - size ? offset - (at - size) : 0;
        if (used + size - skip > room)
            return used;
        memcpy(buf + used, child->name + skip, size - skip);
        used += size - skip;
    }
    *end = true;
    return used;
}

int serve_directory(struct request *req)
{
    char names[XENSTORE_PAYLOAD_MAX];
    const struct node *node;
    size_t len;
    bool end;
    int rc;

    rc = find_only(req, RIGHT_READ, &node);
    if (rc)
        return rc;
    len = list_children(node, 0, names, sizeof names, &end);
    return end ? request_answer(req, names, len) : -E2BIG;
}

/* Answer: generation, names from the offset on, and "" after the last one. */
int serve_directory_part(struct request *req)
{
    const char *text = request_string(req), *number = request_only_string(req);
    char part[XENSTORE_PAYLOAD_MAX], path[PATH_SIZE];
    const struct node *node;
    uint64_t offset;
    size_t len;
    bool end;
    int rc;

    rc = request_path(req, text, path);
    if (rc)
        return rc;
    if (!number || number_parse(number, strlen(number), &offset))
        return -EINVAL;
    rc = view_find(&req->view, path, RIGHT_READ, &node);
    if (rc)
        return rc;

    len = (size_t)sprintf(part, "%" PRIu64, node->generation) + 1;
    len += list_children(node, offset, part + len, sizeof part - len - 1, &end);
    if (end)
        part[len++] = '\0';
    return request_answer(req, part, len);
}

int serve_read(struct request *req)
{
    const struct node *node;
    int rc = find_only(req, RIGHT_READ, &node);

    if (rc)
        return rc;
    return request_answer(req, node->value ? node->value : "", node->value_len);
}

int serve_write(struct request *req)
{
    char path[PATH_SIZE];
    int rc = request_path(req, request_string(req), path);

    if (!rc)
        rc = view_write(&req->view, path, req->payload, req->len);
    return rc ? rc : request_answer_ok(req);
}

int serve_mkdir(struct request *req)
{
    char path[PATH_SIZE];
    int rc = request_path(req, request_only_string(req), path);

    if (!rc)
        rc = view_mkdir(&req->view, path);
    return rc ? rc : request_answer_ok(req);
}

int serve_rm(struct request *req)
{
    char path[PATH_SIZE];
    int rc = request_path(req, request_only_string(req), path);

    if (!rc)
        rc = view_remove(&req->view, path);
    return rc ? rc : request_answer_ok(req);
}

int serve_get_perms(struct request *req)
{
    char list[XENSTORE_PAYLOAD_MAX];
    const struct node *node;
    size_t len = 0;
    int rc;

    rc = find_only(req, RIGHT_READ, &node);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < node->perms->nr; i++) {
        if (len + 8 > sizeof list)
            return -E2BIG;
        len += permission_format(&node->perms->list[i], list + len) + 1;
    }
    return request_answer(req, list, len);
}

int serve_set_perms(struct request *req)
{
    /* no entry is shorter than two letters and a NUL */
    struct permission list[XENSTORE_PAYLOAD_MAX / 3];
    const char *text = request_string(req), *entry;
    char path[PATH_SIZE];
    size_t nr = 0;
    int rc;

    rc = request_path(req, text, path);
    if (rc)
        return rc;
    while (req->len) {
        entry = request_string(req);
        rc = entry ? permission_parse(entry, &list[nr++]) : -EINVAL;
        if (rc)
            return rc;
    }
    if (nr == 0)
        return -EINVAL;
    rc = view_set_permissions(&req->view, path, list, nr);
    return rc ? rc : request_answer_ok(req);
}
