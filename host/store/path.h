/*
 * host/store/path.h: the names of nodes, as text.
 *
 * Inside the store a path is absolute and checked ("canonical"): it starts
 * with '/', has no empty component and no '/' at its end but for the root
 * itself, is made of [A-Za-z0-9-/_@], and fits PATH_SIZE with its NUL.
 */
#ifndef HOST_STORE_PATH_H
#define HOST_STORE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/io/xs_wire.h>

#define PATH_SIZE (XENSTORE_ABS_PATH_MAX + 1)

/* No path has more components: each takes a slash and a letter at least. */
#define PATH_MAX_DEPTH (XENSTORE_ABS_PATH_MAX / 2)

/*
 * Make (text), as domain (domid) wrote it, canonical in (path): a relative one
 * is below /local/domain/<domid>. 0 or -EINVAL.
 */
int path_canonical(uint16_t domid, const char *text, char path[PATH_SIZE]);

/* How much of a canonical path a relative one of (domid) leaves out. */
size_t path_home_length(uint16_t domid);

/* Is (path) the same as (ancestor), or below it? */
bool path_within(const char *path, const char *ancestor);

/*
 * Step through the components: *cursor starts as the path. Returns the next
 * one's length and its start in *name, 0 at the end.
 */
size_t path_next(const char **cursor, const char **name);

/* The parent of (path) in (parent); the root's is the root. */
void path_parent(const char *path, char parent[PATH_SIZE]);

/* For comparing many paths quickly. */
uint32_t path_hash(const char *path);

#endif
