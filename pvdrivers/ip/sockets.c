/*
 * pvdrivers/ip/sockets.c: Linux's system calls about sockets, over lwIP's.
 *
 * lwIP's numbers and layouts are those of BSD: addresses begin with their
 * length, options and flags have other values. Here Linux's are written out
 * (asm-generic/socket.h, linux/in.h, linux/in6.h, linux/tcp.h).
 */
#include "sockets.h"

#include <lwip/sockets.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <pvguest/linux.h>

#define LINUX_AF_INET6      10
#define LINUX_SOCK_TYPE     0xf
#define LINUX_SOCK_NONBLOCK 0x800
#define LINUX_SOL_SOCKET    1
#define LINUX_MSG_PEEK      0x2
#define LINUX_MSG_DONTWAIT  0x40
#define LINUX_MSG_MORE      0x8000
#define LINUX_O_NONBLOCK    0x800
#define LINUX_F_GETFD       1
#define LINUX_F_SETFD       2
#define LINUX_F_GETFL       3
#define LINUX_F_SETFL       4
#define LINUX_FIONREAD      0x541b
#define LINUX_FIONBIO       0x5421

#define MAX_PIECES 1024
#define OPTION_MAX 128

union linux_address {
    uint16_t family;
    struct {
        uint16_t family;
        uint16_t port;
        uint32_t addr;
        char zero[8];
    } in;
    struct {
        uint16_t family;
        uint16_t port;
        uint32_t flowinfo;
        uint8_t addr[16];
        uint32_t scope;
    } in6;
};

union lwip_address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* lwIP sets errno; Linux returns it. */
static long result(long rc)
{
    return rc < 0 ? -(long)errno : rc;
}

static long from_linux(const union linux_address *from, size_t len,
                       union lwip_address *to)
{
    memset(to, 0, sizeof *to);
    if (len < sizeof from->family)
        return -EINVAL;
    if (from->family == AF_INET && len >= sizeof from->in) {
        to->in.sin_len = sizeof to->in;
        to->in.sin_family = AF_INET;
        to->in.sin_port = from->in.port;
        to->in.sin_addr.s_addr = from->in.addr;
        return 0;
    }
    if (from->family == LINUX_AF_INET6 && len >= sizeof from->in6) {
        to->in6.sin6_len = sizeof to->in6;
        to->in6.sin6_family = AF_INET6;
        to->in6.sin6_port = from->in6.port;
        to->in6.sin6_flowinfo = from->in6.flowinfo;
        to->in6.sin6_scope_id = from->in6.scope;
        memcpy(&to->in6.sin6_addr, from->in6.addr, sizeof from->in6.addr);
        return 0;
    }
    if (from->family == 0) { /* AF_UNSPEC dissolves an association */
        to->any.sa_family = AF_UNSPEC;
        to->any.sa_len = sizeof to->any;
        return 0;
    }
    return -EAFNOSUPPORT;
}

/* As much as the caller has room for; *len becomes the whole length. */
static void to_linux(const union lwip_address *from, void *to, uint32_t *len)
{
    union linux_address address = {0};
    uint32_t whole = 0;

    if (from->any.sa_family == AF_INET) {
        address.in.family = AF_INET;
        address.in.port = from->in.sin_port;
        address.in.addr = from->in.sin_addr.s_addr;
        whole = sizeof address.in;
    } else if (from->any.sa_family == AF_INET6) {
        address.in6.family = LINUX_AF_INET6;
        address.in6.port = from->in6.sin6_port;
        address.in6.flowinfo = from->in6.sin6_flowinfo;
        address.in6.scope = from->in6.sin6_scope_id;
        memcpy(address.in6.addr, &from->in6.sin6_addr, sizeof address.in6.addr);
        whole = sizeof address.in6;
    }
    if (!to || !len)
        return;
    memcpy(to, &address, *len < whole ? *len : whole);
    *len = whole;
}

static long set_blocking(int fd, bool blocking)
{
    return result(lwip_fcntl(fd, F_SETFL, blocking ? 0 : O_NONBLOCK));
}

static long call_socket(long domain, long type, long protocol)
{
    long fd =
        result(lwip_socket(domain == LINUX_AF_INET6 ? AF_INET6 : (int)domain,
                           (int)(type & LINUX_SOCK_TYPE), (int)protocol));

    if (fd >= 0 && (type & LINUX_SOCK_NONBLOCK))
        set_blocking((int)fd, false);
    return fd;
}

static long call_accept(int fd, void *to, uint32_t *len, long flags)
{
    union lwip_address address = {0};
    socklen_t address_len = sizeof address;
    long accepted = result(lwip_accept(fd, &address.any, &address_len));

    if (accepted < 0)
        return accepted;
    to_linux(&address, to, len);
    set_blocking((int)accepted, !(flags & LINUX_SOCK_NONBLOCK));
    return accepted;
}

