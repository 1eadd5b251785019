/*
 * pvdrivers/ip/device.c: a network device becomes an interface of lwIP's.
 */
#include "device.h"

#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/netif.h>
#include <lwip/tcpip.h>

#include <stdlib.h>
#include <string.h>

static err_t device_init(struct netif *netif)
{
    struct device *device = netif->state;
    const struct net_info *info = &device->info;
    u16_t flags = NETIF_CHECKSUM_ENABLE_ALL;

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, info->mac, ETH_HWADDR_LEN);
    netif->mtu = (u16_t)info->mtu;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
                   NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = device_send;
    if (info->checksum_ipv4 && info->checksum_ipv6)
        flags &= (u16_t)~DEVICE_MAKES;
    NETIF_SET_CHECKSUM_CTRL(netif, flags);
    return ERR_OK;
}

struct netif *device_create(unsigned index)
{
    struct device *device = calloc(1, sizeof *device);

    if (!device)
        return NULL;
    device->net = net_open(index);
    if (!device->net || !thread_start(device_kick, device)) {
        if (device->net)
            net_close(device->net);
        free(device);
        return NULL;
    }
    net_get_info(device->net, &device->info);
    netif_add(&device->netif, NULL, NULL, NULL, device, device_init,
              tcpip_input);
    net_set_receiver(device->net, device_receive, device);
    if (device->info.up)
        netif_set_link_up(&device->netif);
    return &device->netif;
}
