/*
 * host/store/permission.c: permission lists.
 */
#include "host/store/permission.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/store/number.h"

static const char right_letters[] = "nrwb"; /* by enum right */

struct permissions *permissions_new(const struct permission *list, size_t nr)
{
    struct permissions *perms;

    perms = malloc(sizeof *perms + nr * sizeof *list);
    if (!perms)
        return NULL;
    perms->refs = 1;
    perms->nr = (uint32_t)nr;
    memcpy(perms->list, list, nr * sizeof *list);
    return perms;
}

struct permissions *permissions_ref(struct permissions *perms)
{
    perms->refs++;
    return perms;
}

void permissions_unref(struct permissions *perms)
{
    if (perms && --perms->refs == 0)
        free(perms);
}

struct permissions *permissions_for_owner(struct permissions *perms,
                                          uint16_t owner)
{
    struct permissions *copy;

    if (permissions_owner(perms) == owner)
        return permissions_ref(perms);

    copy = permissions_new(perms->list, perms->nr);
    if (copy)
        copy->list[0].domid = owner;
    return copy;
}

unsigned permissions_rights(const struct permissions *perms, uint16_t domid)
{
    if (domain_is_privileged(domid) || permissions_owner(perms) == domid)
        return RIGHT_READ | RIGHT_WRITE | RIGHT_OWN;

    for (uint32_t i = 1; i < perms->nr; i++)
        if (perms->list[i].domid == domid)
            return perms->list[i].rights;
    return perms->list[0].rights;
}

int permission_parse(const char *text, struct permission *perm)
{
    const char *letter;
    uint64_t domid;

    if (!text[0])
        return -EINVAL;
    letter = strchr(right_letters, text[0]);
    if (!letter || number_parse(text + 1, strlen(text + 1), &domid) ||
        domid > UINT16_MAX)
        return -EINVAL;

    perm->rights = (uint16_t)(letter - right_letters);
    perm->domid = (uint16_t)domid;
    return 0;
}

size_t permission_format(const struct permission *perm, char buf[8])
{
    return (size_t)snprintf(buf, 8, "%c%u", right_letters[perm->rights & 3],
                            perm->domid);
}
