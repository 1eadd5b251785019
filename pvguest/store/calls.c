/*
 * pvguest/store/calls.c: one function per xenstore operation.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "connection.h"
#include <pvguest/guest.h>
#include <pvguest/store.h>

#define OK_SIZE 4 /* "OK" and its NUL: what a reply without a value says */

static struct wire_part text(const char *string)
{
    size_t len = strlen(string) + 1;

    /* Too long is found by wire_begin, also when it is by 4 GiB. */
    return (struct wire_part){string,
                              len < UINT32_MAX ? (uint32_t)len : UINT32_MAX};
}

/* A request whose reply says no more than that it was done. */
static int command(uint32_t type, uint32_t tx, const struct wire_part *parts,
                   unsigned nr_parts)
{
    char ok[OK_SIZE];
    long rc = store_request(type, tx, parts, nr_parts, ok, sizeof ok);

    return rc < 0 ? (int)rc : 0;
}

long store_read(uint32_t tx, const char *path, char *buf, size_t size)
{
    struct wire_part part = text(path);
    long len;

    if (!size)
        return -E2BIG;
    len = store_request(XS_READ, tx, &part, 1, buf, size - 1);
    if (len >= 0)
        buf[len] = '\0';
    return len;
}

int store_read_u64(uint32_t tx, const char *path, uint64_t *value)
{
    char digits[24];
    long len = store_read(tx, path, digits, sizeof digits);

    if (len < 0)
        return len == -E2BIG ? -EINVAL : (int)len;
    return wire_number(digits, value);
}

int store_write(uint32_t tx, const char *path, const char *value)
{
    struct wire_part parts[] = {text(path), text(value)};

    parts[1].len--; /* values are bytes, without a NUL */
    return command(XS_WRITE, tx, parts, 2);
}

int store_vprintf(uint32_t tx, const char *path, const char *format,
                  va_list args)
{
    char value[512];

    if (guest_vformat(value, sizeof value, format, args) >= sizeof value)
        return -E2BIG;
    return store_write(tx, path, value);
}

int store_printf(uint32_t tx, const char *path, const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = store_vprintf(tx, path, format, args);
    va_end(args);
    return rc;
}

int store_mkdir(uint32_t tx, const char *path)
{
    struct wire_part part = text(path);

    return command(XS_MKDIR, tx, &part, 1);
}

int store_remove(uint32_t tx, const char *path)
{
    struct wire_part part = text(path);

    return command(XS_RM, tx, &part, 1);
}

long store_directory(uint32_t tx, const char *path, char *buf, size_t size)
{
    struct wire_part part = text(path);
    long len = store_request(XS_DIRECTORY, tx, &part, 1, buf, size);

    if (len > 0 && buf[len - 1] != '\0')
        return -EIO; /* callers walk it name by name */
    return len;
}

int store_tx_begin(uint32_t *tx)
{
    struct wire_part part = text("");
    char id[24];
    uint64_t number;
    long len;

    len = store_request(XS_TRANSACTION_START, STORE_NO_TX, &part, 1, id,
                        sizeof id - 1);
    if (len < 0)
        return (int)len;
    id[len] = '\0';
    if (wire_number(id, &number) || !number || number > UINT32_MAX)
        return -EIO;
    *tx = (uint32_t)number;
    return 0;
}

int store_tx_end(uint32_t tx, bool commit)
{
    struct wire_part part = text(commit ? "T" : "F");

    return command(XS_TRANSACTION_END, tx, &part, 1);
}
