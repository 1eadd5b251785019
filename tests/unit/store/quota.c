/* What one guest may use up, and that no more can be had. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/unit/store/guest.h"

TestSuite(store_quota, .init = guest_start, .fini = guest_stop);

static const char *make(uint32_t tx, int i)
{
    char path[32];

    snprintf(path, sizeof path, "data/n%d", i);
    return ask(XS_MKDIR, tx, path);
}

Test(store_quota, a_thousand_nodes)
{
    /* data is the first of them */
    for (int i = 1; i < QUOTA_NODES; i++)
        cr_assert_str_eq(make(0, i), "OK", "node %d", i);
    cr_expect_str_eq(make(0, QUOTA_NODES), "ENOSPC");
    cr_expect_str_eq(write_node(0, "data/n1/x", ""), "ENOSPC");
    cr_expect_str_eq(write_node(0, "data/n1", "x"), "OK", "this one is there");
    ask(XS_RM, 0, "data/n1");
    cr_expect_str_eq(make(0, 1), "OK");
    cr_expect_eq(store_write(store, "/local/domain/1/data/host", ""), 0,
                 "the host is not limited");
}

Test(store_quota, a_deep_path_counts_every_node)
{
    char path[XENSTORE_REL_PATH_MAX + 1] = "data";

    for (size_t len = 4; len + 2 < sizeof path; len += 2)
        memcpy(path + len, "/d", 3);
    cr_expect_str_eq(ask(XS_MKDIR, 0, path), "ENOSPC");
    path[4 + 2 * (QUOTA_NODES - 1)] = '\0';
    cr_expect_str_eq(ask(XS_MKDIR, 0, path), "OK");
    cr_expect_eq(store->tree.root->nr_guest, QUOTA_NODES);
    cr_expect_str_eq(make(0, 1), "ENOSPC");
    cr_expect_str_eq(ask(XS_RM, 0, "data/d"), "OK");
    cr_expect_eq(store->tree.root->nr_guest, 1);
}

Test(store_quota, nodes_made_in_transactions_count_as_well)
{
    uint32_t one, two;

    for (int i = 1; i < QUOTA_NODES - 10; i++)
        make(0, i);
    one = start();
    two = start();
    for (int i = 0; i < 10; i++) {
        char path[32];

        cr_expect_str_eq(make(one, 2000 + i), "OK");
        snprintf(path, sizeof path, "data/n1/%d", i);
        cr_expect_str_eq(ask(XS_MKDIR, two, path), "OK");
    }
    cr_expect_str_eq(make(one, 3000), "ENOSPC");
    cr_expect_str_eq(end(one, "T"), "OK");
    cr_expect_str_eq(end(two, "T"), "ENOSPC");
    cr_expect_eq(store->tree.root->nr_guest, QUOTA_NODES);
}

Test(store_quota, two_kibibytes_in_a_node)
{
    char value[QUOTA_NODE_BYTES + 1];

    memset(value, 'v', sizeof value);
    value[QUOTA_NODE_BYTES - sizeof(struct permission)] = '\0';
    cr_expect_str_eq(write_node(0, "data/a", value), "OK");
    value[QUOTA_NODE_BYTES - sizeof(struct permission)] = 'v';
    value[QUOTA_NODE_BYTES] = '\0';
    cr_expect_str_eq(write_node(0, "data/a", value), "ENOSPC");
    cr_expect_str_eq(guest_call(XS_SET_PERMS, 0, "data/a\0n1\0r2", 13)->payload,
                     "ENOSPC");
}

Test(store_quota, five_permissions)
{
    write_node(0, "data/a", "");
    cr_expect_str_eq(
        guest_call(XS_SET_PERMS, 0, "data/a\0n1\0r2\0r3\0r4\0r5", 22)->payload,
        "OK");
    cr_expect_str_eq(
        guest_call(XS_SET_PERMS, 0, "data/a\0n1\0r2\0r3\0r4\0r5\0r6", 25)
            ->payload,
        "ENOSPC");
}

Test(store_quota, watches)
{
    char token[16];

    for (int i = 0; i < QUOTA_WATCHES; i++) {
        snprintf(token, sizeof token, "%d", i);
        cr_assert_str_eq(watch("data", token), "OK");
    }
    cr_expect_str_eq(watch("data", "more"), "ENOSPC");
    cr_expect_str_eq(unwatch("data", "7"), "OK");
    cr_expect_str_eq(watch("data", "more"), "OK");
    events();
}

Test(store_quota, transactions)
{
    uint32_t first = start();

    for (int i = 1; i < QUOTA_TRANSACTIONS; i++)
        start();
    cr_expect_str_eq(ask(XS_TRANSACTION_START, 0, ""), "ENOSPC");
    end(first, "F");
    cr_expect_neq(start(), 0);
}

Test(store_quota, nodes_touched_by_a_transaction)
{
    const uint32_t tx = start();
    const char *last = "";
    char path[32];
    int i;

    for (i = 0; i <= QUOTA_TRANSACTION_NODES; i++) {
        snprintf(path, sizeof path, "data/%d", i);
        last = ask(XS_READ, tx, path);
        if (strcmp(last, "ENOENT") != 0)
            break;
    }
    cr_expect_eq(i, QUOTA_TRANSACTION_NODES);
    cr_expect_str_eq(last, "ENOSPC");
    cr_expect_str_eq(end(tx, "T"), "OK");
}

/* Ten snapshots, each of which the guest tries to make wholly different. */
Test(store_quota, all_versions_together_have_a_limit)
{
    char value[1900], path[32];
    uint32_t tx[QUOTA_TRANSACTIONS];
    const char *last = "OK";
    size_t most = 0;

    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < 900; i++) {
        snprintf(path, sizeof path, "data/%d", i);
        cr_assert_str_eq(write_node(0, path, value), "OK");
    }
    for (int t = 0; t < QUOTA_TRANSACTIONS; t++) {
        tx[t] = start();
        for (int i = 0; i < 900; i++) {
            snprintf(path, sizeof path, "data/%d", i);
            last = write_node(tx[t], path, value);
            if (store->pool.bytes > most)
                most = store->pool.bytes;
        }
    }
    cr_expect_str_eq(last, "ENOSPC");
    cr_expect_leq(most, QUOTA_TREE_BYTES + (64 << 10));
    for (int t = 0; t < QUOTA_TRANSACTIONS; t++)
        end(tx[t], "F");
    cr_expect_str_eq(write_node(0, "data/0", "x"), "OK", "room again");
}
