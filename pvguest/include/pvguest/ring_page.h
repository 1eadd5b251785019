/*
 * pvguest/ring_page.h: the pages the domain builder shared with the daemons of
 * xenstore and the console, which start_info names by machine frame.
 */
#ifndef PVGUEST_RING_PAGE_H
#define PVGUEST_RING_PAGE_H

#include <stdint.h>

/* Where frame (mfn), one that start_info names, is mapped; NULL if nowhere. */
void *ring_page(uint64_t mfn);

#endif
