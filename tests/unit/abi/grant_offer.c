/*
 * The granter's side of a grant table. The hypervisor is this test.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <grant/offer.h>

static grant_entry_v1_t table[64];
static uint32_t next[64];
static struct grant_offers offers;

static void sixteen(void)
{
    memset(table, 0, sizeof table);
    grant_offers_init(&offers, table, 16, next);
}

Test(grant_offer, fills_an_entry, .init = sixteen)
{
    int64_t ref = grant_offer(&offers, 5, 0x1234, false);

    cr_assert_geq(ref, GNTTAB_NR_RESERVED_ENTRIES);
    cr_expect_eq(table[ref].flags, GTF_permit_access);
    cr_expect_eq(table[ref].domid, 5);
    cr_expect_eq(table[ref].frame, 0x1234);

    ref = grant_offer(&offers, 0, 7, true);
    cr_expect_eq(table[ref].flags, GTF_permit_access | GTF_readonly);
}

Test(grant_offer, never_uses_the_reserved_and_never_one_twice, .init = sixteen)
{
    bool seen[16] = {false};
    int64_t ref;

    cr_expect_eq(offers.nr_free, 8);
    while ((ref = grant_offer(&offers, 0, 1, false)) > 0) {
        cr_assert_geq(ref, 8);
        cr_assert_lt(ref, 16);
        cr_assert_not(seen[ref]);
        seen[ref] = true;
    }
    cr_expect_eq(ref, -ENOSPC);
    cr_expect_eq(offers.nr_free, 0);
    for (int i = 0; i < 8; i++)
        cr_expect_eq(table[i].flags, 0);
}

Test(grant_offer, gives_back_what_was_withdrawn, .init = sixteen)
{
    int64_t refs[8];

    for (int i = 0; i < 8; i++)
        refs[i] = grant_offer(&offers, 0, 1, false);
    for (int i = 0; i < 8; i++)
        cr_expect_eq(grant_withdraw(&offers, (grant_ref_t)refs[i]), 0);
    cr_expect_eq(offers.nr_free, 8);
    for (int i = 0; i < 8; i++)
        cr_expect_gt(grant_offer(&offers, 0, 1, false), 0);
    cr_expect_eq(grant_offer(&offers, 0, 1, false), -ENOSPC);
}

/* A page that is still in use stays lent, with every mark as it was. */
Test(grant_offer, does_not_withdraw_what_is_in_use, .init = sixteen)
{
    const uint16_t uses[] = {GTF_reading, GTF_writing,
                             GTF_reading | GTF_writing};
    grant_ref_t ref = (grant_ref_t)grant_offer(&offers, 0, 1, false);

    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        table[ref].flags = GTF_permit_access | uses[i];
        cr_expect_eq(grant_withdraw(&offers, ref), -EBUSY);
        cr_expect_eq(table[ref].flags, GTF_permit_access | uses[i]);
        cr_expect_eq(offers.nr_free, 7);
    }
    table[ref].flags = GTF_permit_access;
    cr_expect_eq(grant_withdraw(&offers, ref), 0);
    cr_expect_eq(table[ref].flags, 0);
}

Test(grant_offer, refuses_to_withdraw_what_was_not_lent, .init = sixteen)
{
    grant_ref_t ref = (grant_ref_t)grant_offer(&offers, 0, 1, false);

    cr_expect_eq(grant_withdraw(&offers, 0), -EINVAL);
    cr_expect_eq(grant_withdraw(&offers, 7), -EINVAL);
    cr_expect_eq(grant_withdraw(&offers, 16), -EINVAL);
    cr_expect_eq(grant_withdraw(&offers, UINT32_MAX), -EINVAL);
    cr_expect_eq(grant_withdraw(&offers, ref + 1), -EINVAL);
    cr_expect_eq(grant_withdraw(&offers, ref), 0);
    cr_expect_eq(grant_withdraw(&offers, ref), -EINVAL, "twice");
    cr_expect_eq(offers.nr_free, 8);
}

Test(grant_offer, grows_with_the_table, .init = sixteen)
{
    int count = 0;

    for (int i = 0; i < 3; i++)
        grant_offer(&offers, 0, 1, false);
    grant_offers_grow(&offers, 64);
    cr_expect_eq(offers.nr_free, 5 + 48);
    while (grant_offer(&offers, 0, 1, false) > 0)
        count++;
    cr_expect_eq(count, 53);
    grant_offers_grow(&offers, 64);
    cr_expect_eq(offers.nr_free, 0, "growing by nothing adds nothing");
}

Test(grant_offer, has_nothing_to_give_in_a_table_of_reserved_entries)
{
    grant_offers_init(&offers, table, 8, next);
    cr_expect_eq(grant_offer(&offers, 0, 1, false), -ENOSPC);
    grant_offers_grow(&offers, 9);
    cr_expect_eq(grant_offer(&offers, 0, 1, false), 8);
    cr_expect_eq(grant_offer(&offers, 0, 1, false), -ENOSPC);
}
