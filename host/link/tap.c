/*
 * host/link/tap.c: a tap device, which the kernel uses like a network card. It
 * takes frames with partial checksums and long TCP segments, and gives such if
 * told to (TUNSETOFFLOAD).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/config.h"
#include "host/link/keeper.h"
#include "host/link/link.h"
#include "host/log.h"
#include "host/sandbox.h"

/* As the kernel defines it in a header that does not go with <net/if.h>. */
#define SIOCBRADDIF 0x89a2

#define DEVICE "/dev/net/tun"

/* A frame behind its header is one piece to the kernel: it need not take a list
 * of them apart, which costs as much as it does to copy this many bytes. */
#define SHORT_MAX OFFLOAD_HEAD

struct tap {
    struct link link;
    char name[IFNAMSIZ];
    int device;            /* the link's descriptor while it is up */
    int keeper;            /* where the next comes from; -1: from nowhere */
    unsigned long offload; /* as the guest asked for */
    struct {
        struct virtio_net_hdr header;
        uint8_t bytes[FRAME_MAX];
    } received; /* last */
    struct {
        struct virtio_net_hdr header;
        uint8_t bytes[SHORT_MAX];
    } to_send;
};

_Static_assert(offsetof(struct tap, received.bytes) -
                           offsetof(struct tap, received) ==
                       sizeof(struct virtio_net_hdr) &&
                   offsetof(struct tap, to_send.bytes) -
                           offsetof(struct tap, to_send) ==
                       sizeof(struct virtio_net_hdr),
               "frames stand behind their headers");

static struct tap *tap_of(struct link *link)
{
    return (struct tap *)link;
}

static void went_down(struct link *link, int error)
{
    struct tap *tap = tap_of(link);

    if (!link->up)
        return;
    link->up = false;
    link->fd = tap->keeper;
    log_warning("network device %s: %s: the guest's link is down", tap->name,
                strerror(error));
    keeper_ask(tap->keeper);
}

static void set_offload(const struct tap *tap)
{
    if (ioctl(tap->device, TUNSETOFFLOAD, tap->offload))
        log_warning("network device %s: cannot choose its offloads: %m",
                    tap->name);
}

/* Has somebody made it anew? */
static void come_up(struct link *link)
{
    struct tap *tap = tap_of(link);
    int rc;

    if (link->up || tap->keeper < 0)
        return;
    rc = keeper_renew(&tap->keeper, tap->device);
    if (tap->keeper < 0)
        link->fd = -1;
    if (rc)
        return;
    link->fd = tap->device;
    link->up = true;
    set_offload(tap);
    log_warning("network device %s: it is there again: the guest's link is up",
                tap->name);
}

static struct virtio_net_hdr describe(const struct offload *work)
{
    struct virtio_net_hdr header = {0};

    if (work->partial) {
        header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        header.csum_start = work->csum_start;
        header.csum_offset = work->csum_offset;
    }
    if (work->gso != OFFLOAD_GSO_NONE) {
        header.gso_type = work->gso == OFFLOAD_GSO_TCPV4
                              ? VIRTIO_NET_HDR_GSO_TCPV4
                              : VIRTIO_NET_HDR_GSO_TCPV6;
        header.gso_size = work->gso_size;
        header.hdr_len = work->header_len;
    }
    return header;
}

static ssize_t write_short(struct tap *tap, const struct iovec *part)
{
    memcpy(tap->to_send.bytes, part->iov_base, part->iov_len);
    return write(tap->link.fd, &tap->to_send,
                 sizeof tap->to_send.header + part->iov_len);
}

static ssize_t write_parts(struct tap *tap, const struct iovec *parts,
                           unsigned nr_parts)
{
    struct iovec all[1 + LINK_MAX_PARTS];

    all[0] = (struct iovec){.iov_base = &tap->to_send.header,
                            .iov_len = sizeof tap->to_send.header};
    memcpy(&all[1], parts, nr_parts * sizeof *parts);
    return writev(tap->link.fd, all, (int)nr_parts + 1);
}

