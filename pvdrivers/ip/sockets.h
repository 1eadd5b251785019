/*
 * pvdrivers/ip/sockets.h: Linux's system calls about sockets, over lwIP's
 * sockets, which differ in numbers and layouts. (private)
 */
#ifndef PVDRIVERS_IP_SOCKETS_H
#define PVDRIVERS_IP_SOCKETS_H

/*
 * poll.c, resolver.c: system call (nr): its result, or -ENOSYS and -EBADF for
 * one that is not theirs.
 */
long poll_call(long nr, const long args[6]);
long resolver_call(long nr, const long args[6]);

/* From now on the C library's sockets are lwIP's. */
void sockets_start(void);

#endif
