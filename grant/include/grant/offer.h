/*
 * grant/offer.h: the granter's side of a version-1 grant table.
 *
 * To lend a page is to fill an entry of the shared table and then, last, its
 * flags. To take it back is one atomic step that fails while the borrower
 * still uses it: a page whose withdrawal failed must not be used for anything
 * else, ever, until it succeeds (XSA-396).
 */
#ifndef GRANT_OFFER_H
#define GRANT_OFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/grant_table.h>

struct grant_offers {
    grant_entry_v1_t *table;
    uint32_t nr_entries;
    uint32_t *next;     /* free list: next[ref]; 0 ends it */
    uint32_t free_head; /* first free reference, 0 if none */
    uint32_t nr_free;
};

/*
 * Take over (table) of (nr_entries) entries. (next) is (nr_entries) words of
 * private memory. References below GNTTAB_NR_RESERVED_ENTRIES are never used.
 */
void grant_offers_init(struct grant_offers *offers, grant_entry_v1_t *table,
                       uint32_t nr_entries, uint32_t *next);

/* The table grew in place to (nr_entries); (next) is long enough already. */
void grant_offers_grow(struct grant_offers *offers, uint32_t nr_entries);

/*
 * Lend (frame): a mfn for PV, a gfn for PVH. Returns the reference, or -ENOSPC.
 */
int64_t grant_offer(struct grant_offers *offers, domid_t borrower,
                    uint32_t frame, bool readonly);

/*
 * Take (ref) back. Returns 0 and frees the reference, -EBUSY if the borrower
 * still has it mapped (the page stays lent: keep it, try later), -EINVAL if
 * (ref) was not lent.
 */
int grant_withdraw(struct grant_offers *offers, grant_ref_t ref);

#endif