static int tap_send(struct link *link, const struct iovec *parts,
                    unsigned nr_parts, const struct offload *work)
{
    struct tap *tap = tap_of(link);
    const bool is_short = nr_parts == 1 && parts->iov_len <= SHORT_MAX;
    ssize_t len;

    if (!link->up || nr_parts > LINK_MAX_PARTS)
        return -EIO;
    tap->to_send.header = describe(work);
    do
        len = is_short ? write_short(tap, parts)
                       : write_parts(tap, parts, nr_parts);
    while (len < 0 && errno == EINTR);
    if (len >= 0)
        return 0;
    if (errno == EAGAIN)
        return -EAGAIN;
    if (errno == EBADFD || errno == ENODEV)
        went_down(link, errno);
    return -EIO; /* down for now, or no room: frames get lost */
}

static void tap_flush(struct link *link)
{
    (void)link; /* each frame was a call of its own */
}

/* Understand (header) of a frame of (len) bytes; the kernel is trusted. */
static void understand(const struct virtio_net_hdr *header,
                       struct offload *work)
{
    *work = (struct offload){
        .partial = header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .verified = header->flags & VIRTIO_NET_HDR_F_DATA_VALID,
    };
    if (work->partial) {
        work->csum_start = header->csum_start;
        work->csum_offset = header->csum_offset;
    }
    switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        work->gso = OFFLOAD_GSO_TCPV4;
        break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        work->gso = OFFLOAD_GSO_TCPV6;
        break;
    default:
        break;
    }
    work->gso_size = header->gso_size;
}

static ssize_t tap_receive(struct link *link, uint8_t **bytes,
                           struct offload *work)
{
    struct tap *tap = tap_of(link);
    const ssize_t header_len = sizeof tap->received.header;
    ssize_t len;

    come_up(link);
    if (!link->up)
        return -EIO;
    do
        len = read(link->fd, &tap->received, sizeof tap->received);
    while (len < 0 && errno == EINTR);
    if (len < 0) {
        if (errno == EAGAIN)
            return 0;
        if (errno != EIO) /* which means: not "up" just now */
            went_down(link, errno);
        return errno == EIO ? 0 : -EIO;
    }
    if (len < header_len + FRAME_MIN)
        return 0;
    understand(&tap->received.header, work);
    *bytes = tap->received.bytes;
    return len - header_len;
}

static void tap_accept(struct link *link, bool partial, bool gso_tcpv4,
                       bool gso_tcpv6)
{
    struct tap *tap = tap_of(link);

    tap->offload = 0;
    if (partial)
        tap->offload |= TUN_F_CSUM;
    if (partial && gso_tcpv4)
        tap->offload |= TUN_F_TSO4 | TUN_F_TSO_ECN;
    if (partial && gso_tcpv6)
        tap->offload |= TUN_F_TSO6 | TUN_F_TSO_ECN;
    if (link->up)
        set_offload(tap);
}

static void tap_allow(const struct link *link, struct sandbox *sandbox)
{
    sandbox_allow_args(sandbox, SYS_ioctl, link->fd, TUNSETOFFLOAD);
    sandbox_allow_arg(sandbox, SYS_writev, link->fd);
    sandbox_allow_arg(sandbox, SYS_write, link->fd);
    sandbox_allow_arg(sandbox, SYS_read, link->fd);
    keeper_allow(((const struct tap *)link)->keeper, link->fd, sandbox);
}

static void tap_close(struct link *link)
{
    struct tap *tap = tap_of(link);

    if (tap->device >= 0)
        close(tap->device);
    if (tap->keeper >= 0)
        close(tap->keeper);
    free(tap);
}

static int refuse(const struct net_config *config, int error)
{
    const char *remedy;

    switch (error) {
    case EBUSY:
        remedy = "somebody else uses it: choose another vifname";
        break;
    case EPERM:
    case EACCES:
        remedy = "making or opening it takes the right to: let the "
                 "administrator run 'ip tuntap add dev NAME mode tap user "
                 "YOU', or say --net user";
        break;
    case ENOENT:
    case ENODEV:
        remedy = "load the module tun";
        break;
    case EINVAL:
        remedy = "it is a device of another kind: choose another vifname";
        break;
    default:
        remedy = "see the kernel's log";
        break;
    }
    log_error("cannot use the tap device '%s': %s: %s",
              *config->vifname ? config->vifname : "(new)", strerror(error),
              remedy);
    return -error;
}

