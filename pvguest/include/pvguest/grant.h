/*
 * pvguest/grant.h: lending pages of ours to another domain
 * (grant/include/grant/offer.h on the running guest's own table).
 */
#ifndef PVGUEST_GRANT_H
#define PVGUEST_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/grant_table.h>

/*
 * Lend the page at (page), which lies in RAM, to (borrower). It is lent as a
 * whole, so nothing else should be on it; it stays the caller's, who frees it
 * only after guest_grant_end returned 0. A reference, or -ENOSPC when the table
 * is full and cannot grow. (xen/grant_table.h)
 */
int64_t guest_grant(domid_t borrower, const void *page, bool readonly);

/*
 * Take the page back: 0; -EBUSY if it is still in use (keep it, try later);
 * -EINVAL for a reference that is not lent.
 */
int guest_grant_end(grant_ref_t ref);

/* How many more could be lent now without growing the table. */
uint32_t guest_grant_room(void);

#endif
