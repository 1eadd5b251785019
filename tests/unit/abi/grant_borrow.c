/*
 * The hypervisor's side of a grant table, with the granter's side as peer.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <grant/borrow.h>
#include <grant/offer.h>

#define DOM0 0

static _Alignas(4096)
    grant_entry_v1_t frames[GRANT_MAX_FRAMES + 1][GRANT_ENTRIES_PER_PAGE];
static struct grant_pins pins[GRANT_MAX_FRAMES + 1][GRANT_ENTRIES_PER_PAGE];
static uint32_t next[2 * GRANT_ENTRIES_PER_PAGE];
static struct grant_table table;
static struct grant_offers offers;

/* Two frames of table, both sides. */
static void lent(void)
{
    cr_assert_eq(grant_table_grow(&table, frames[0], pins[0]), 0);
    cr_assert_eq(grant_table_grow(&table, frames[1], pins[1]), 0);
    grant_offers_init(&offers, frames[0], 2 * GRANT_ENTRIES_PER_PAGE, next);
}

static void nothing_pinned(void)
{
    cr_expect_eq(table.nr_pinned, 0);
}

static grant_ref_t offer(bool readonly)
{
    return (grant_ref_t)grant_offer(&offers, DOM0, 0x77, readonly);
}

static uint16_t flags_of(grant_ref_t ref)
{
    return frames[0][ref].flags;
}

TestSuite(grant_borrow, .init = lent, .fini = nothing_pinned);

Test(grant_borrow, marks_a_page_for_reading_and_clears_it_again)
{
    grant_ref_t ref = offer(false);
    uint64_t frame = 0;

    cr_expect_eq(grant_pin(&table, ref, DOM0, false, &frame), GNTST_okay);
    cr_expect_eq(frame, 0x77);
    cr_expect_eq(flags_of(ref), GTF_permit_access | GTF_reading);
    cr_expect_eq(table.nr_pinned, 1);
    cr_expect_eq(grant_withdraw(&offers, ref), -EBUSY);

    grant_unpin(&table, ref, false);
    cr_expect_eq(flags_of(ref), GTF_permit_access);
    cr_expect_eq(grant_withdraw(&offers, ref), 0);
}

Test(grant_borrow, marks_a_page_for_writing_and_clears_it_again)
{
    grant_ref_t ref = offer(false);
    uint64_t frame;

    cr_expect_eq(grant_pin(&table, ref, DOM0, true, &frame), GNTST_okay);
    cr_expect_eq(flags_of(ref), GTF_permit_access | GTF_reading | GTF_writing);
    grant_unpin(&table, ref, true);
    cr_expect_eq(flags_of(ref), GTF_permit_access);
}

/* A mark stands for as long as somebody needs it, and no longer. */
Test(grant_borrow, counts_the_uses_of_one_page)
{
    grant_ref_t ref = offer(false);
    uint64_t frame;

    grant_pin(&table, ref, DOM0, false, &frame);
    grant_pin(&table, ref, DOM0, true, &frame);
    grant_pin(&table, ref, DOM0, true, &frame);
    cr_expect_eq(table.nr_pinned, 3);
    grant_unpin(&table, ref, true);
    cr_expect_eq(flags_of(ref), GTF_permit_access | GTF_reading | GTF_writing);
    grant_unpin(&table, ref, true);
    cr_expect_eq(flags_of(ref), GTF_permit_access | GTF_reading);
    grant_unpin(&table, ref, false);
    cr_expect_eq(flags_of(ref), GTF_permit_access);
}

Test(grant_borrow, lets_nobody_write_what_is_lent_for_reading)
{
    grant_ref_t ref = offer(true);
    uint64_t frame;

    cr_expect_eq(grant_pin(&table, ref, DOM0, true, &frame),
                 GNTST_general_error);
    cr_expect_eq(flags_of(ref), GTF_permit_access | GTF_readonly);
    cr_expect_eq(grant_pin(&table, ref, DOM0, false, &frame), GNTST_okay);
    grant_unpin(&table, ref, false);
    cr_expect_eq(flags_of(ref), GTF_permit_access | GTF_readonly);
}

Test(grant_borrow, lets_nobody_in_whom_the_entry_does_not_name)
{
    grant_ref_t ref = offer(false);
    uint64_t frame = 1;

    cr_expect_eq(grant_pin(&table, ref, 2, false, &frame), GNTST_general_error);
    cr_expect_eq(frame, 1, "the frame's number is not told");
}

Test(grant_borrow, knows_only_entries_that_permit_access)
{
    const uint16_t types[] = {GTF_invalid, GTF_accept_transfer, GTF_transitive,
                              GTF_invalid | GTF_reading | GTF_writing};
    uint64_t frame;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        frames[0][9].flags = types[i];
        cr_expect_eq(grant_pin(&table, 9, DOM0, false, &frame),
                     GNTST_general_error);
        cr_expect_eq(frames[0][9].flags, types[i]);
    }
}

