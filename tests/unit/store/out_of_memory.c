/*
 * Memory that is not there: each allocation of a request fails once. The
 * guest is told, and the tree is as if it had not asked.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/unit/store/guest.h"

static int countdown = -1; /* allocations until the one that fails */

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

/* The linker sends the server's calls here. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t nr, size_t size)
{
    return fails() ? NULL : __real_calloc(nr, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

static void some_data(void)
{
    guest_start();
    write_node(0, "data/a", "1");
    write_node(0, "data/b/c", "2");
}

TestSuite(store_memory, .init = some_data, .fini = guest_stop);

static void expect_untouched(void)
{
    cr_expect_str_eq(ask(XS_DIRECTORY, 0, "data"), "a");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a"), "1");
    cr_expect_str_eq(ask(XS_READ, 0, "data/b/c"), "2");
    cr_expect_str_eq(ask(XS_GET_PERMS, 0, "data/b"), "n1");
    cr_expect_str_eq(ask(XS_READ, 0, "data/n"), "ENOENT");
    cr_expect_eq(store->tree.root->nr_guest, 4);
}

/* Fail the first, the second... allocation, until none is asked for. */
static void starve(uint32_t type, uint32_t tx, const char *payload, size_t len)
{
    for (int nth = 0;; nth++) {
        const struct reply *reply;

        cr_assert_lt(nth, 100);
        countdown = nth;
        reply = guest_call(type, tx, payload, len);
        if (countdown >= 0) {
            countdown = -1;
            cr_expect_neq(reply->header.type, XS_ERROR);
            return;
        }
        cr_expect_str_eq(reply->payload, "ENOMEM", "allocation %d", nth);
        expect_untouched();
    }
}

#define STARVE(type, tx, payload) starve(type, tx, payload, sizeof(payload))

/* Nodes are copied, not changed in place, while somebody has a snapshot. */
static void with_and_without_snapshot(uint32_t type, const char *payload,
                                      size_t len)
{
    const uint32_t tx = start();

    starve(type, tx, payload, len);
    end(tx, "F");
    expect_untouched();
    starve(type, 0, payload, len);
}

Test(store_memory, write)
{
    with_and_without_snapshot(XS_WRITE, "data/a\0002", 8);
    cr_expect_str_eq(ask(XS_READ, 0, "data/a"), "2");
}

Test(store_memory, write_of_new_nodes)
{
    with_and_without_snapshot(XS_WRITE, "data/n/o/p/q\0002", 14);
    cr_expect_str_eq(ask(XS_READ, 0, "data/n/o/p/q"), "2");
}

Test(store_memory, mkdir)
{
    with_and_without_snapshot(XS_MKDIR, "data/n/o", 9);
}

Test(store_memory, set_perms)
{
    with_and_without_snapshot(XS_SET_PERMS, "data/a\0n1\0r7", 13);
}

Test(store_memory, rm)
{
    starve(XS_RM, 0, "data/b", 7);
    cr_expect_str_eq(ask(XS_READ, 0, "data/b/c"), "ENOENT");
}

Test(store_memory, watch)
{
    STARVE(XS_WATCH, 0, "data\0t");
    cr_expect_str_eq(events(), "data t");
}

Test(store_memory, an_event_without_memory_becomes_one_for_the_watched_path)
{
    watch("data", "t");
    events();
    for (int nth = 0; nth < 10; nth++) {
        const char *text;

        countdown = nth;
        write_node(0, "data/a", "1");
        countdown = -1;
        text = events();
        cr_expect(strcmp(text, "data/a t") == 0 ||
                      strcmp(text, "data t") == 0 || text[0] == '\0',
                  "%s", text);
    }
}

Test(store_memory, start_of_a_transaction)
{
    for (int nth = 0; nth < 1; nth++) {
        countdown = nth;
        cr_expect_str_eq(ask(XS_TRANSACTION_START, 0, ""), "ENOMEM");
    }
    cr_expect_neq(start(), 0);
}

Test(store_memory, end_of_a_transaction_that_must_be_merged)
{
    for (int nth = 0; nth < 100; nth++) {
        const uint32_t tx = start();
        const char *result;

        write_node(tx, "data/n/o", "3");
        write_node(tx, "data/a", "3");
        ask(XS_RM, tx, "data/b");
        store_write(store, "/elsewhere", "");
        countdown = nth;
        result = end(tx, "T");
        if (countdown >= 0) {
            countdown = -1;
            cr_expect_str_eq(result, "OK");
            cr_expect_gt(nth, 3);
            cr_expect_str_eq(ask(XS_READ, 0, "data/a"), "3");
            return;
        }
        cr_expect_str_eq(result, "ENOMEM");
        expect_untouched();
    }
    cr_assert_fail("it always failed");
}

Test(store_memory, creating_a_store)
{
    for (int nth = 0; nth < 3; nth++) {
        struct store *other = NULL;

        countdown = nth;
        cr_expect_eq(store_create(&other), -ENOMEM);
        cr_expect_eq(countdown, -1);
    }
}