/* A call that takes an address: bind, connect. */
static long with_address(int (*call)(int, const struct sockaddr *, socklen_t),
                         int fd, const void *from, size_t len)
{
    union lwip_address address;
    long rc = from_linux(from, len, &address);

    return rc ? rc : result(call(fd, &address.any, address.any.sa_len));
}

/* A call that gives one: getsockname, getpeername. */
static long give_address(int (*call)(int, struct sockaddr *, socklen_t *),
                         int fd, void *to, uint32_t *len)
{
    union lwip_address address = {0};
    socklen_t address_len = sizeof address;
    long rc = result(call(fd, &address.any, &address_len));

    if (rc == 0)
        to_linux(&address, to, len);
    return rc;
}

static int flags_from_linux(long flags)
{
    int to = 0;

    if (flags & LINUX_MSG_PEEK)
        to |= MSG_PEEK;
    if (flags & LINUX_MSG_DONTWAIT)
        to |= MSG_DONTWAIT;
    if (flags & LINUX_MSG_MORE)
        to |= MSG_MORE;
    return to;
}

static long call_sendto(int fd, const void *bytes, size_t len, long flags,
                        const void *to, size_t to_len)
{
    union lwip_address address;
    long rc;

    if (!to)
        return result(lwip_send(fd, bytes, len, flags_from_linux(flags)));
    rc = from_linux(to, to_len, &address);
    if (rc)
        return rc;
    return result(lwip_sendto(fd, bytes, len, flags_from_linux(flags),
                              &address.any, address.any.sa_len));
}

static long call_recvfrom(int fd, void *bytes, size_t len, long flags,
                          void *from, uint32_t *from_len)
{
    union lwip_address address = {0};
    socklen_t address_len = sizeof address;
    long rc = result(lwip_recvfrom(fd, bytes, len, flags_from_linux(flags),
                                   &address.any, &address_len));

    if (rc >= 0)
        to_linux(&address, from, from_len);
    return rc;
}

/* struct msghdr as Linux has it; struct iovec is the same. */
struct linux_message {
    void *name;
    uint32_t name_len;
    struct iovec *pieces;
    size_t nr_pieces;
    void *control;
    size_t control_len;
    int flags;
};

static long call_sendmsg(int fd, const struct linux_message *from, long flags)
{
    union lwip_address address;
    struct msghdr message = {
        .msg_iov = from->pieces,
        .msg_iovlen = (int)from->nr_pieces,
    };

    if (from->nr_pieces > MAX_PIECES)
        return -EMSGSIZE;
    if (from->name) {
        long rc = from_linux(from->name, from->name_len, &address);

        if (rc)
            return rc;
        message.msg_name = &address;
        message.msg_namelen = address.any.sa_len;
    }
    return result(lwip_sendmsg(fd, &message, flags_from_linux(flags)));
}

static long call_recvmsg(int fd, struct linux_message *to, long flags)
{
    union lwip_address address = {0};
    struct msghdr message = {
        .msg_name = &address,
        .msg_namelen = sizeof address,
        .msg_iov = to->pieces,
        .msg_iovlen = (int)to->nr_pieces,
    };
    long rc;

    if (to->nr_pieces > MAX_PIECES)
        return -EMSGSIZE;
    rc = result(lwip_recvmsg(fd, &message, flags_from_linux(flags)));
    if (rc < 0)
        return rc;
    if (to->name)
        to_linux(&address, to->name, &to->name_len);
    to->control_len = 0;
    to->flags = 0;
    return rc;
}

static const struct {
    int linux_level, linux_name, level, name;
} options[] = {
    {LINUX_SOL_SOCKET, 2, SOL_SOCKET, SO_REUSEADDR},
    {LINUX_SOL_SOCKET, 3, SOL_SOCKET, SO_TYPE},
    {LINUX_SOL_SOCKET, 4, SOL_SOCKET, SO_ERROR},
    {LINUX_SOL_SOCKET, 6, SOL_SOCKET, SO_BROADCAST},
    {LINUX_SOL_SOCKET, 8, SOL_SOCKET, SO_RCVBUF},
    {LINUX_SOL_SOCKET, 9, SOL_SOCKET, SO_KEEPALIVE},
    {LINUX_SOL_SOCKET, 13, SOL_SOCKET, SO_LINGER},
    {LINUX_SOL_SOCKET, 20, SOL_SOCKET, SO_RCVTIMEO},
    {LINUX_SOL_SOCKET, 21, SOL_SOCKET, SO_SNDTIMEO},
    {LINUX_SOL_SOCKET, 30, SOL_SOCKET, SO_ACCEPTCONN},
    {IPPROTO_IP, 1, IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, 2, IPPROTO_IP, IP_TTL},
    {IPPROTO_IP, 33, IPPROTO_IP, IP_MULTICAST_TTL},
    {IPPROTO_IP, 34, IPPROTO_IP, IP_MULTICAST_LOOP},
    {IPPROTO_IP, 35, IPPROTO_IP, IP_ADD_MEMBERSHIP},
    {IPPROTO_IP, 36, IPPROTO_IP, IP_DROP_MEMBERSHIP},
    {IPPROTO_IPV6, 26, IPPROTO_IPV6, IPV6_V6ONLY},
    {IPPROTO_TCP, 1, IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, 4, IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, 5, IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, 6, IPPROTO_TCP, TCP_KEEPCNT},
};

