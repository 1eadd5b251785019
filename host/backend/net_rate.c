/*
 * host/backend/net_rate.c: how much a guest may send: so many bytes in each
 * interval, which begins when it sends the first of them.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host/backend/net_private.h"
#include "host/domain.h"
#include "host/log.h"

#define NS_PER_US 1000

static void interval_over(void *context, short revents)
{
    struct netdev *dev = context;
    uint64_t ticks;

    (void)revents;
    if (read(dev->rate_timer, &ticks, sizeof ticks) != sizeof ticks)
        return;
    dev->spent = 0;
    if (!dev->connected || dev->broken)
        return;
    for (unsigned i = 0; i < dev->nr_queues && !dev->broken; i++)
        if (dev->queues[i].held_back)
            net_tx_serve(&dev->queues[i]);
    net_watch_link(dev);
}

int net_rate_create(struct netdev *dev)
{
    struct sandbox *sandbox = &dev->dom->sandbox;

    dev->rate_timer = -1;
    if (!dev->config->rate_bytes)
        return 0;
    dev->rate_timer =
        timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (dev->rate_timer < 0)
        return -errno;
    dev->rate_source =
        wait_add(&dev->dom->wait, dev->rate_timer, POLLIN, interval_over, dev);
    if (!dev->rate_source)
        return -ENOSPC;
    sandbox_allow_arg(sandbox, SYS_read, dev->rate_timer);
    sandbox_allow_arg(sandbox, SYS_timerfd_settime, dev->rate_timer);
    return 0;
}

void net_rate_destroy(struct netdev *dev)
{
    if (dev->rate_source)
        wait_remove(&dev->dom->wait, dev->rate_source);
    if (dev->rate_timer >= 0)
        close(dev->rate_timer);
}

bool net_rate_allows(const struct netdev *dev)
{
    return dev->rate_timer < 0 || dev->spent < dev->config->rate_bytes;
}

void net_rate_spend(struct netdev *dev, size_t bytes)
{
    const struct itimerspec interval = {
        .it_value = {.tv_sec = dev->config->rate_us / 1000000,
                     .tv_nsec =
                         (long)(dev->config->rate_us % 1000000) * NS_PER_US},
    };

    if (dev->rate_timer < 0)
        return;
    if (dev->spent == 0)
        timerfd_settime(dev->rate_timer, 0, &interval, NULL);
    dev->spent += bytes;
}
