/*
 * host/wait.c: ppoll over the sources of one domain.
 */
#include "host/wait.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#define NS_PER_S 1000000000u

struct wait_source *wait_add(struct wait_set *set, int fd, short events,
                             wait_fn ready, void *context)
{
    struct wait_source *source = NULL;

    for (unsigned i = 0; i < set->nr && !source; i++)
        if (set->sources[i].fd < 0)
            source = &set->sources[i];
    if (!source) {
        if (set->nr == WAIT_MAX)
            return NULL;
        source = &set->sources[set->nr++];
    }
    *source = (struct wait_source){
        .fd = fd, .events = events, .ready = ready, .context = context};
    return source;
}

void wait_remove(struct wait_set *set, struct wait_source *source)
{
    *source = (struct wait_source){.fd = -1};
    while (set->nr > 0 && set->sources[set->nr - 1].fd < 0)
        set->nr--;
}

/* A source that waits for nothing is hidden: POLLHUP would not let us sleep. */
static void wait_list(struct wait_set *set, struct pollfd *polls)
{
    for (unsigned i = 0; i < set->nr; i++) {
        struct wait_source *source = &set->sources[i];

        source->looked_at = source->fd >= 0 && source->events;
        polls[i] = (struct pollfd){
            .fd = source->looked_at ? source->fd : -1,
            .events = source->events,
        };
    }
}

int wait_for(struct wait_set *set, uint64_t timeout_ns)
{
    const struct timespec timeout = {
        .tv_sec = (time_t)(timeout_ns / NS_PER_S),
        .tv_nsec = (long)(timeout_ns % NS_PER_S),
    };
    struct pollfd polls[WAIT_MAX];
    unsigned nr = set->nr;
    int called = 0;
    int rc;

    wait_list(set, polls);
    rc = ppoll(polls, nr, timeout_ns == UINT64_MAX ? NULL : &timeout, NULL);
    if (rc < 0)
        return errno == EINTR ? 0 : -errno;

    for (unsigned i = 0; i < nr; i++) {
        struct wait_source *source = &set->sources[i];

        if (!polls[i].revents || !source->looked_at)
            continue;
        source->ready(source->context, polls[i].revents);
        called++;
    }
    return called;
}
