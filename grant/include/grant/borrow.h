/*
 * grant/borrow.h: the hypervisor's view of one domain's grant table: looking
 * up an entry on behalf of a borrower, and pinning it while it is in use.
 *
 * The table's pages are the granter's to rewrite at any moment. A pin is a
 * compare-and-swap that checks and marks the entry in one step; afterwards
 * nothing in shared memory is believed again.
 */
#ifndef GRANT_BORROW_H
#define GRANT_BORROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/grant_table.h>

#define GRANT_MAX_FRAMES       64
#define GRANT_ENTRIES_PER_PAGE (4096 / sizeof(grant_entry_v1_t))

/* How often one reference is in use, so that the last unpin clears its mark. */
struct grant_pins {
    uint32_t readers; /* all uses */
    uint32_t writers; /* those that may write */
};

struct grant_table {
    grant_entry_v1_t *frames[GRANT_MAX_FRAMES]; /* shared with the granter */
    struct grant_pins *pins[GRANT_MAX_FRAMES];  /* private, one per frame */
    unsigned nr_frames;
    uint64_t nr_pinned; /* accounts: 0 when nothing is borrowed */
};

/*
 * Append a zeroed page (frame) to the table, with (pins), an array of
 * GRANT_ENTRIES_PER_PAGE zeroed elements, both owned by the caller.
 * Returns 0, or -ENOSPC at GRANT_MAX_FRAMES.
 */
int grant_table_grow(struct grant_table *table, void *frame,
                     struct grant_pins *pins);

/*
 * (borrower) begins to use (ref), for writing if (write). On GNTST_okay
 * *frame is the granter's frame number, unchecked. Else a GNTST_ status:
 * bad_gntref beyond the table, general_error for an entry that does not permit
 * this, eagain when the granter kept changing it.
 */
int16_t grant_pin(struct grant_table *table, grant_ref_t ref, domid_t borrower,
                  bool write, uint64_t *frame);

/* End one use begun by grant_pin with the same arguments. */
void grant_unpin(struct grant_table *table, grant_ref_t ref, bool write);

#endif
