/*
 * host/link/stream.c: frames over a stream socket, each behind its length in
 * four bytes, the highest first: what QEMU calls "-netdev stream", and passt
 * speaks as well. The other end may be hostile.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/config.h"
#include "host/link/keeper.h"
#include "host/link/link.h"
#include "host/log.h"
#include "host/sandbox.h"

#define LENGTH_SIZE  4
#define BUFFER_BYTES (256 << 10)

_Static_assert(BUFFER_BYTES >= 2 * (LENGTH_SIZE + FRAME_MAX),
               "there is always room for one more frame, or more to send");

struct stream {
    struct link link;
    int peer;   /* the number that its descriptor has, whoever it is */
    int next;   /* where the next one comes; -1: there is no next */
    bool keeps; /* (next) is a keeper, else a socket that listens */
    uint8_t in[BUFFER_BYTES];
    size_t in_at, in_end; /* bytes received and not yet returned */
    uint8_t out[BUFFER_BYTES];
    size_t out_at, out_end; /* bytes collected and not yet sent */
};

static struct stream *stream_of(struct link *link)
{
    return (struct stream *)link;
}

/*
 * The sandbox knows descriptors by number: the peer's is kept for the next, if
 * there can be one, who is waited for instead.
 */
static int go_down(struct link *link, const char *why)
{
    struct stream *s = stream_of(link);

    if (link->up) {
        link->up = false;
        link->wants_out = false;
        if (s->next < 0) {
            close(link->fd);
            s->peer = -1;
        } else {
            shutdown(link->fd, SHUT_RDWR);
        }
        link->fd = s->next;
        log_warning("network: %s: the guest's link is down", why);
        if (s->keeps)
            keeper_ask(s->next);
    }
    return -EIO;
}

/* As reading (0: the end) or writing told. */
static int lose_peer(struct link *link, int error)
{
    if (error != 0 && error != EPIPE && error != ECONNRESET)
        return go_down(link, strerror(error));
    return go_down(link, link->config->kind == NET_USER
                             ? "passt ended"
                             : "the other end closed the socket");
}

