/* Transactions: one's own snapshot, and conflicts found at the end. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/unit/store/guest.h"

#define DATA "/local/domain/1/data"

static void some_data(void)
{
    guest_start();
    store_write(store, DATA "/a", "1");
    store_write(store, DATA "/b", "2");
    store_set_owner(store, DATA, GUEST_ID, GUEST_ID);
}

TestSuite(store_transaction, .init = some_data, .fini = guest_stop);

static const char *host_reads(const char *path)
{
    static char value[64];
    const long len = store_read(store, path, value, sizeof value);

    return len < 0 ? "(none)" : value;
}

Test(store_transaction, changes_show_inside_at_once_and_outside_at_the_end)
{
    const uint32_t tx = start();

    cr_assert_neq(tx, 0);
    cr_expect_str_eq(write_node(tx, "data/a", "new"), "OK");
    cr_expect_str_eq(write_node(tx, "data/c/d", "made"), "OK");
    cr_expect_str_eq(ask(XS_RM, tx, "data/b"), "OK");
    cr_expect_str_eq(ask(XS_READ, tx, "data/a"), "new");
    cr_expect_str_eq(ask(XS_READ, tx, "data/b"), "ENOENT");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a"), "1");
    cr_expect_str_eq(ask(XS_READ, 0, "data/b"), "2");
    cr_expect_str_eq(ask(XS_READ, 0, "data/c/d"), "ENOENT");

    cr_expect_str_eq(end(tx, "T"), "OK");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a"), "new");
    cr_expect_str_eq(ask(XS_READ, 0, "data/b"), "ENOENT");
    cr_expect_str_eq(ask(XS_READ, 0, "data/c/d"), "made");
    cr_expect_str_eq(end(tx, "T"), "ENOENT", "it is over");
}

Test(store_transaction, abort_leaves_no_trace)
{
    const uint32_t tx = start();

    write_node(tx, "data/a", "new");
    ask(XS_RM, tx, "data/b");
    cr_expect_str_eq(end(tx, "F"), "OK");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a"), "1");
    cr_expect_str_eq(ask(XS_READ, 0, "data/b"), "2");
}

Test(store_transaction, reads_see_the_tree_as_it_was_at_the_start)
{
    const uint32_t tx = start();

    store_write(store, DATA "/a", "later");
    store_remove(store, DATA "/b");
    store_write(store, DATA "/c", "later");
    cr_expect_str_eq(ask(XS_READ, tx, "data/a"), "1");
    cr_expect_str_eq(ask(XS_READ, tx, "data/b"), "2");
    cr_expect_str_eq(ask(XS_READ, tx, "data/c"), "ENOENT");
}

/* Each line: what the transaction does, what the host does meanwhile. */
Test(store_transaction, what_was_touched_and_changed_by_others_conflicts)
{
    static const struct {
        uint32_t type;
        const char *inside, *outside;
        const char *result;
    } cases[] = {
        {XS_READ, "data/a", DATA "/a", "EAGAIN"},
        {XS_READ, "data/a", DATA "/b", "OK"},
        {XS_READ, "data/missing", DATA "/missing", "EAGAIN"},
        {XS_READ, "data/a", DATA "/a/below", "EAGAIN"},
        {XS_DIRECTORY, "data", DATA "/new", "EAGAIN"},
        {XS_DIRECTORY, "data", DATA "/a/new", "OK"},
        {XS_DIRECTORY, "data", DATA "/a", "OK"},
        {XS_WRITE, "data/a", DATA "/a", "EAGAIN"},
        {XS_WRITE, "data/a", DATA "/b", "OK"},
        {XS_WRITE, "data/new", DATA "/new", "EAGAIN"},
        {XS_WRITE, "data/new", DATA "/a", "OK"},
        {XS_MKDIR, "data/new/deep", DATA "/new", "EAGAIN"},
        {XS_RM, "data/a", DATA "/a", "EAGAIN"},
        {XS_RM, "data/a", DATA "/a/below", "EAGAIN"},
        {XS_GET_PERMS, "data/a", DATA "/a", "EAGAIN"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint32_t tx = start();

        ask(cases[i].type, tx, cases[i].inside);
        store_write(store, cases[i].outside, "other");
        cr_expect_str_eq(end(tx, "T"), cases[i].result, "case %zu", i);
        store_remove(store, DATA);
        store_write(store, DATA "/a", "1");
        store_write(store, DATA "/b", "2");
        store_set_owner(store, DATA, GUEST_ID, GUEST_ID);
    }
}

Test(store_transaction, after_a_conflict_nothing_has_changed)
{
    const uint32_t tx = start();

    write_node(tx, "data/a", "mine");
    write_node(tx, "data/b", "mine");
    store_write(store, DATA "/b", "theirs");
    cr_expect_str_eq(end(tx, "T"), "EAGAIN");
    cr_expect_str_eq(host_reads(DATA "/a"), "1");
    cr_expect_str_eq(host_reads(DATA "/b"), "theirs");
}

Test(store_transaction, of_two_the_first_to_end_wins)
{
    const uint32_t one = start(), two = start();

    cr_expect_neq(one, two);
    write_node(one, "data/a", "one");
    write_node(two, "data/a", "two");
    cr_expect_str_eq(end(two, "T"), "OK");
    cr_expect_str_eq(end(one, "T"), "EAGAIN");
    cr_expect_str_eq(host_reads(DATA "/a"), "two");
}

Test(store_transaction, what_does_not_meet_is_merged)
{
    const uint32_t tx = start();

    write_node(tx, "data/a", "mine");
    ask(XS_RM, tx, "data/b");
    write_node(tx, "data/tree/x", "mine");
    guest_call(XS_SET_PERMS, tx, "data/a\0r1\0w0", 13);
    store_write(store, "/local/domain/1/name", "theirs");
    cr_expect_str_eq(end(tx, "T"), "OK");
    cr_expect_str_eq(host_reads(DATA "/a"), "mine");
    cr_expect_str_eq(host_reads(DATA "/b"), "(none)");
    cr_expect_str_eq(host_reads(DATA "/tree/x"), "mine");
    cr_expect_str_eq(host_reads("/local/domain/1/name"), "theirs");
    cr_expect_eq(
        memcmp(guest_call(XS_GET_PERMS, 0, "data/a", 7)->payload, "r1\0w0", 5),
        0);
}

Test(store_transaction, a_subtree_made_anew_holds_only_what_is_new)
{
    uint32_t tx;

    write_node(0, "data/dir/old", "1");
    tx = start();
    ask(XS_RM, tx, "data/dir");
    write_node(tx, "data/dir/new", "1");
    store_write(store, "/elsewhere", "so that it is merged");
    cr_expect_str_eq(end(tx, "T"), "OK");
    cr_expect_str_eq(host_reads(DATA "/dir/old"), "(none)");
    cr_expect_str_eq(host_reads(DATA "/dir/new"), "1");
}

Test(store_transaction, watches_fire_at_the_end_and_only_then)
{
    uint32_t tx;

    write_node(0, "data/dir/x", "1");
    watch("data", "t");
    watch("data/dir/x", "deep");
    events();
    tx = start();
    write_node(tx, "data/a", "mine");
    ask(XS_RM, tx, "data/dir");
    ask(XS_READ, tx, "data/b");
    cr_expect_str_eq(events(), "");
    cr_expect_str_eq(end(tx, "T"), "OK");
    cr_expect_str_eq(events(), "data/a t; data/dir t; data/dir/x deep");
    tx = start();
    write_node(tx, "data/a", "mine");
    end(tx, "F");
    cr_expect_str_eq(events(), "");
}

Test(store_transaction, watches_fire_alike_when_changes_are_merged)
{
    uint32_t tx;

    write_node(0, "data/dir/x", "1");
    watch("data", "t");
    watch("data/dir/x", "deep");
    events();
    tx = start();
    write_node(tx, "data/n/m", "mine");
    ask(XS_RM, tx, "data/dir");
    store_write(store, "/elsewhere", "");
    cr_expect_str_eq(end(tx, "T"), "OK");
    cr_expect_str_eq(events(), "data/n/m t; data/dir t; data/dir/x deep");
}

Test(store_transaction, watching_is_not_part_of_it)
{
    const uint32_t tx = start();

    cr_expect_str_eq(guest_call(XS_WATCH, tx, "data\0t", 7)->payload, "OK");
    cr_expect_str_eq(guest_call(XS_WATCH, 4711, "data\0u", 7)->payload, "OK");
    end(tx, "F");
    events();
    write_node(0, "data/x", "");
    cr_expect_str_eq(events(), "data/x t; data/x u");
}

Test(store_transaction, wrong_ids_and_words_have_their_errors)
{
    const uint32_t tx = start();

    cr_expect_str_eq(ask(XS_READ, tx + 1, "data/a"), "ENOENT");
    cr_expect_str_eq(write_node(tx + 1, "data/a", "1"), "ENOENT");
    cr_expect_str_eq(ask(XS_TRANSACTION_START, tx, ""), "EBUSY");
    cr_expect_str_eq(ask(XS_TRANSACTION_START, tx + 1, ""), "ENOENT");
    cr_expect_str_eq(end(0, "T"), "ENOENT");
    cr_expect_str_eq(end(tx + 1, "T"), "ENOENT");
    cr_expect_str_eq(end(tx, "X"), "EINVAL");
    cr_expect_str_eq(end(tx, ""), "EINVAL");
    cr_expect_str_eq(end(tx, "TT"), "EINVAL");
    cr_expect_str_eq(end(tx, "T"), "OK", "and it lived through all that");
}

Test(store_transaction, reading_only_and_undisturbed_is_fine)
{
    const uint32_t tx = start();

    ask(XS_READ, tx, "data/a");
    store_write(store, "/elsewhere", "");
    cr_expect_str_eq(end(tx, "T"), "OK");
}

Test(store_transaction, nothing_is_held_when_all_have_ended)
{
    size_t before = store->pool.bytes;
    uint32_t tx[QUOTA_TRANSACTIONS];

    for (int i = 0; i < QUOTA_TRANSACTIONS; i++) {
        tx[i] = start();
        write_node(tx[i], "data/a", "x");
        write_node(tx[i], "data/n/o/p", "longer");
        ask(XS_RM, tx[i], "data/b");
    }
    for (int i = 0; i < QUOTA_TRANSACTIONS; i++)
        end(tx[i], "F");
    cr_expect_eq(store->pool.bytes, before);
}
