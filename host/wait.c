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
void wait_begin(struct wait_set *set, struct wait_list *list, int extra)
{
    for (unsigned i = 0; i < set->nr; i++) {
        struct wait_source *source = &set->sources[i];

        source->looked_at = source->fd >= 0 && source->events;
        source->looked_at_for = source->events;
        list->polls[i] = (struct pollfd){
            .fd = source->looked_at ? source->fd : -1,
            .events = source->events,
        };
    }
    list->nr = set->nr;
    list->polls[list->nr] = (struct pollfd){.fd = extra, .events = POLLIN};
}

void wait_ready(struct wait_list *list, uint64_t timeout_ns)
{
    const struct timespec timeout = {
        .tv_sec = (time_t)(timeout_ns / NS_PER_S),
        .tv_nsec = (long)(timeout_ns % NS_PER_S),
    };

    list->rc = ppoll(list->polls, list->nr + 1,
                     timeout_ns == UINT64_MAX ? NULL : &timeout, NULL);
    if (list->rc < 0)
        list->rc = errno == EINTR ? 0 : -errno;
    list->extra_is_ready = list->rc > 0 && list->polls[list->nr].revents;
}

int wait_end(struct wait_set *set, const struct wait_list *list)
{
    int called = 0;

    if (list->rc <= 0)
        return list->rc;
    for (unsigned i = 0; i < list->nr; i++) {
        struct wait_source *source = &set->sources[i];

        if (!list->polls[i].revents || !source->looked_at)
            continue;
        source->ready(source->context, list->polls[i].revents);
        called++;
    }
    return called;
}

int wait_for(struct wait_set *set, uint64_t timeout_ns)
{
    struct wait_list list;

    wait_begin(set, &list, -1);
    wait_ready(&list, timeout_ns);
    return wait_end(set, &list);
}

bool wait_is_outdated(const struct wait_set *set)
{
    for (unsigned i = 0; i < set->nr; i++) {
        const struct wait_source *source = &set->sources[i];
        const int known = source->looked_at ? source->looked_at_for : 0;

        if (source->fd >= 0 && source->events & ~known)
            return true;
    }
    return false;
}
