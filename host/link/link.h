/*
 * host/link/link.h: what a guest's network device is connected to: a tap
 * device, or a stream socket to somebody else's network.
 *
 * A link is one descriptor that never blocks. It carries whole Ethernet
 * frames, and says which work on them it takes over from the guest. It may die
 * (a device removed, a peer gone), which it says once, and some come back.
 */
#ifndef HOST_LINK_LINK_H
#define HOST_LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "host/link/offload.h"

#define LINK_MAX_PARTS 20

struct link;
struct net_config;
struct sandbox;

struct link_ops {
    /*
     * Send one frame of at most LINK_MAX_PARTS: 0, or -EAGAIN if it must be
     * tried again when the descriptor takes more (POLLOUT), -EIO if the link is
     * down and the frame lost.
     */
    int (*send)(struct link *link, const struct iovec *parts, unsigned nr_parts,
                const struct offload *work);

    /* The end of a batch of frames: hand over what was only collected. */
    void (*flush)(struct link *link);

    /*
     * The next frame: its length, with (*bytes) good until the next call; 0:
     * none now; -EIO: the link is down.
     */
    ssize_t (*receive)(struct link *link, uint8_t **bytes,
                       struct offload *work);

    /* Which unfinished frames receive() may return from now on. */
    void (*accept)(struct link *link, bool partial, bool gso_tcpv4,
                   bool gso_tcpv6);

    /* Tell (sandbox) which system calls it will make. */
    void (*allow)(const struct link *link, struct sandbox *sandbox);

    void (*close)(struct link *link);
};

struct link {
    const struct link_ops *ops;
    const struct net_config *config;
    int fd;         /* to wait for; -1: nothing to wait for */
    bool up;        /* it carries frames */
    bool wants_out; /* flush() when it takes more: something is left to send */
    bool takes_partial, takes_gso; /* of send() */
};

/*
 * Open what (config) names, which must outlive it: 0, or -errno with a
 * sentence logged.
 */
int link_open(const struct net_config *config, struct link **link);

/* NULL is fine. */
void link_close(struct link *link);

/* The kinds. */
int tap_open(const struct net_config *config, struct link **link);
int stream_open(const struct net_config *config, struct link **link);
int user_open(const struct net_config *config, struct link **link);

/*
 * stream.c: frames over the connected stream socket (fd), which becomes the
 * link's, each behind its length in 4 bytes, the first the highest. NULL: out
 * of memory, nothing closed.
 */
struct link *stream_create(const struct net_config *config, int fd);

/* Its next peers come from (keeper), the link's from now on. */
void stream_keep(struct link *link, int keeper);

#endif
