/* What a watch tells, whom, and in which words. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/unit/store/guest.h"

TestSuite(store_watch, .init = guest_start, .fini = guest_stop);

Test(store_watch, fires_once_when_set_after_the_ok)
{
    struct reply first, second;

    guest_send(XS_WATCH, 0, "data\0tok", 9);
    cr_assert(guest_take(&first));
    cr_assert(guest_take(&second));
    cr_expect_eq(first.header.type, XS_WATCH);
    cr_expect_eq(second.header.type, XS_WATCH_EVENT);
    cr_expect_eq(memcmp(second.payload, "data\0tok", 9), 0);
}

Test(store_watch, fires_for_a_missing_node_as_well)
{
    cr_expect_str_eq(watch("data/later", "t"), "OK");
    cr_expect_str_eq(events(), "data/later t");
    write_node(0, "data/later", "now");
    cr_expect_str_eq(events(), "data/later t");
}

Test(store_watch, tells_of_every_kind_of_change_at_and_below)
{
    watch("data", "t");
    events();
    write_node(0, "data", "1");
    cr_expect_str_eq(events(), "data t");
    write_node(0, "data/a/b", "1");
    cr_expect_str_eq(events(), "data/a/b t");
    ask(XS_MKDIR, 0, "data/dir");
    cr_expect_str_eq(events(), "data/dir t");
    guest_call(XS_SET_PERMS, 0, "data/dir\0r1", 12);
    cr_expect_str_eq(events(), "data/dir t");
    ask(XS_RM, 0, "data/a");
    cr_expect_str_eq(events(), "data/a t", "once, for the node named");
    write_node(0, "database", "not below");
    cr_expect_str_eq(events(), "");
}

Test(store_watch, the_same_value_again_is_a_change)
{
    write_node(0, "data/a", "1");
    watch("data/a", "t");
    events();
    write_node(0, "data/a", "1");
    cr_expect_str_eq(events(), "data/a t");
}

Test(store_watch, keeps_the_form_in_which_it_was_set)
{
    watch("data/a", "relative");
    watch("/local/domain/1/data/a", "absolute");
    events();
    write_node(0, "/local/domain/1/data/a/b", "1");
    cr_expect_str_eq(events(),
                     "data/a/b relative; /local/domain/1/data/a/b absolute");
}

Test(store_watch, hears_when_an_ancestor_goes)
{
    write_node(0, "data/a/b/c", "1");
    watch("data/a/b/c", "t");
    watch("data/a/x", "never existed");
    events();
    ask(XS_RM, 0, "data/a");
    cr_expect_str_eq(events(), "data/a/b/c t");
}

Test(store_watch, reading_and_failing_are_no_changes)
{
    watch("/", "t");
    events();
    ask(XS_READ, 0, "name");
    write_node(0, "name", "denied");
    ask(XS_RM, 0, "data/missing");
    ask(XS_MKDIR, 0, "data");
    cr_expect_str_eq(events(), "");
}

Test(store_watch, one_path_may_have_many_tokens_but_not_twice_the_same)
{
    cr_expect_str_eq(watch("data", "one"), "OK");
    cr_expect_str_eq(watch("data", "two"), "OK");
    cr_expect_str_eq(watch("data", "one"), "EEXIST");
    cr_expect_str_eq(watch("/local/domain/1/data", "one"), "EEXIST");
    events();
    write_node(0, "data", "");
    cr_expect_str_eq(events(), "data one; data two");
}

Test(store_watch, unwatch_needs_path_and_token)
{
    watch("data", "one");
    cr_expect_str_eq(unwatch("data", "two"), "ENOENT");
    cr_expect_str_eq(unwatch("data/x", "one"), "ENOENT");
    cr_expect_str_eq(unwatch("data", "one"), "OK");
    cr_expect_str_eq(unwatch("data", "one"), "ENOENT");
    events();
    write_node(0, "data/x", "1");
    cr_expect_str_eq(events(), "");
}

Test(store_watch, tokens_are_any_bytes_and_come_back_verbatim)
{
    cr_expect_str_eq(watch("data", ""), "OK");
    cr_expect_str_eq(watch("data", "a b/\x01\xff"), "OK");
    cr_expect_str_eq(events(), "data ; data a b/\x01\xff");
}

Test(store_watch, a_token_too_long_for_an_event_is_refused)
{
    char token[2000];

    memset(token, 't', sizeof token);
    token[1022] = '\0';
    cr_expect_str_eq(watch("data", token), "OK");
    token[1022] = 't';
    token[1023] = '\0';
    cr_expect_str_eq(watch("data", token), "EINVAL");
}

Test(store_watch, equal_events_not_yet_fetched_are_one)
{
    unsigned nr = 0;
    char path[80];

    watch("data", "t");
    events();
    /* more than the ring holds: the last ones have to wait */
    for (int i = 0; i < 3 * 40; i++) {
        snprintf(path, sizeof path, "/local/domain/1/data/%020d", i % 40);
        store_write(store, path, "");
    }
    for (const char *at = events(); (at = strstr(at, "00039 t")); at++)
        nr++;
    cr_expect_eq(nr, 1);
}

