/* Each type of request, and what is said when it is wrong. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/unit/store/guest.h"

TestSuite(store_requests, .init = guest_start, .fini = guest_stop);

static bool replies(const struct reply *reply, uint32_t type,
                    const void *payload, size_t len)
{
    return reply->header.type == type && reply->header.len == len &&
           memcmp(reply->payload, payload, len) == 0;
}

#define EXPECT_REPLY(reply, type, payload) \
    cr_expect(replies(reply, type, payload, sizeof(payload) - 1))

Test(store_requests, write_says_ok_with_a_nul_and_read_gives_bare_bytes)
{
    EXPECT_REPLY(guest_call(XS_WRITE, 0, "data/a\0b\0c", 10), XS_WRITE, "OK\0");
    EXPECT_REPLY(guest_call(XS_READ, 0, "data/a", 7), XS_READ, "b\0c");
    EXPECT_REPLY(guest_call(XS_WRITE, 0, "data/a", 7), XS_WRITE, "OK\0");
    EXPECT_REPLY(guest_call(XS_READ, 0, "data/a", 7), XS_READ, "");
}

Test(store_requests, a_relative_path_is_the_domains_own)
{
    write_node(0, "data/x", "1");
    cr_expect_str_eq(ask(XS_READ, 0, "/local/domain/1/data/x"), "1");
    cr_expect_str_eq(ask(XS_READ, 0, "name"), "tester");
}

Test(store_requests, write_makes_what_is_missing_on_the_way)
{
    cr_expect_str_eq(write_node(0, "data/a/b/c", "deep"), "OK");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a/b"), "");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a/b/c"), "deep");
}

Test(store_requests, directory_lists_names_each_with_its_nul)
{
    write_node(0, "data/two", "");
    write_node(0, "data/one", "");
    write_node(0, "data/three/below", "");
    EXPECT_REPLY(guest_call(XS_DIRECTORY, 0, "data", 5), XS_DIRECTORY,
                 "one\0three\0two\0");
    EXPECT_REPLY(guest_call(XS_DIRECTORY, 0, "data/one", 9), XS_DIRECTORY, "");
}

Test(store_requests, mkdir_of_what_exists_is_fine_and_changes_nothing)
{
    write_node(0, "data/a", "kept");
    cr_expect_str_eq(ask(XS_MKDIR, 0, "data/a"), "OK");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a"), "kept");
    cr_expect_str_eq(ask(XS_MKDIR, 0, "data/new"), "OK");
    cr_expect_str_eq(ask(XS_READ, 0, "data/new"), "");
}

Test(store_requests, rm_takes_the_subtree)
{
    write_node(0, "data/a/b/c", "1");
    cr_expect_str_eq(ask(XS_RM, 0, "data/a"), "OK");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a/b/c"), "ENOENT");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a"), "ENOENT");
}

Test(store_requests, rm_of_a_missing_node_needs_its_parent)
{
    cr_expect_str_eq(ask(XS_RM, 0, "data/a"), "OK");
    cr_expect_str_eq(ask(XS_RM, 0, "data/a/b"), "ENOENT");
    cr_expect_str_eq(ask(XS_RM, 0, "/"), "EINVAL");
}

Test(store_requests, domain_path_is_computed_not_looked_up)
{
    EXPECT_REPLY(guest_call(XS_GET_DOMAIN_PATH, 0, "77", 3), XS_GET_DOMAIN_PATH,
                 "/local/domain/77\0");
    cr_expect_str_eq(ask(XS_GET_DOMAIN_PATH, 0, "x"), "EINVAL");
    cr_expect_str_eq(ask(XS_GET_DOMAIN_PATH, 0, "99999999"), "EINVAL");
}

Test(store_requests, bad_paths_are_invalid)
{
    static const char *const bad[] = {
        "",   "/data/",         "data/",      "data//x",
        "//", "data/a b",       "data:x",     "data/\xff",
        "@x", "@releaseDomain", "data/\nroot"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_str_eq(ask(XS_READ, 0, bad[i]), "EINVAL", "%s", bad[i]);
        cr_expect_str_eq(ask(XS_MKDIR, 0, bad[i]), "EINVAL", "%s", bad[i]);
    }
}

Test(store_requests, paths_have_a_longest_length)
{
    char path[4000];

    memset(path, 'a', sizeof path);
    memcpy(path, "data/", 5);
    path[XENSTORE_REL_PATH_MAX] = '\0';
    cr_expect_str_eq(ask(XS_MKDIR, 0, path), "OK");
    path[XENSTORE_REL_PATH_MAX] = 'a';
    path[XENSTORE_REL_PATH_MAX + 1] = '\0';
    cr_expect_str_eq(ask(XS_MKDIR, 0, path), "EINVAL");

    memset(path, 'b', sizeof path);
    memcpy(path, "/local/domain/1/data/", 21);
    path[XENSTORE_ABS_PATH_MAX] = '\0';
    cr_expect_str_eq(ask(XS_MKDIR, 0, path), "OK");
    path[XENSTORE_ABS_PATH_MAX] = 'b';
    path[XENSTORE_ABS_PATH_MAX + 1] = '\0';
    cr_expect_str_eq(ask(XS_MKDIR, 0, path), "EINVAL");
}

Test(store_requests, payloads_without_their_nul_are_invalid)
{
    static const uint32_t types[] = {
        XS_DIRECTORY, XS_READ,           XS_GET_PERMS, XS_MKDIR,
        XS_RM,        XS_WRITE,          XS_SET_PERMS, XS_WATCH,
        XS_UNWATCH,   XS_DIRECTORY_PART, XS_SET_PERMS, XS_GET_DOMAIN_PATH,
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        EXPECT_REPLY(guest_call(types[i], 0, "data", 4), XS_ERROR, "EINVAL\0");
        EXPECT_REPLY(guest_call(types[i], 0, "", 0), XS_ERROR, "EINVAL\0");
    }
    EXPECT_REPLY(guest_call(XS_READ, 0, "data\0x", 7), XS_ERROR, "EINVAL\0");
    EXPECT_REPLY(guest_call(XS_WATCH, 0, "data\0t\0u", 9), XS_ERROR,
                 "EINVAL\0");
}

Test(store_requests, unknown_types_are_not_implemented)
{
    static const uint32_t types[] = {XS_WATCH_EVENT, XS_ERROR, 20,
                                     XS_TYPE_COUNT,  1000,     XS_INVALID,
                                     UINT32_MAX};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        cr_expect_str_eq(ask(types[i], 0, "data"), "ENOSYS", "%u", types[i]);
}

Test(store_requests, what_is_privileged_is_refused)
{
    static const uint32_t types[] = {
        XS_CONTROL, XS_INTRODUCE,  XS_RELEASE, XS_IS_DOMAIN_INTRODUCED,
        XS_RESUME,  XS_SET_TARGET,
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        cr_expect_str_eq(ask(types[i], 0, "1"), "EACCES", "%u", types[i]);
}

Test(store_requests, a_directory_too_long_for_a_reply_is_read_in_parts)
{
    char path[600], name[500], all[20 * 500], part[4200], *at = all;
    const char *cursor;

    for (int i = 0; i < 10; i++) {
        memset(name, 'a' + i, sizeof name);
        name[sizeof name - 1] = '\0';
        snprintf(path, sizeof path, "data/%s", name);
        cr_assert_str_eq(ask(XS_MKDIR, 0, path), "OK");
    }
    cr_expect_str_eq(ask(XS_DIRECTORY, 0, "data"), "E2BIG");

    for (bool more = true; more;) {
        const struct reply *reply;
        const int len = sprintf(part, "data%c%d", 0, (int)(at - all));

        reply = guest_call(XS_DIRECTORY_PART, 0, part, (size_t)len + 1);
        cr_assert_eq(reply->header.type, XS_DIRECTORY_PART);
        cursor = reply->payload + strlen(reply->payload) + 1;
        more = reply->payload[reply->header.len - 2] != '\0';
        memcpy(at, cursor, reply->header.len - (cursor - reply->payload));
        at += reply->header.len - (cursor - reply->payload) - !more;
    }
    cr_expect_eq(at - all, 10 * (int)sizeof name);
    for (int i = 0; i < 10; i++)
        cr_expect_eq(all[i * (int)sizeof name], 'a' + i);
}

Test(store_requests, a_part_behind_the_end_is_an_empty_string)
{
    const struct reply *reply;

    reply = guest_call(XS_DIRECTORY_PART, 0, "data\0007", 7);
    cr_assert_eq(reply->header.type, XS_DIRECTORY_PART);
    cr_expect_eq(reply->header.len, strlen(reply->payload) + 2);
    cr_expect_str_eq(guest_call(XS_DIRECTORY_PART, 0, "data\000-1", 8)->payload,
                     "EINVAL");
}

Test(store_requests, reset_watches_drops_watches_and_transactions)
{
    const uint32_t tx = start();

    watch("data", "w");
    events();
    cr_expect_str_eq(ask(XS_RESET_WATCHES, 0, ""), "OK");
    write_node(0, "data/x", "1");
    cr_expect_str_eq(events(), "");
    cr_expect_str_eq(end(tx, "T"), "ENOENT");
    cr_expect_str_eq(unwatch("data", "w"), "ENOENT");
}