Test(grant_borrow, stays_within_the_table)
{
    const grant_ref_t beyond[] = {2 * GRANT_ENTRIES_PER_PAGE,
                                  GRANT_MAX_FRAMES * GRANT_ENTRIES_PER_PAGE,
                                  0x80000000, UINT32_MAX};
    uint64_t frame;

    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        cr_expect_eq(grant_pin(&table, beyond[i], DOM0, false, &frame),
                     GNTST_bad_gntref);
        grant_unpin(&table, beyond[i], false);
    }
}

Test(grant_borrow, finds_entries_in_all_frames)
{
    grant_ref_t ref = 2 * GRANT_ENTRIES_PER_PAGE - 1;
    uint64_t frame;

    frames[1][GRANT_ENTRIES_PER_PAGE - 1] = (grant_entry_v1_t){
        .flags = GTF_permit_access, .domid = DOM0, .frame = 0xabc};
    cr_expect_eq(grant_pin(&table, ref, DOM0, true, &frame), GNTST_okay);
    cr_expect_eq(frame, 0xabc);
    grant_unpin(&table, ref, true);
}

Test(grant_borrow, grows_to_its_limit)
{
    for (int i = 2; i < GRANT_MAX_FRAMES; i++)
        cr_expect_eq(grant_table_grow(&table, frames[i], pins[i]), 0);
    cr_expect_eq(grant_table_grow(&table, frames[GRANT_MAX_FRAMES],
                                  pins[GRANT_MAX_FRAMES]),
                 -ENOSPC);
    cr_expect_eq(table.nr_frames, GRANT_MAX_FRAMES);
}

/*
 * Whatever the granter does to an entry in use, ending the use clears our marks
 * and nothing of his, and our accounts stay right.
 */
Test(grant_borrow, ends_a_use_whose_entry_was_scribbled_on)
{
    grant_ref_t ref = offer(false);
    uint64_t frame;

    grant_pin(&table, ref, DOM0, true, &frame);
    frames[0][ref] = (grant_entry_v1_t){.flags = 0xffff, .domid = 9};
    grant_unpin(&table, ref, true);
    cr_expect_eq(flags_of(ref), 0xffff & ~(GTF_reading | GTF_writing));
    cr_expect_eq(frames[0][ref].domid, 9);

    frames[0][ref].flags = 0;
    grant_unpin(&table, ref, true); /* one too many */
    cr_expect_eq(pins[0][ref].readers, 0);
    cr_expect_eq(pins[0][ref].writers, 0);
}

static bool stop;

static void *flip(void *entry)
{
    grant_entry_v1_t *shared = entry;

    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        __atomic_fetch_xor(&shared->domid, 1, __ATOMIC_RELAXED);
        __atomic_fetch_xor(&shared->flags, GTF_readonly, __ATOMIC_RELAXED);
    }
    return NULL;
}

/*
 * A granter that keeps changing an entry gets no borrower who writes what is
 * lent for reading, and holds nobody up for ever.
 */
Test(grant_borrow, survives_a_racing_granter)
{
    grant_ref_t ref = offer(false);
    pthread_t granter;

    cr_assert_eq(pthread_create(&granter, NULL, flip, &frames[0][ref]), 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t frame;
        int16_t status = grant_pin(&table, ref, DOM0, true, &frame);

        if (status == GNTST_okay)
            grant_unpin(&table, ref, true);
        else
            cr_assert(status == GNTST_general_error || status == GNTST_eagain);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(granter, NULL);
    cr_expect_not(flags_of(ref) & (GTF_reading | GTF_writing));
}

static void *lend_and_withdraw(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100000; i++) {
        int64_t ref = grant_offer(&offers, DOM0, 1, false);

        cr_assert_gt(ref, 0);
        while (grant_withdraw(&offers, (grant_ref_t)ref) == -EBUSY)
            ;
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    return NULL;
}

/* After a withdrawal nobody is in: XSA-396 as a test. */
Test(grant_borrow, and_withdrawal_exclude_each_other)
{
    grant_ref_t ref = offers.free_head;
    pthread_t granter;

    cr_assert_eq(pthread_create(&granter, NULL, lend_and_withdraw, NULL), 0);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        uint64_t frame;
        uint16_t flags;

        if (grant_pin(&table, ref, DOM0, false, &frame) != GNTST_okay)
            continue;
        flags = __atomic_load_n(&frames[0][ref].flags, __ATOMIC_RELAXED);
        cr_assert_eq(flags, GTF_permit_access | GTF_reading);
        grant_unpin(&table, ref, false);
    }
    pthread_join(granter, NULL);
}
