/*
 * pvdrivers/ip/sockets.h: Linux's system calls about sockets, over lwIP's
 * sockets, which differ in numbers and layouts. (private)
 */
#ifndef PVDRIVERS_IP_SOCKETS_H
#define PVDRIVERS_IP_SOCKETS_H

/* From now on the C library's sockets are lwIP's. */
void sockets_start(void);

#endif
