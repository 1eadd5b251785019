/*
 * host/store/path.c: checking, cutting and comparing paths.
 */
#include "host/store/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char path_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz"
                                   "0123456789-/_@";

static size_t path_home(uint16_t domid, char home[32])
{
    return (size_t)snprintf(home, 32, "/local/domain/%u/", domid);
}

size_t path_home_length(uint16_t domid)
{
    char home[32];

    return path_home(domid, home);
}

int path_canonical(uint16_t domid, const char *text, char path[PATH_SIZE])
{
    const bool absolute = text[0] == '/';
    const size_t max = absolute ? XENSTORE_ABS_PATH_MAX : XENSTORE_REL_PATH_MAX;
    const size_t len = strnlen(text, max + 1);
    char home[32] = "";
    size_t at = 0;

    if (len == 0 || len > max || strspn(text, path_letters) != len)
        return -EINVAL;
    if (strstr(text, "//") || (len > 1 && text[len - 1] == '/'))
        return -EINVAL;
    if (text[0] == '@') /* a special watch, not a node */
        return -EINVAL;

    if (!absolute)
        at = path_home(domid, home);
    memcpy(path, home, at);
    memcpy(path + at, text, len + 1);
    return 0;
}

bool path_within(const char *path, const char *ancestor)
{
    const size_t len = strlen(ancestor);

    if (len == 1) /* the root */
        return path[0] == '/';
    return strncmp(path, ancestor, len) == 0 &&
           (path[len] == '\0' || path[len] == '/');
}

size_t path_next(const char **cursor, const char **name)
{
    const char *start = *cursor;
    size_t len;

    if (*start == '/')
        start++;
    len = strcspn(start, "/");
    *name = start;
    *cursor = start + len;
    return len;
}

void path_parent(const char *path, char parent[PATH_SIZE])
{
    const char *slash = strrchr(path, '/');
    const size_t len = slash > path ? (size_t)(slash - path) : 1;

    memcpy(parent, path, len);
    parent[len] = '\0';
}

/* FNV-1a. */
uint32_t path_hash(const char *path)
{
    uint32_t hash = 2166136261u;

    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * 16777619u;
    return hash;
}
