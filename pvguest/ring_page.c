/*
 * The builder's rings, wherever this ABI has them.
 */
#include <pvguest/ring_page.h>

#include "abi.h"

evtchn_port_t ring_port(enum builder_ring ring)
{
    return guest_abi->ring_port(ring);
}

void *ring_page(enum builder_ring ring)
{
    static void *pages[RING_CONSOLE + 1];

    if (!pages[ring] && ring_port(ring))
        pages[ring] = guest_abi->ring_page(ring);
    return pages[ring];
}
