/*
 * The builder's rings, wherever this ABI has them; asked for once, because as
 * PVH each question is a hypercall.
 */
#include <pvguest/ring_page.h>

#include "abi.h"

#define NR_RINGS (RING_CONSOLE + 1)

evtchn_port_t ring_port(enum builder_ring ring)
{
    static evtchn_port_t ports[NR_RINGS];

    if (!ports[ring])
        ports[ring] = guest_abi->ring_port(ring);
    return ports[ring];
}

void *ring_page(enum builder_ring ring)
{
    static void *pages[NR_RINGS];

    if (!pages[ring] && ring_port(ring))
        pages[ring] = guest_abi->ring_page(ring);
    return pages[ring];
}
