/*
 * The granter's side. The hypervisor only ever adds and takes away the two
 * in-use bits of an entry that permits access; all else here is ours.
 */
#include <grant/offer.h>

#include <errno.h>

static void free_range(struct grant_offers *offers, uint32_t from, uint32_t to)
{
    if (from < GNTTAB_NR_RESERVED_ENTRIES)
        from = GNTTAB_NR_RESERVED_ENTRIES;
    if (from >= to)
        return;

    for (uint32_t ref = from; ref < to - 1; ref++)
        offers->next[ref] = ref + 1;
    offers->next[to - 1] = offers->free_head;
    offers->free_head = from;
    offers->nr_free += to - from;
}

void grant_offers_init(struct grant_offers *offers, grant_entry_v1_t *table,
                       uint32_t nr_entries, uint32_t *next)
{
    *offers = (struct grant_offers){
        .table = table,
        .nr_entries = nr_entries,
        .next = next,
    };
    free_range(offers, 0, nr_entries);
}

void grant_offers_grow(struct grant_offers *offers, uint32_t nr_entries)
{
    if (nr_entries <= offers->nr_entries)
        return;

    free_range(offers, offers->nr_entries, nr_entries);
    offers->nr_entries = nr_entries;
}

int64_t grant_offer(struct grant_offers *offers, domid_t borrower,
                    uint32_t frame, bool readonly)
{
    uint32_t ref = offers->free_head;
    grant_entry_v1_t *entry = &offers->table[ref];
    uint16_t flags = GTF_permit_access | (readonly ? GTF_readonly : 0);

    if (!ref)
        return -ENOSPC;
    offers->free_head = offers->next[ref];
    offers->nr_free--;

    entry->domid = borrower;
    entry->frame = frame;
    /* Last, and releasing: the partner is the acquiring swap of a pin. */
    __atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
    return ref;
}

/*
 * "Is it used?" and "it is mine again" must be one step:
 *
 *     granter                          hypervisor
 *     1. flags: nobody uses it
 *                                      a. pin: flags |= reading
 *     2. flags = 0, reuse the page     b. borrower reads what came there
 *
 * so the swap of 2 is against the very flags that 1 saw. It acquires: the
 * partner is the release of the last unpin, after which the borrower's writes
 * to the page are complete.
 */
int grant_withdraw(struct grant_offers *offers, grant_ref_t ref)
{
    uint16_t *shared;
    uint16_t flags;

    if (ref < GNTTAB_NR_RESERVED_ENTRIES || ref >= offers->nr_entries)
        return -EINVAL;

    shared = &offers->table[ref].flags;
    flags = __atomic_load_n(shared, __ATOMIC_RELAXED);
    do {
        if ((flags & GTF_type_mask) != GTF_permit_access)
            return -EINVAL;
        if (flags & (GTF_reading | GTF_writing))
            return -EBUSY;
    } while (!__atomic_compare_exchange_n(shared, &flags, 0, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));

    offers->next[ref] = offers->free_head;
    offers->free_head = ref;
    offers->nr_free++;
    return 0;
}
