/*
 * The hypervisor's side.
 */
#include <grant/borrow.h>

#include <errno.h>

/* A granter that changes an entry this often as we look means to. */
#define MAX_TRIES 5

/* {flags, domid} of an entry as one word, for one compare-and-swap. */
union header {
    struct {
        uint16_t flags;
        domid_t domid;
    };
    uint32_t word;
};

int grant_table_grow(struct grant_table *table, void *frame,
                     struct grant_pins *pins)
{
    if (table->nr_frames >= GRANT_MAX_FRAMES)
        return -ENOSPC;

    table->frames[table->nr_frames] = frame;
    table->pins[table->nr_frames] = pins;
    table->nr_frames++;
    return 0;
}

static grant_entry_v1_t *entry_of(struct grant_table *table, grant_ref_t ref,
                                  struct grant_pins **pins)
{
    size_t frame = ref / GRANT_ENTRIES_PER_PAGE;
    size_t index = ref % GRANT_ENTRIES_PER_PAGE;

    if (frame >= table->nr_frames)
        return NULL;
    *pins = &table->pins[frame][index];
    return &table->frames[frame][index];
}

/*
 * Check and mark in one step: the swap succeeds only on the very word that was
 * checked. It acquires; the partner is the granter's release of flags, the last
 * of its stores when it offers, so (frame) is read afterwards.
 */
static int16_t mark(grant_entry_v1_t *entry, domid_t borrower, bool write)
{
    uint32_t *shared = (uint32_t *)(void *)entry;
    union header seen, marked;

    seen.word = __atomic_load_n(shared, __ATOMIC_RELAXED);
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        if ((seen.flags & GTF_type_mask) != GTF_permit_access ||
            seen.domid != borrower || (write && (seen.flags & GTF_readonly)))
            return GNTST_general_error;

        marked = seen;
        marked.flags |= GTF_reading;
        if (write)
            marked.flags |= GTF_writing;
        if (__atomic_compare_exchange_n(shared, &seen.word, marked.word, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return GNTST_okay;
    }
    return GNTST_eagain;
}

int16_t grant_pin(struct grant_table *table, grant_ref_t ref, domid_t borrower,
                  bool write, uint64_t *frame)
{
    struct grant_pins *pins;
    grant_entry_v1_t *entry = entry_of(table, ref, &pins);
    int16_t status;

    if (!entry)
        return GNTST_bad_gntref;

    status = mark(entry, borrower, write);
    if (status != GNTST_okay)
        return status;

    pins->readers++;
    pins->writers += write;
    table->nr_pinned++;
    *frame = __atomic_load_n(&entry->frame, __ATOMIC_RELAXED);
    return GNTST_okay;
}

void grant_unpin(struct grant_table *table, grant_ref_t ref, bool write)
{
    struct grant_pins *pins;
    grant_entry_v1_t *entry = entry_of(table, ref, &pins);
    uint16_t clear = 0;

    if (!entry || !pins->readers || (write && !pins->writers))
        return;

    pins->readers--;
    pins->writers -= write;
    table->nr_pinned--;

    if (write && !pins->writers)
        clear |= GTF_writing;
    if (!pins->readers)
        clear |= GTF_reading;
    /* Releases our use of the page to the granter's withdrawal. */
    if (clear)
        __atomic_fetch_and(&entry->flags, (uint16_t)~clear, __ATOMIC_RELEASE);
}
