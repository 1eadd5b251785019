/* host/backend/net_filter.c: which multicast frames a guest wants. */
#include <string.h>

#include "host/backend/net_private.h"

static uint8_t *find(struct netdev *dev, const uint8_t *mac)
{
    for (unsigned i = 0; i < dev->nr_multicast; i++)
        if (!memcmp(dev->multicast[i], mac, 6))
            return dev->multicast[i];
    return NULL;
}

static bool add(struct netdev *dev, const uint8_t *mac)
{
    if (!(mac[0] & 1) || dev->nr_multicast == NET_MAX_MULTICAST)
        return false;
    if (!find(dev, mac))
        memcpy(dev->multicast[dev->nr_multicast++], mac, 6);
    return true;
}

static bool remove_one(struct netdev *dev, const uint8_t *mac)
{
    uint8_t *at = find(dev, mac);

    if (at)
        memmove(at, dev->multicast[--dev->nr_multicast], 6);
    return true;
}

bool net_filter_change(struct netdev *dev, const struct netif_extra_info *extra)
{
    if (extra->type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD)
        return add(dev, extra->u.mcast.addr);
    return remove_one(dev, extra->u.mcast.addr);
}

bool net_filter_passes(const struct netdev *dev, const uint8_t *mac)
{
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    if (!dev->filters || !(mac[0] & 1) || !memcmp(mac, everybody, 6))
        return true;
    for (unsigned i = 0; i < dev->nr_multicast; i++)
        if (!memcmp(dev->multicast[i], mac, 6))
            return true;
    return false;
}
