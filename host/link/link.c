/* host/link/link.c: the kinds of links. */
#include "host/link/link.h"

#include "host/config.h"

int link_open(const struct net_config *config, struct link **link)
{
    switch (config->kind) {
    case NET_TAP:
        return tap_open(config, link);
    case NET_USER:
        return user_open(config, link);
    case NET_CONNECT:
    case NET_LISTEN:
        break;
    }
    return stream_open(config, link);
}

void link_close(struct link *link)
{
    if (link)
        link->ops->close(link);
}
