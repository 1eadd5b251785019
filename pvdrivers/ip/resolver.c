/*
 * pvdrivers/ip/resolver.c: the file that tells the C library's resolver whom
 * to ask: the servers given or learnt. It has one reader at a time.
 */
#include "sockets.h"

#include <lwip/dns.h>
#include <lwip/sockets.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define TEXT_FD   1040 /* beyond all sockets */
#define TEXT_SIZE 256
#define RESOLVER  "/etc/resolv.conf"

static char text[TEXT_SIZE];
static size_t text_at;
static bool text_open;

static long open_text(const char *path)
{
    size_t len = 0;

    if (strcmp(path, RESOLVER) != 0)
        return -ENOENT;
    if (text_open)
        return -EBUSY;
    for (u8_t i = 0; i < DNS_MAX_SERVERS; i++) {
        const ip_addr_t *server = dns_getserver(i);
        char name[IPADDR_STRLEN_MAX];

        if (ip_addr_isany(server))
            continue;
        ipaddr_ntoa_r(server, name, sizeof name);
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "nameserver %s\n", name);
    }
    text[len] = '\0';
    text_at = 0;
    text_open = true;
    return TEXT_FD;
}

static long read_text(void *bytes, size_t len)
{
    const size_t left = strlen(text + text_at);

    if (len > left)
        len = left;
    memcpy(bytes, text + text_at, len);
    text_at += len;
    return (long)len;
}

long resolver_call(long nr, const long a[6])
{
    const struct iovec *pieces = (const struct iovec *)a[1];
    long done = 0;

    if (nr == SYS_open)
        return open_text((const char *)a[0]);
    if (!text_open || a[0] != TEXT_FD)
        return -EBADF;
    switch (nr) {
    case SYS_read:
        return read_text((void *)a[1], (size_t)a[2]);
    case SYS_readv:
        for (long i = 0; i < a[2]; i++)
            done += read_text(pieces[i].iov_base, pieces[i].iov_len);
        return done;
    case SYS_close:
        text_open = false;
        return 0;
    default:
        return -EINVAL;
    }
}