/* Another one in the place of the last: 0, or -EAGAIN if none has come. */
static int accept_next(const struct stream *s)
{
    const int fd = accept4(s->next, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int rc = 0;

    if (fd < 0)
        return -EAGAIN;
    if (dup3(fd, s->peer, O_CLOEXEC) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

/* Has another one come? */
static void come_up(struct link *link)
{
    struct stream *s = stream_of(link);
    int rc;

    if (link->up || s->next < 0)
        return;
    rc = s->keeps ? keeper_renew(&s->next, s->peer) : accept_next(s);
    if (s->next < 0)
        link->fd = -1;
    if (rc)
        return;
    s->in_at = s->in_end = s->out_at = s->out_end = 0;
    link->fd = s->peer;
    link->up = true;
    log_warning("network: %s: the guest's link is up",
                link->config->kind == NET_USER ? "passt runs again"
                : s->keeps                     ? "the other end is there again"
                                               : "another one came");
}

static void stream_flush(struct link *link)
{
    struct stream *s = stream_of(link);

    while (link->up && s->out_at < s->out_end) {
        ssize_t len =
            write(link->fd, s->out + s->out_at, s->out_end - s->out_at);

        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0) {
            if (errno != EAGAIN)
                lose_peer(link, errno);
            break;
        }
        s->out_at += (size_t)len;
    }
    if (s->out_at == s->out_end || !link->up)
        s->out_at = s->out_end = 0;
    link->wants_out = s->out_at < s->out_end;
}

static int stream_send(struct link *link, const struct iovec *parts,
                       unsigned nr_parts, const struct offload *work)
{
    struct stream *s = stream_of(link);
    size_t len = 0;
    uint32_t length;

    (void)work; /* takes_partial and takes_gso are false: it is complete */
    if (!link->up)
        return -EIO;
    for (unsigned i = 0; i < nr_parts; i++)
        len += parts[i].iov_len;
    if (len > FRAME_MAX)
        return -EIO;
    if (LENGTH_SIZE + len > sizeof s->out - s->out_end)
        stream_flush(link);
    if (!link->up)
        return -EIO;
    if (LENGTH_SIZE + len > sizeof s->out - s->out_end)
        return -EAGAIN;

    length = htonl((uint32_t)len);
    memcpy(s->out + s->out_end, &length, LENGTH_SIZE);
    s->out_end += LENGTH_SIZE;
    for (unsigned i = 0; i < nr_parts; i++) {
        memcpy(s->out + s->out_end, parts[i].iov_base, parts[i].iov_len);
        s->out_end += parts[i].iov_len;
    }
    return 0;
}

/* Read what fits: 1, 0 if nothing is there, or -EIO. */
static int fill(struct link *link)
{
    struct stream *s = stream_of(link);
    ssize_t len;

    memmove(s->in, s->in + s->in_at, s->in_end - s->in_at);
    s->in_end -= s->in_at;
    s->in_at = 0;
    do
        len = read(link->fd, s->in + s->in_end, sizeof s->in - s->in_end);
    while (len < 0 && errno == EINTR);
    if (len == 0)
        return lose_peer(link, 0);
    if (len < 0)
        return errno == EAGAIN ? 0 : lose_peer(link, errno);
    s->in_end += (size_t)len;
    return 1;
}

/* The length of the frame that begins the received bytes, 0: not there yet. */
static size_t frame_length(const struct stream *s)
{
    uint32_t length;

    if (s->in_end - s->in_at < LENGTH_SIZE)
        return 0;
    memcpy(&length, s->in + s->in_at, LENGTH_SIZE);
    return ntohl(length);
}

static ssize_t stream_receive(struct link *link, uint8_t **bytes,
                              struct offload *work)
{
    struct stream *s = stream_of(link);

    come_up(link);
    while (link->up) {
        const size_t there = s->in_end - s->in_at;
        const size_t length = frame_length(s);
        int rc;

        if (there >= LENGTH_SIZE && (length < FRAME_MIN || length > FRAME_MAX))
            return go_down(link, "the other end sent a frame of an "
                                 "impossible length");
        if (length && there - LENGTH_SIZE >= length) {
            *bytes = s->in + s->in_at + LENGTH_SIZE;
            *work = (struct offload){0};
            s->in_at += LENGTH_SIZE + length;
            return (ssize_t)length;
        }
        rc = fill(link);
        if (rc <= 0)
            return rc;
    }
    return -EIO;
}

static void stream_accept(struct link *link, bool partial, bool gso_tcpv4,
                          bool gso_tcpv6)
{
    (void)link; /* nobody sends us unfinished ones */
    (void)partial;
    (void)gso_tcpv4;
    (void)gso_tcpv6;
}

static void stream_allow(const struct link *link, struct sandbox *sandbox)
{
    const struct stream *s = (const struct stream *)link;

    sandbox_allow_arg(sandbox, SYS_read, link->fd);
    sandbox_allow_arg(sandbox, SYS_write, link->fd);
    if (s->next < 0) {
        sandbox_allow_arg(sandbox, SYS_close, link->fd);
        return;
    }
    sandbox_allow_args(sandbox, SYS_shutdown, link->fd, SHUT_RDWR);
    if (s->keeps) {
        keeper_allow(s->next, link->fd, sandbox);
        return;
    }
    sandbox_allow_arg(sandbox, SYS_accept4, s->next);
    sandbox_allow(sandbox, SYS_dup3, SANDBOX_ANY, link->fd, O_CLOEXEC);
    sandbox_allow(sandbox, SYS_close, SANDBOX_ANY, SANDBOX_ANY, SANDBOX_ANY);
}

static void stream_close(struct link *link)
{
    struct stream *s = stream_of(link);

    if (s->peer >= 0)
        close(s->peer);
    if (s->next >= 0)
        close(s->next);
    free(s);
}

struct link *stream_create(const struct net_config *config, int fd)
{
    static const struct link_ops ops = {
        .send = stream_send,
        .flush = stream_flush,
        .receive = stream_receive,
        .accept = stream_accept,
        .allow = stream_allow,
        .close = stream_close,
    };
    struct stream *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->link = (struct link){
        .ops = &ops,
        .config = config,
        .fd = fd,
        .up = true,
    };
    s->peer = fd;
    s->next = -1;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return &s->link;
}

static int connect_to(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address)) {
        const int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

void stream_keep(struct link *link, int keeper)
{
    struct stream *s = stream_of(link);

    s->next = keeper;
    s->keeps = true;
}

static int connect_again(void *context)
{
    const int fd = connect_to(context);

    if (fd >= 0)
        fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/*
 * The first peer; (*kept) is where the next come. A socket left behind by
 * others makes room.
 */
static int wait_for_peer(const struct sockaddr_un *address, int *kept)
{
    int fd, listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat left;

    if (listener < 0)
        return -errno;
    if (stat(address->sun_path, &left) == 0 && S_ISSOCK(left.st_mode)) {
        fd = connect_to(address);
        if (fd >= 0)
            close(fd);
        else
            unlink(address->sun_path);
    }
    fd = -1;
    if (bind(listener, (const struct sockaddr *)address, sizeof *address) ==
            0 &&
        listen(listener, 1) == 0) {
        log_info("waiting for the other end of %s", address->sun_path);
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    }
    if (fd < 0) {
        fd = -errno;
        close(listener);
    } else {
        fcntl(listener, F_SETFL, O_NONBLOCK);
        *kept = listener;
    }
    return fd;
}

/* Where the next peer comes from, or -errno: (first), closed then. */
static int prepare_next(const struct net_config *config,
                        struct sockaddr_un *address, int first, int listener)
{
    int rc = listener;

    if (config->kind != NET_LISTEN)
        rc = keeper_start(connect_again, address);
    if (rc < 0) {
        log_error("cannot make a process that renews a link: %s: end other "
                  "processes",
                  strerror(-rc));
        close(first);
    }
    return rc;
}

static int make_stream(const struct net_config *config, int fd, int next,
                       struct link **link)
{
    *link = stream_create(config, fd);
    if (*link) {
        stream_of(*link)->next = next;
        stream_of(*link)->keeps = config->kind != NET_LISTEN;
        return 0;
    }
    close(fd);
    close(next);
    log_error("out of memory for a network device: free some memory");
    return -ENOMEM;
}

int stream_open(const struct net_config *config, struct link **link)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, next, listener = -1;

    if (strlen(config->socket) >= sizeof address.sun_path) {
        log_error("the path of the socket '%s' is too long: %zu bytes fit",
                  config->socket, sizeof address.sun_path - 1);
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, config->socket);
    fd = config->kind == NET_LISTEN ? wait_for_peer(&address, &listener)
                                    : connect_to(&address);
    if (fd < 0) {
        log_error("cannot %s the socket '%s': %s: %s",
                  config->kind == NET_LISTEN ? "listen on" : "connect to",
                  config->socket, strerror(-fd),
                  config->kind == NET_LISTEN ? "choose another path"
                                             : "is the other end running?");
        return fd;
    }
    next = prepare_next(config, &address, fd, listener);
    return next < 0 ? next : make_stream(config, fd, next, link);
}
