/*
 * host/store/permission.h: who may do what with a node.
 *
 * A list of entries. The first one's domain is the owner, who may do all; its
 * rights are what domains without an entry of their own have. Lists do not
 * change once made and are shared by the nodes that inherit them. Domain 0
 * may do everything everywhere.
 */
#ifndef HOST_STORE_PERMISSION_H
#define HOST_STORE_PERMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum right {
    RIGHT_NONE = 0,
    RIGHT_READ = 1 << 0,
    RIGHT_WRITE = 1 << 1,
    RIGHT_OWN = 1 << 2, /* never in a list: what being the owner adds */
};

struct permission {
    uint16_t domid;
    uint16_t rights; /* READ and WRITE of enum right */
};

struct permissions {
    uint32_t refs;
    uint32_t nr;
    struct permission list[];
};

static inline bool domain_is_privileged(uint16_t domid)
{
    return domid == 0;
}

/* A new list with one reference, or NULL without memory. (nr) >= 1. */
struct permissions *permissions_new(const struct permission *list, size_t nr);

struct permissions *permissions_ref(struct permissions *perms);
void permissions_unref(struct permissions *perms); /* NULL is fine */

/* The same list with another owner: a new reference, or NULL. */
struct permissions *permissions_for_owner(struct permissions *perms,
                                          uint16_t owner);

static inline uint16_t permissions_owner(const struct permissions *perms)
{
    return perms->list[0].domid;
}

/* What (domid) may do: enum right, ORed. */
unsigned permissions_rights(const struct permissions *perms, uint16_t domid);

/*
 * One entry as on the wire, a letter of "nrwb" and a domid: 0 or -EINVAL.
 */
int permission_parse(const char *text, struct permission *perm);

/* The reverse, NUL-terminated; (buf) of 8 bytes is enough. Its length. */
size_t permission_format(const struct permission *perm, char buf[8]);

#endif
