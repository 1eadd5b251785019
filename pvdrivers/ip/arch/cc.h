/* pvdrivers/ip/arch/cc.h: what lwIP asks about the compiler and the C library.
 * (lwIP's doc/sys_arch.txt) */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include "../memory.h"

#include <stdint.h>
#include <sys/time.h>
#include <sys/types.h>

#define LWIP_TIMEVAL_PRIVATE    0
#define LWIP_ERRNO_STDINCLUDE   1
#define SSIZE_MAX               INT64_MAX
#define LWIP_NO_UNISTD_H        0
#define LWIP_RAND()             ip_random()
#define LWIP_PLATFORM_DIAG(x)   ip_print x
#define LWIP_PLATFORM_ASSERT(x) ip_assertion_failed(x, __FILE__, __LINE__)

/* Debian's source leaves it to the port whether addresses have a length in
 * them: lwIP's own, which are used here, do. */
#define IP4ADDR_SOCKADDR_SET_LEN(sin)  ((sin)->sin_len = sizeof *(sin))
#define IP6ADDR_SOCKADDR_SET_LEN(sin6) ((sin6)->sin6_len = sizeof *(sin6))
#define IPADDR_SOCKADDR_GET_LEN(addr)  ((addr)->sa.sa_len)

/* system.c */
uint32_t ip_random(void);
void ip_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void ip_assertion_failed(const char *what, const char *file,
                                   int line);

#endif
