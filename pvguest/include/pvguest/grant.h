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
 * Lend the page at (page) to (borrower). The page holds no one else's data.
 * A reference, or -ENOSPC when the table is full and cannot grow.
 */
int64_t guest_grant(domid_t borrower, const void *page, bool readonly);

/* 0, or -EBUSY: still in use, keep the page. */
int guest_grant_end(grant_ref_t ref);

/* How many more could be lent now without growing the table. */
uint32_t guest_grant_room(void);

#endif
