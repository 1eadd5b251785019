/*
 * pvdrivers/ip/arch/lwipopts.h: lwIP as guests have it. (its opt.h explains
 * each)
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define LWIP_HOOK_FILENAME            "hooks.h"
#define NO_SYS                        0
#define SYS_LIGHTWEIGHT_PROT          0
#define LWIP_TCPIP_CORE_LOCKING       1
#define LWIP_TCPIP_CORE_LOCKING_INPUT 1
#define TCPIP_MBOX_SIZE               SYS_MBOX_SLOTS
#define DEFAULT_TCP_RECVMBOX_SIZE     SYS_MBOX_SLOTS
#define DEFAULT_UDP_RECVMBOX_SIZE     SYS_MBOX_SLOTS
#define DEFAULT_RAW_RECVMBOX_SIZE     SYS_MBOX_SLOTS
#define DEFAULT_ACCEPTMBOX_SIZE       SYS_MBOX_SLOTS

/* Memory is malloc's, most of it (memory.c); numbers are limits only where they
 * say so. */
#define MEM_LIBC_MALLOC    1
#define mem_clib_malloc    ip_malloc
#define mem_clib_free      ip_free
#define MEMP_MEM_MALLOC    1
#define MEM_ALIGNMENT      8
#define MEMP_NUM_NETCONN   1000
#define MEMP_NUM_TCP_PCB   1024
#define LWIP_SOCKET_OFFSET 3 /* behind the console */

/* Interfaces, addresses, names. */
#define LWIP_IPV4                      1
#define LWIP_IPV6                      1
#define LWIP_ETHERNET                  1
#define LWIP_SINGLE_NETIF              0
#define LWIP_NETIF_STATUS_CALLBACK     1
#define LWIP_NETIF_LINK_CALLBACK       1
#define LWIP_NETIF_HOSTNAME            1
#define LWIP_NETIF_LOOPBACK            1
#define LWIP_HAVE_LOOPIF               1
#define LWIP_LOOPBACK_MAX_PBUFS        64
#define LWIP_DHCP                      1
#define LWIP_DHCP_DOES_ACD_CHECK       0
#define DHCP_DOES_ARP_CHECK            0
#define LWIP_DNS                       1
#define DNS_MAX_SERVERS                3
#define LWIP_IPV6_AUTOCONFIG           1
#define LWIP_IPV6_SEND_ROUTER_SOLICIT  1
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 2
#define IPV6_FRAG_COPYHEADER           1 /* addresses have 8 bytes */
#define LWIP_IGMP                      1
#define LWIP_MULTICAST_TX_OPTIONS      1
#define LWIP_RAW                       1
#define LWIP_NETIF_TX_SINGLE_PBUF      1 /* a datagram is one piece */
#define ARP_QUEUEING                   1
#define IP_REASS_MAX_PBUFS             64

/* TCP that fills a fast link. */
#define TCP_MSS                    1460
#define LWIP_WND_SCALE             1
#define TCP_RCV_SCALE              4
#define TCP_WND                    (512 * 1024)
#define TCP_SND_BUF                (512 * 1024)
#define TCP_SND_QUEUELEN           1400
#define MEMP_NUM_TCP_SEG           4096
#define TCP_SNDLOWAT               (32 * 1024)
#define TCP_LISTEN_BACKLOG         1
#define TCP_DEFAULT_LISTEN_BACKLOG 128
#define LWIP_TCP_SACK_OUT          1
#define LWIP_TCP_TIMESTAMPS        0
#define LWIP_TCP_KEEPALIVE         1
#define TCP_MSL                    1000 /* a guest runs out of memory before ports */

/* Sockets under the C library's, see sockets.c. */
#define LWIP_SOCKET                 1
#define LWIP_COMPAT_SOCKETS         0
#define LWIP_POSIX_SOCKETS_IO_NAMES 0
#define LWIP_SO_SNDTIMEO            1
#define LWIP_SO_RCVTIMEO            1
#define LWIP_SO_RCVBUF              1
#define LWIP_SO_LINGER              1
#define SO_REUSE                    1
#define LWIP_SOCKET_POLL            1
#define LWIP_NETBUF_RECVINFO        1
#define LWIP_FIONREAD_LINUXMODE     1

/* Checksums are the backend's where it takes them: set at connecting. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHECKSUM_ON_COPY        0

#define LWIP_STATS 0

#endif
