/*
 * host/store/path.c: checking, cutting and comparing paths.
 */
#include "host/store/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '-' && c <= '9' && c != '.') || c == '_' || c == '@';
}

/* Length of what a path may look like, slashes in their places; else 0. */
static size_t checked_length(const char *text, size_t max)
{
    size_t len = 0;

    for (; text[len]; len++) {
        if (len == max || !is_letter(text[len]))
            return 0;
        if (text[len] == '/' && text[len + 1] == '/')
            return 0;
    }
    return len > 1 && text[len - 1] == '/' ? 0 : len;
}

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
    const size_t len = checked_length(text, max);
    char home[32];
    size_t at = 0;

    if (len == 0 || text[0] == '@') /* a special watch, not a node */
        return -EINVAL;

    if (!absolute) {
        at = path_home(domid, home);
        memcpy(path, home, at);
    }
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
    /* most are a few letters long: quicker than strcspn */
    for (len = 0; start[len] && start[len] != '/'; len++)
        ;
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
