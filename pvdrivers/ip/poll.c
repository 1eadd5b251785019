/*
 * pvdrivers/ip/poll.c: Linux's poll and select, over lwIP's poll.
 */
#include "sockets.h"

#include <lwip/sockets.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define MAX_POLLED   1024
#define SELECT_WORDS (1024 / 64)
#define US_PER_MS    1000
#define NS_PER_MS    1000000

/* poll: Linux's bits and lwIP's. */
static const struct {
    short linux_bit, bit;
} events[] = {
    {0x001, POLLIN},     {0x004, POLLOUT},  {0x008, POLLERR},
    {0x010, POLLHUP},    {0x020, POLLNVAL}, {0x040, POLLRDNORM},
    {0x100, POLLWRNORM},
};

struct linux_pollfd {
    int fd;
    short events, revents;
};

static short translate(short from, bool to_lwip)
{
    int to = 0;

    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (from & (to_lwip ? events[i].linux_bit : events[i].bit))
            to |= to_lwip ? events[i].bit : events[i].linux_bit;
    return (short)to;
}

static long call_poll(struct linux_pollfd *fds, size_t nr, int timeout_ms)
{
    struct pollfd *polled;
    long rc;

    if (nr > MAX_POLLED)
        return -EINVAL;
    polled = calloc(nr ? nr : 1, sizeof *polled);
    if (!polled)
        return -ENOMEM;
    for (size_t i = 0; i < nr; i++) {
        polled[i].fd = fds[i].fd;
        polled[i].events = translate(fds[i].events, true);
    }
    rc = lwip_poll(polled, (nfds_t)nr, timeout_ms);
    if (rc < 0)
        rc = -errno;
    for (size_t i = 0; i < nr; i++)
        fds[i].revents = translate(polled[i].revents, false);
    free(polled);
    return rc;
}

struct linux_time {
    long seconds, part; /* us or ns */
};

static int timeout_ms(const struct linux_time *time, long parts_per_ms)
{
    if (!time)
        return -1;
    return (int)(time->seconds * 1000 +
                 (time->part + parts_per_ms - 1) / parts_per_ms);
}

static bool is_set(const uint64_t *set, int fd)
{
    return set && (set[fd / 64] >> fd % 64 & 1);
}

static void put(uint64_t *set, int fd, bool on, long *nr)
{
    if (!set || !on)
        return;
    set[fd / 64] |= UINT64_C(1) << fd % 64;
    ++*nr;
}

/* select, by poll. */
static long call_select(int nr_fds, uint64_t *in, uint64_t *out,
                        uint64_t *except, int timeout)
{
    struct linux_pollfd fds[64 * SELECT_WORDS];
    size_t nr = 0, bytes = ((size_t)nr_fds + 63) / 64 * 8;
    long rc, ready = 0;

    if (nr_fds < 0 || nr_fds > 64 * SELECT_WORDS)
        return -EINVAL;
    for (int fd = 0; fd < nr_fds; fd++) {
        if (!is_set(in, fd) && !is_set(out, fd) && !is_set(except, fd))
            continue;
        fds[nr] = (struct linux_pollfd){.fd = fd};
        fds[nr].events |= is_set(in, fd) ? 0x001 : 0;
        fds[nr++].events |= is_set(out, fd) ? 0x004 : 0;
    }
    rc = call_poll(fds, nr, timeout);
    if (rc < 0)
        return rc;
    uint64_t *const sets[] = {in, out, except};
    for (size_t i = 0; i < 3; i++)
        if (sets[i])
            memset(sets[i], 0, bytes);
    for (size_t i = 0; i < nr; i++) {
        put(in, fds[i].fd, (fds[i].events & 0x001) && fds[i].revents, &ready);
        put(out, fds[i].fd,
            (fds[i].events & 0x004) && (fds[i].revents & ~0x001), &ready);
    }
    return ready;
}

long poll_call(long nr, const long a[6])
{
    switch (nr) {
    case SYS_poll:
        return call_poll((void *)a[0], (size_t)a[1], (int)a[2]);
    case SYS_ppoll:
        return call_poll((void *)a[0], (size_t)a[1],
                         timeout_ms((void *)a[2], NS_PER_MS));
    case SYS_select:
        return call_select((int)a[0], (void *)a[1], (void *)a[2], (void *)a[3],
                           timeout_ms((void *)a[4], US_PER_MS));
    case SYS_pselect6:
        return call_select((int)a[0], (void *)a[1], (void *)a[2], (void *)a[3],
                           timeout_ms((void *)a[4], NS_PER_MS));
    default:
        return -ENOSYS;
    }
}
