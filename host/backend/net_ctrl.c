/*
 * host/backend/net_ctrl.c: the control ring, by which a guest says how its
 * frames are spread over its queues. (xen/io/netif.h, "Control messages")
 */
#include <string.h>

#include "host/backend/net_private.h"
#include "host/domain.h"

#define ALL_TYPES                                                        \
    (XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP | \
     XEN_NETIF_CTRL_HASH_TYPE_IPV6 | XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

/* Requests served in one go, before others get their turn. */
#define BUDGET 64

/* A whole page of the guest's (ref), copied: false if it is not granted. */
static bool copy_page(struct netdev *dev, uint32_t ref, void *to, size_t len)
{
    struct lent_page page;
    const uint8_t *bytes = lent_page_borrow(dev->dom, ref, false, &page);

    if (!bytes)
        return false;
    memcpy(to, bytes, len);
    lent_page_return(dev->dom, &page, false);
    return true;
}

static uint32_t set_algorithm(struct net_hash *hash, uint32_t algorithm)
{
    if (algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE &&
        algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    hash->toeplitz = algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t get_types(const struct net_hash *hash, uint32_t *data)
{
    if (!hash->toeplitz)
        return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
    *data = ALL_TYPES;
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_types(struct net_hash *hash, uint32_t types)
{
    if (!hash->toeplitz || (types & ~(uint32_t)ALL_TYPES))
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    hash->types = types;
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_key(struct netdev *dev, uint32_t ref, uint32_t len)
{
    uint8_t key[NET_HASH_KEY_SIZE] = {0};

    if (len > sizeof key)
        return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
    if (len > 0 && !copy_page(dev, ref, key, len))
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    memcpy(dev->hash.key, key, sizeof key);
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_mapping_size(struct net_hash *hash, uint32_t nr)
{
    if (nr > NET_HASH_MAPPING)
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    hash->nr_mapping = nr;
    memset(hash->mapping, 0, sizeof hash->mapping);
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

/* Entries from (first) on: all of them make sense, or none is taken. */
static uint32_t set_mapping(struct netdev *dev, uint32_t ref, uint32_t nr,
                            uint32_t first)
{
    struct net_hash *hash = &dev->hash;
    uint32_t mapping[NET_HASH_MAPPING];

    if (first > hash->nr_mapping || nr > hash->nr_mapping - first ||
        (nr > 0 && !copy_page(dev, ref, mapping, nr * sizeof *mapping)))
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    for (uint32_t i = 0; i < nr; i++)
        if (mapping[i] >= dev->nr_queues)
            return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    for (uint32_t i = 0; i < nr; i++)
        hash->mapping[first + i] = (uint8_t)mapping[i];
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t fulfil(struct netdev *dev,
                       const struct xen_netif_ctrl_request *request,
                       uint32_t *data)
{
    const uint32_t *args = request->data;

    switch (request->type) {
    case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
        return set_algorithm(&dev->hash, args[0]);
    case XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS:
        return get_types(&dev->hash, data);
    case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
        return set_types(&dev->hash, args[0]);
    case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
        return set_key(dev, args[0], args[1]);
    case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
        *data = NET_HASH_MAPPING;
        return XEN_NETIF_CTRL_STATUS_SUCCESS;
    case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
        return set_mapping_size(&dev->hash, args[0]);
    case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
        return set_mapping(dev, args[0], args[1], args[2]);
    default:
        return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
    }
}

static bool serve_one(struct netdev *dev)
{
    struct xen_netif_ctrl_request request;
    struct xen_netif_ctrl_response response = {0};
    const int rc = ring_back_take(&dev->ctrl.ring, &request, sizeof request);

    if (rc < 0)
        net_broke(dev, "its control ring's counters make no sense");
    if (rc <= 0)
        return false;
    response.id = request.id;
    response.type = request.type;
    response.status = fulfil(dev, &request, &response.data);
    ring_back_put(&dev->ctrl.ring, &response, sizeof response);
    return true;
}

void net_ctrl_serve(struct netdev *dev)
{
    unsigned served = 0;

    if (!dev->ctrl.attached)
        return;
    do {
        while (served < BUDGET && serve_one(dev))
            served++;
    } while (served < BUDGET && !dev->broken &&
             !ring_back_may_sleep(&dev->ctrl.ring));
    if (served == BUDGET)
        dev->wants_turn = true;
    if (!dev->broken)
        net_ring_publish(dev, &dev->ctrl);
}
