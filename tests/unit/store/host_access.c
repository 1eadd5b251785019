/* The toolstack's and the backends' way in. */
#include <string.h>

#include <criterion/criterion.h>

#include "tests/unit/store/guest.h"

TestSuite(store_host, .init = guest_start, .fini = guest_stop);

Test(store_host, reads_what_the_guest_wrote)
{
    char value[8];

    write_node(0, "data/a", "1234567");
    cr_expect_eq(store_read(store, "/local/domain/1/data/a", value, 8), 7);
    cr_expect_str_eq(value, "1234567");
    cr_expect_eq(store_read(store, "/local/domain/1/data/a", value, 7), -E2BIG);
    cr_expect_eq(store_read(store, "/local/domain/1/data/b", value, 8),
                 -ENOENT);
    cr_expect_eq(store_read(store, "//", value, 8), -EINVAL);
}

Test(store_host, numbers_are_strict)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "-1", "+1", "0x1", "1.", "18446744073709551616", "one"};
    uint64_t value = 5;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_node(0, "data/n", bad[i]);
        cr_expect_eq(store_read_u64(store, "/local/domain/1/data/n", &value),
                     -EINVAL, "'%s'", bad[i]);
    }
    cr_expect_eq(value, 5);
    guest_call(XS_WRITE, 0, "data/n\0001", 9); /* with a NUL at its end */
    cr_expect_eq(store_read_u64(store, "/local/domain/1/data/n", &value),
                 -EINVAL);
    write_node(0, "data/n", "18446744073709551615");
    cr_expect_eq(store_read_u64(store, "/local/domain/1/data/n", &value), 0);
    cr_expect_eq(value, UINT64_MAX);
    cr_expect_eq(store_read_u64(store, "/none", &value), -ENOENT);
}

Test(store_host, removes_and_says_when_there_was_nothing)
{
    cr_expect_eq(store_remove(store, "/secret"), 0);
    cr_expect_eq(store_remove(store, "/secret"), -ENOENT);
    cr_expect_eq(store_remove(store, "/"), -EINVAL);
}

Test(store_host, owners_are_set_for_a_whole_subtree)
{
    store_write(store, "/dir/a/b", "1");
    store_set_owner(store, "/dir", GUEST_ID, 0);
    cr_expect_str_eq(write_node(0, "/dir/a/b", "2"), "OK");
    cr_expect_eq(
        memcmp(guest_call(XS_GET_PERMS, 0, "/dir/a", 7)->payload, "n1\0r0", 5),
        0);
    cr_expect_eq(store_set_owner(store, "/none", 1, 0), -ENOENT);
}

Test(store_host, a_write_reaches_the_guests_watch_at_once)
{
    struct reply event;

    watch("data", "t");
    events();
    kicks = 0;
    store_printf(store, "/local/domain/1/data/x", "%d", 7);
    cr_expect_eq(kicks, 1);
    cr_expect_gt(guest_pull(&event, sizeof event), sizeof event.header);
    cr_expect_eq(event.header.type, XS_WATCH_EVENT);
}

Test(store_host, a_write_never_serves_requests)
{
    const struct xsd_sockmsg header = {.type = XS_RESET_WATCHES};

    guest_push(&header, sizeof header);
    store_write(store, "/local/domain/1/data/x", "");
    cr_expect_eq(page->req_cons, 0);
    store_run(store);
    cr_expect_eq(page->req_cons, sizeof header);
}