/* One request to the device called (tap->name). */
static int configure(const struct tap *tap, int socket, unsigned long request,
                     struct ifreq *ifr)
{
    snprintf(ifr->ifr_name, sizeof ifr->ifr_name, "%s", tap->name);
    return ioctl(socket, request, ifr) ? -errno : 0;
}

/* One that we made is ours to set up, one that was there its owner's. */
static int set_up_new(const struct tap *tap, const struct net_config *config)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const char *step = "set its MTU";
    struct ifreq ifr = {.ifr_mtu = (int)config->mtu};
    int rc = sock < 0 ? -errno : 0;

    if (rc == 0 && config->mtu)
        rc = configure(tap, sock, SIOCSIFMTU, &ifr);
    if (rc == 0) {
        step = "bring it up";
        ifr = (struct ifreq){.ifr_flags = IFF_UP};
        rc = configure(tap, sock, SIOCSIFFLAGS, &ifr);
    }
    if (sock >= 0)
        close(sock);
    if (rc)
        log_error("cannot %s: tap device '%s': %s", step, tap->name,
                  strerror(-rc));
    return rc;
}

static int join_bridge(const struct tap *tap, const struct net_config *config)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq ifr = {.ifr_ifindex = (int)if_nametoindex(tap->name)};
    int rc = 0;

    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", config->bridge);
    if (sock < 0 || ioctl(sock, SIOCBRADDIF, &ifr))
        rc = -errno;
    if (sock >= 0)
        close(sock);
    if (rc == -EBUSY) /* it is in one; its owner will know in which */
        return 0;
    if (rc)
        log_error("cannot add the tap device '%s' to the bridge '%s': %s: %s",
                  tap->name, config->bridge, strerror(-rc),
                  rc == -ENODEV ? "make it with 'ip link add NAME type bridge'"
                                : "it takes the right to");
    return rc;
}

/* The device called (name), or a new one if that is empty; (ifr) says which. */
static int open_device(const char *name, struct ifreq *ifr)
{
    const int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    *ifr = (struct ifreq){.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    snprintf(ifr->ifr_name, sizeof ifr->ifr_name, "%s", name);
    if (ioctl(fd, TUNSETIFF, ifr)) {
        const int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

static int attach(struct tap *tap, const struct net_config *config)
{
    const bool existed = *config->vifname && if_nametoindex(config->vifname);
    struct ifreq ifr;
    int rc = 0;

    tap->device = open_device(config->vifname, &ifr);
    if (tap->device < 0)
        return refuse(config, -tap->device);
    snprintf(tap->name, sizeof tap->name, "%s", ifr.ifr_name);
    rc = existed ? 0 : set_up_new(tap, config);
    if (rc == 0 && *config->bridge)
        rc = join_bridge(tap, config);
    return rc;
}

/* Whoever removed the device may make it again: that is not for us to do. */
static int attach_again(void *context)
{
    const struct tap *tap = context;
    struct ifreq ifr;
    int fd;

    if (!if_nametoindex(tap->name))
        return -ENODEV;
    fd = open_device(tap->name, &ifr);
    if (fd >= 0 && *tap->link.config->bridge)
        join_bridge(tap, tap->link.config);
    return fd;
}

static int keep(struct tap *tap)
{
    tap->keeper = keeper_start(attach_again, tap);
    if (tap->keeper >= 0)
        return 0;
    log_error("cannot make a process that renews a link: %s: end other "
              "processes",
              strerror(-tap->keeper));
    return tap->keeper;
}

int tap_open(const struct net_config *config, struct link **link)
{
    static const struct link_ops ops = {
        .send = tap_send,
        .flush = tap_flush,
        .receive = tap_receive,
        .accept = tap_accept,
        .allow = tap_allow,
        .close = tap_close,
    };
    struct tap *tap = calloc(1, sizeof *tap);
    int rc;

    if (!tap) {
        log_error("out of memory for a network device: free some memory");
        return -ENOMEM;
    }
    tap->link = (struct link){
        .ops = &ops,
        .config = config,
        .up = true,
        .takes_partial = true,
        .takes_gso = true,
    };
    tap->keeper = -1;
    rc = attach(tap, config);
    tap->link.fd = tap->device;
    if (rc == 0)
        rc = keep(tap);
    if (rc) {
        tap_close(&tap->link);
        return rc;
    }
    log_info("the guest's network is the tap device %s", tap->name);
    *link = &tap->link;
    return 0;
}
