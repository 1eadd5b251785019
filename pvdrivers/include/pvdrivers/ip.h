/*
 * pvdrivers/ip.h: TCP/IP: lwIP on the first network device, under the C
 * library's sockets.
 *
 * It starts before main(), as the command line says:
 *
 *   ip=dhcp                           the default
 *   ip=10.0.0.2/24,gw=10.0.0.1,dns=10.0.0.1
 *   ip=none                           no IPv4
 *   ip6=auto                          the default: by router advertisements
 *   ip6=fd00::2/64                    routers are discovered
 *   ip6=none
 *
 * Programs then use socket() and all that belongs to it; names are resolved
 * by the servers given or learnt. A guest without a network device has the
 * loopback interface.
 */
#ifndef PVDRIVERS_IP_H
#define PVDRIVERS_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Wait until the device has an IPv4 address, as DHCP gives one, or
 * (deadline_ns) of system time (pvguest/clock.h): true if it has. With ip=none
 * it never will, and that is known at once.
 */
bool ip_wait(uint64_t deadline_ns);

/* The device's IPv4 address as text, "0.0.0.0" without; false for no device. */
bool ip_address(char *text, size_t size);

struct net;

/* The device below, to look at (pvdrivers/net.h); NULL without. */
const struct net *ip_device(void);

#endif
