/* pvdrivers/ip/device.h: a network device as lwIP sees it. (private) */
#ifndef PVDRIVERS_IP_DEVICE_H
#define PVDRIVERS_IP_DEVICE_H

struct netif;

/* The (index)th device, without an address yet; NULL if there is none. */
struct netif *device_create(unsigned index);

#endif