/* Those that change nothing a program could notice. */
static bool may_be_ignored(long level, long name)
{
    return level == LINUX_SOL_SOCKET &&
           (name == 7 /* SO_SNDBUF */ || name == 15 /* SO_REUSEPORT */);
}

static long call_setsockopt(int fd, long level, long name, const void *value,
                            size_t len)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].linux_level == level && options[i].linux_name == name)
            return result(lwip_setsockopt(fd, options[i].level, options[i].name,
                                          value, (socklen_t)len));
    return may_be_ignored(level, name) ? 0 : -ENOPROTOOPT;
}

static long call_getsockopt(int fd, long level, long name, void *value,
                            uint32_t *len)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].linux_level == level && options[i].linux_name == name)
            return result(lwip_getsockopt(fd, options[i].level, options[i].name,
                                          value, len));
    return -ENOPROTOOPT;
}

static long call_fcntl(int fd, long command, long arg)
{
    long flags;

    switch (command) {
    case LINUX_F_GETFD:
    case LINUX_F_SETFD: /* nobody is ever executed */
        return 0;
    case LINUX_F_GETFL:
        flags = result(lwip_fcntl(fd, F_GETFL, 0));
        return flags < 0 ? flags
                         : 2 | (flags & O_NONBLOCK ? LINUX_O_NONBLOCK : 0);
    case LINUX_F_SETFL:
        return set_blocking(fd, !(arg & LINUX_O_NONBLOCK));
    default:
        return -EINVAL;
    }
}

static long call_ioctl(int fd, unsigned long request, void *arg)
{
    if (request == LINUX_FIONBIO)
        return result(lwip_ioctl(fd, FIONBIO, arg));
    if (request == LINUX_FIONREAD)
        return result(lwip_ioctl(fd, FIONREAD, arg));
    return -ENOTTY;
}

static long socket_call(long nr, const long a[6])
{
    const int fd = (int)a[0];

    switch (nr) {
    case SYS_bind:
        return with_address(lwip_bind, fd, (void *)a[1], (size_t)a[2]);
    case SYS_connect:
        return with_address(lwip_connect, fd, (void *)a[1], (size_t)a[2]);
    case SYS_listen:
        return result(lwip_listen(fd, (int)a[1]));
    case SYS_accept:
        return call_accept(fd, (void *)a[1], (uint32_t *)a[2], 0);
    case SYS_accept4:
        return call_accept(fd, (void *)a[1], (uint32_t *)a[2], a[3]);
    case SYS_getsockname:
        return give_address(lwip_getsockname, fd, (void *)a[1],
                            (uint32_t *)a[2]);
    case SYS_getpeername:
        return give_address(lwip_getpeername, fd, (void *)a[1],
                            (uint32_t *)a[2]);
    case SYS_setsockopt:
        return call_setsockopt(fd, a[1], a[2], (void *)a[3], (size_t)a[4]);
    case SYS_getsockopt:
        return call_getsockopt(fd, a[1], a[2], (void *)a[3], (uint32_t *)a[4]);
    case SYS_sendto:
        return call_sendto(fd, (void *)a[1], (size_t)a[2], a[3], (void *)a[4],
                           (size_t)a[5]);
    case SYS_recvfrom:
        return call_recvfrom(fd, (void *)a[1], (size_t)a[2], a[3], (void *)a[4],
                             (uint32_t *)a[5]);
    case SYS_sendmsg:
        return call_sendmsg(fd, (void *)a[1], a[2]);
    case SYS_recvmsg:
        return call_recvmsg(fd, (void *)a[1], a[2]);
    case SYS_shutdown:
        return result(lwip_shutdown(fd, (int)a[1]));
    case SYS_read:
        return result(lwip_read(fd, (void *)a[1], (size_t)a[2]));
    case SYS_write:
        return result(lwip_write(fd, (void *)a[1], (size_t)a[2]));
    case SYS_readv:
        return result(lwip_readv(fd, (void *)a[1], (int)a[2]));
    case SYS_writev:
        return result(lwip_writev(fd, (void *)a[1], (int)a[2]));
    case SYS_fcntl:
        return call_fcntl(fd, a[1], a[2]);
    case SYS_ioctl:
        return call_ioctl(fd, (unsigned long)a[1], (void *)a[2]);
    case SYS_close:
        return result(lwip_close(fd));
    default:
        return -ENOSYS;
    }
}

static long linux_call(long nr, const long a[6])
{
    long rc;

    if (nr == SYS_socket)
        return call_socket(a[0], a[1], a[2]);
    rc = poll_call(nr, a);
    if (rc == -ENOSYS)
        rc = resolver_call(nr, a);
    return rc == -EBADF ? socket_call(nr, a) : rc;
}

void sockets_start(void)
{
    linux_set_more_calls(linux_call);
}