Test(store_watch, what_may_not_be_read_does_not_fire)
{
    watch("/secret", "t");
    watch("/", "root");
    events();
    store_write(store, "/secret/plan", "attack");
    store_write(store, "/local/domain/1/name", "renamed");
    cr_expect_str_eq(events(), "/local/domain/1/name root");
}

Test(store_watch, who_may_list_the_parent_may_know_of_the_child)
{
    store_write(store, "/local/domain/1/hidden", "");
    store_set_owner(store, "/local/domain/1/hidden", 0, 0);
    watch("hidden", "t");
    events();
    store_write(store, "/local/domain/1/hidden", "1");
    cr_expect_str_eq(events(), "hidden t");
    store_write(store, "/local/domain/1/hidden/deeper", "1");
    cr_expect_str_eq(events(), "", "its parent cannot be listed");
}

Test(store_watch, losing_the_right_to_read_is_the_last_thing_heard)
{
    store_write(store, "/open", "");
    store_set_owner(store, "/open", 0, GUEST_ID);
    watch("/open", "t");
    events();
    store_set_owner(store, "/open", 0, 0);
    cr_expect_str_eq(events(), "/open t");
    store_write(store, "/open", "1");
    cr_expect_str_eq(events(), "");
}

Test(store_watch, domains_coming_and_going_are_not_a_guests_business)
{
    cr_expect_str_eq(watch("@introduceDomain", "t"), "EACCES");
    cr_expect_str_eq(watch("@releaseDomain", "t"), "EACCES");
    cr_expect_str_eq(watch("@else", "t"), "EINVAL");
}

Test(store_watch, a_queue_nobody_reads_collapses_and_still_tells)
{
    char path[80];
    size_t before;

    watch("data", "t");
    events();
    before = store->pool.bytes;
    for (int i = 0; i < 20000; i++) {
        snprintf(path, sizeof path, "/local/domain/1/data/%d", i % 5000);
        store_write(store, path, "");
        if (i % 5000 == 4999)
            store_remove(store, "/local/domain/1/data");
    }
    cr_expect_leq(conn->events.nr, EVENTS_MAX);
    cr_expect_leq(conn->events.bytes, EVENTS_MAX_BYTES);
    cr_expect_leq(store->pool.bytes, before + 4096);
    cr_expect_neq(strstr(events(), "data t"), NULL);
    store_write(store, "/local/domain/1/data/x", "");
    cr_expect_str_eq(events(), "data/x t", "and is itself again");
}

struct heard {
    unsigned nr;
    char path[128];
};

static void host_hears(void *context, const char *path)
{
    struct heard *heard = context;

    heard->nr++;
    snprintf(heard->path, sizeof heard->path, "%s", path);
}

Test(store_watch, the_host_hears_from_store_run_and_not_before)
{
    struct heard heard = {0};
    struct store_watch *w;

    w = store_watch(store, "/local/domain/1/data", host_hears, &heard);
    cr_expect_eq(heard.nr, 0);
    store_run(store);
    cr_expect_eq(heard.nr, 1);
    cr_expect_str_eq(heard.path, "/local/domain/1/data");

    write_node(0, "data/x", "1");
    write_node(0, "data/x", "2");
    cr_expect_eq(heard.nr, 1);
    store_run(store);
    cr_expect_eq(heard.nr, 2, "equal events are one");
    cr_expect_str_eq(heard.path, "/local/domain/1/data/x");

    write_node(0, "data/x", "3");
    store_unwatch(store, w);
    store_run(store);
    cr_expect_eq(heard.nr, 2);
}

static struct store_watch *own_watch;

static void unwatches_itself(void *context, const char *path)
{
    (void)path;
    ++*(unsigned *)context;
    store_unwatch(store, own_watch);
}

Test(store_watch, a_host_watch_may_end_itself)
{
    unsigned nr = 0;

    own_watch = store_watch(store, "/local", unwatches_itself, &nr);
    store_write(store, "/local/x", "");
    store_run(store);
    store_run(store);
    cr_expect_eq(nr, 1);
}
