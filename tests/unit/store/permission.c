/* Who may do what. */
#include <string.h>

#include <criterion/criterion.h>

#include "tests/unit/store/guest.h"

TestSuite(store_permission, .init = guest_start, .fini = guest_stop);

static const char *set_perms(const char *payload, size_t len)
{
    return guest_call(XS_SET_PERMS, 0, payload, len)->payload;
}

#define SET_PERMS(payload) set_perms(payload, sizeof(payload))

static void expect_perms(const char *path, const char *list, size_t len)
{
    const struct reply *reply =
        guest_call(XS_GET_PERMS, 0, path, strlen(path) + 1);

    cr_expect(reply->header.len == len &&
                  memcmp(reply->payload, list, len) == 0,
              "%s: %s", path, reply->payload);
}

#define EXPECT_PERMS(path, list) expect_perms(path, list, sizeof(list))

Test(store_permission, what_is_readable_may_be_read_and_no_more)
{
    cr_expect_str_eq(ask(XS_READ, 0, "name"), "tester");
    cr_expect_str_eq(ask(XS_DIRECTORY, 0, "/local/domain/1"), "data");
    cr_expect_str_eq(write_node(0, "name", "other"), "EACCES");
    cr_expect_str_eq(ask(XS_RM, 0, "name"), "EACCES");
    cr_expect_str_eq(ask(XS_MKDIR, 0, "name"), "EACCES");
    cr_expect_str_eq(ask(XS_MKDIR, 0, "new"), "EACCES");
    cr_expect_str_eq(SET_PERMS("name\0w1"), "EACCES");
    cr_expect_str_eq(ask(XS_READ, 0, "name"), "tester");
    EXPECT_PERMS("name", "n0\0r1");
}

Test(store_permission, what_is_hidden_does_not_even_exist)
{
    cr_expect_str_eq(ask(XS_READ, 0, "/secret/plan"), "EACCES");
    cr_expect_str_eq(ask(XS_READ, 0, "/secret/none"), "EACCES");
    cr_expect_str_eq(ask(XS_READ, 0, "/none"), "EACCES");
    cr_expect_str_eq(ask(XS_DIRECTORY, 0, "/"), "EACCES");
    cr_expect_str_eq(ask(XS_DIRECTORY, 0, "/local/domain"), "EACCES");
    cr_expect_str_eq(ask(XS_GET_PERMS, 0, "/secret"), "EACCES");
    cr_expect_str_eq(ask(XS_RM, 0, "/secret/none"), "EACCES");
    cr_expect_str_eq(write_node(0, "/secret/mine", "1"), "EACCES");
    cr_expect_str_eq(ask(XS_READ, 0, "missing"), "ENOENT", "may be known");
}

Test(store_permission, a_node_that_a_guest_makes_is_its_own)
{
    write_node(0, "data/a/b", "1");
    EXPECT_PERMS("data/a", "n1");
    EXPECT_PERMS("data/a/b", "n1");
    store_write(store, "/local/domain/1/data/h", "");
    EXPECT_PERMS("data/h", "n1");
}

Test(store_permission, a_node_made_in_anothers_directory_changes_its_owner_only)
{
    const struct permission list[] = {
        {0, RIGHT_NONE}, {GUEST_ID, RIGHT_READ | RIGHT_WRITE}, {7, RIGHT_READ}};
    struct permissions *perms = permissions_new(list, 3);

    store_write(store, "/shared", "");
    tree_set_permissions(&store->tree, "/shared", perms);
    permissions_unref(perms);
    cr_expect_str_eq(write_node(0, "/shared/mine", "1"), "OK");
    EXPECT_PERMS("/shared/mine", "n1\0b1\0r7");
    EXPECT_PERMS("/shared", "n0\0b1\0r7");
}

Test(store_permission, the_owner_sets_the_list)
{
    write_node(0, "data/a", "1");
    cr_expect_str_eq(SET_PERMS("data/a\0b1\0n7\0r0\0w9"), "OK");
    EXPECT_PERMS("data/a", "b1\0n7\0r0\0w9");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a"), "1");
}

Test(store_permission, the_owner_may_all_whatever_the_list_says)
{
    write_node(0, "data/a", "1");
    cr_expect_str_eq(SET_PERMS("data/a\0n1\0n1"), "OK");
    cr_expect_str_eq(write_node(0, "data/a", "2"), "OK");
    cr_expect_str_eq(ask(XS_READ, 0, "data/a"), "2");
}

Test(store_permission, a_guest_cannot_give_a_node_away)
{
    write_node(0, "data/a", "1");
    cr_expect_str_eq(SET_PERMS("data/a\0n0\0b1"), "EPERM");
    EXPECT_PERMS("data/a", "n1");
}

Test(store_permission, lists_are_parsed_strictly)
{
    write_node(0, "data/a", "1");
    cr_expect_str_eq(SET_PERMS("data/a"), "EINVAL");
    cr_expect_str_eq(SET_PERMS("data/a\0"), "EINVAL");
    cr_expect_str_eq(SET_PERMS("data/a\0x1"), "EINVAL");
    cr_expect_str_eq(SET_PERMS("data/a\0r"), "EINVAL");
    cr_expect_str_eq(SET_PERMS("data/a\0r1x"), "EINVAL");
    cr_expect_str_eq(SET_PERMS("data/a\0r-1"), "EINVAL");
    cr_expect_str_eq(SET_PERMS("data/a\0r65536"), "EINVAL");
    cr_expect_str_eq(SET_PERMS("data/none\0r1"), "ENOENT");
    EXPECT_PERMS("data/a", "n1");
}

Test(store_permission, rights_of_the_first_entry_are_for_everybody_else)
{
    const struct permission list[] = {{0, RIGHT_READ}, {7, RIGHT_WRITE}};
    struct permissions *perms = permissions_new(list, 2);

    cr_expect_eq(permissions_rights(perms, 5), RIGHT_READ);
    cr_expect_eq(permissions_rights(perms, 7), RIGHT_WRITE);
    cr_expect_eq(permissions_rights(perms, 0),
                 RIGHT_READ | RIGHT_WRITE | RIGHT_OWN);
    permissions_unref(perms);
}
