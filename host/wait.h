/*
 * host/wait.h: what a domain waits for: descriptors, with a function each, and
 * a deadline.
 *
 * No thread does only that. Descriptors are looked at when the guest blocks,
 * and by a tick while it runs; by one of its vCPUs, if there are several.
 */
#ifndef HOST_WAIT_H
#define HOST_WAIT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define WAIT_MAX 32

typedef void (*wait_fn)(void *context, short revents);

struct wait_source {
    int fd;       /* -1: slot unused */
    short events; /* POLLIN, POLLOUT; 0: not now */
    wait_fn ready;
    void *context;
    bool looked_at;      /* private: part of the poll under way */
    short looked_at_for; /* private: the events of that */
};

/* All zero is an empty set. */
struct wait_set {
    struct wait_source sources[WAIT_MAX];
    unsigned nr; /* slots ever used */
};

/* Watch (fd). Returns the source, stable until wait_remove, or NULL if full. */
struct wait_source *wait_add(struct wait_set *set, int fd, short events,
                             wait_fn ready, void *context);
void wait_remove(struct wait_set *set, struct wait_source *source);

/*
 * Sleep until a source is ready or (timeout_ns) have passed (0: only look;
 * UINT64_MAX: for ever), then call the functions of those that are. These may
 * add, remove and change any source: one removed is not called any more, one
 * added waits for the next time. Returns how many were called, 0 on time-out
 * or signal, or -errno.
 */
int wait_for(struct wait_set *set, uint64_t timeout_ns);

/*
 * The same in three steps, for who lets others change the set in the second:
 * wait_ready looks only at the list. (extra) is one more descriptor to wait
 * for, -1: none. One at a time may be under way.
 */
struct wait_list {
    struct pollfd polls[WAIT_MAX + 1];
    unsigned nr;
    bool extra_is_ready;
    int rc; /* as ppoll() answered, or -errno */
};

void wait_begin(struct wait_set *set, struct wait_list *list, int extra);
void wait_ready(struct wait_list *list, uint64_t timeout_ns);
int wait_end(struct wait_set *set, const struct wait_list *list);

/* Would the wait under way miss what was added since? */
bool wait_is_outdated(const struct wait_set *set);

#endif
