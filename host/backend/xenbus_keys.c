/*
 * host/backend/xenbus_keys.c: keys in the two directories of a device.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/backend/xenbus.h"
#include "host/domain.h"
#include "host/log.h"
#include "host/store/store.h"

#define KEY_PATH_MAX (XENBUS_PATH_MAX + 64)

/* "<directory>/<key>", or -EINVAL if that is too long to be one of ours. */
static int key_path(const char *dir, const char *key, char path[KEY_PATH_MAX])
{
    const int n = snprintf(path, KEY_PATH_MAX, "%s/%s", dir, key);

    return n < 0 || n >= KEY_PATH_MAX ? -EINVAL : 0;
}

static int write_key(struct xenbus_device *dev, const char *dir,
                     const char *key, const char *format, va_list args)
{
    char path[KEY_PATH_MAX], value[1024];
    int rc, n;

    n = vsnprintf(value, sizeof value, format, args);
    if (n < 0 || (size_t)n >= sizeof value)
        rc = -ENOSPC;
    else
        rc = key_path(dir, key, path);
    if (!rc)
        rc = store_write(dev->dom->store, path, value);
    if (rc)
        log_error("cannot write %s/%s to xenstore: %s", dir, key,
                  strerror(-rc));
    return rc;
}

int xenbus_preset(struct xenbus_device *dev, const char *key,
                  const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = write_key(dev, dev->frontend, key, format, args);
    va_end(args);
    return rc;
}

int xenbus_publish(struct xenbus_device *dev, const char *key,
                   const char *format, ...)
{
    va_list args;
    int rc;

    if (dev->gone)
        return 0;
    va_start(args, format);
    rc = write_key(dev, dev->backend, key, format, args);
    va_end(args);
    return rc;
}

long xenbus_read(struct xenbus_device *dev, const char *key, char *buf,
                 size_t size)
{
    char path[KEY_PATH_MAX];
    long len = key_path(dev->frontend, key, path);

    if (len == 0)
        len = store_read(dev->dom->store, path, buf, size);
    if (len > 0 && memchr(buf, '\0', (size_t)len))
        return -EINVAL;
    return len;
}

int xenbus_read_u32(struct xenbus_device *dev, const char *key, uint32_t *value)
{
    char path[KEY_PATH_MAX];
    uint64_t number;
    int rc = key_path(dev->frontend, key, path);

    if (!rc)
        rc = store_read_u64(dev->dom->store, path, &number);
    if (rc)
        return rc;
    if (number > UINT32_MAX)
        return -EINVAL;
    *value = (uint32_t)number;
    return 0;
}
