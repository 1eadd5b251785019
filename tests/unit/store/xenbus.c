/* The backend's states against frontends of every kind. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "host/backend/xenbus.h"
#include "host/domain.h"
#include "tests/unit/store/guest.h"

#define FRONT "device/toy/7"
#define BACK  "/local/domain/0/backend/toy/1/7"

static struct domain dom;
static struct xenbus_device dev;
static unsigned nr_connects, nr_disconnects;
static int connect_result;
static char ring_ref[16];

static int toy_connect(struct xenbus_device *device)
{
    cr_expect_eq(device, &dev);
    nr_connects++;
    if (connect_result)
        return connect_result;
    if (xenbus_read(device, "ring-ref", ring_ref, sizeof ring_ref) < 0)
        return -EINVAL;
    return xenbus_publish(device, "sectors", "%d", 100);
}

static void toy_disconnect(struct xenbus_device *device)
{
    cr_expect_eq(device->context, &nr_connects);
    nr_disconnects++;
}

static const struct xenbus_ops toy_ops = {toy_connect, toy_disconnect};

static void plug_in(void)
{
    guest_start();
    dom = (struct domain){.id = GUEST_ID, .store = store};
    nr_connects = nr_disconnects = 0;
    connect_result = 0;
    cr_assert_eq(xenbus_create(&dev, &dom, "toy", 7, &toy_ops, &nr_connects),
                 0);
    cr_assert_eq(xenbus_preset(&dev, "size", "%d", 3), 0);
    cr_assert_eq(xenbus_publish(&dev, "feature-x", "1"), 0);
    cr_assert_eq(xenbus_open(&dev), 0);
    store_run(store);
}

static void unplug(void)
{
    xenbus_destroy(&dev);
    guest_stop();
}

TestSuite(xenbus, .init = plug_in, .fini = unplug);

/* The frontend writes its state and looks at the backend's. */
static const char *front(const char *state)
{
    write_node(0, FRONT "/state", state);
    store_run(store);
    return ask(XS_READ, 0, BACK "/state");
}

/* What a guest hears of a backend's directory that is not there. */
#define NO_MORE "EACCES"

static void put_keys(void)
{
    write_node(0, FRONT "/ring-ref", "8");
}

Test(xenbus, both_directories_are_as_the_toolstack_makes_them)
{
    cr_expect_str_eq(ask(XS_READ, 0, FRONT "/backend"), BACK);
    cr_expect_str_eq(ask(XS_READ, 0, FRONT "/backend-id"), "0");
    cr_expect_str_eq(ask(XS_READ, 0, FRONT "/state"), "1");
    cr_expect_str_eq(ask(XS_READ, 0, FRONT "/size"), "3");
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/frontend"),
                     "/local/domain/1/" FRONT);
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/frontend-id"), "1");
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/online"), "1");
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/state"), "2");
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/feature-x"), "1");
    cr_expect_eq(
        memcmp(guest_call(XS_GET_PERMS, 0, FRONT, sizeof FRONT)->payload,
               "n1\0r0", 5),
        0);
    cr_expect_str_eq(write_node(0, BACK "/state", "6"), "EACCES");
    cr_expect_eq(nr_connects, 0);
}

Test(xenbus, linux_goes_by_initialised)
{
    put_keys();
    cr_expect_str_eq(front("3"), "4");
    cr_expect_str_eq(ring_ref, "8");
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/sectors"), "100");
    cr_expect_str_eq(front("4"), "4");
    cr_expect_eq(nr_connects, 1);
}

Test(xenbus, mini_os_jumps_to_connected)
{
    put_keys();
    cr_expect_str_eq(front("4"), "4");
    cr_expect_eq(nr_connects, 1);
}

Test(xenbus, keys_written_in_a_transaction_with_the_state_are_seen)
{
    const uint32_t tx = start();

    write_node(tx, FRONT "/ring-ref", "9");
    write_node(tx, FRONT "/state", "4");
    cr_expect_str_eq(end(tx, "T"), "OK");
    store_run(store);
    cr_expect_str_eq(ring_ref, "9");
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/state"), "4");
}

Test(xenbus, closes_step_by_step_and_connects_again)
{
    for (unsigned i = 1; i <= 3; i++) {
        put_keys();
        cr_expect_str_eq(front("4"), "4");
        cr_expect_eq(nr_connects, i);
        cr_expect_str_eq(front("5"), "5");
        cr_expect_eq(nr_disconnects, i - 1, "it still uses the ring");
        cr_expect_str_eq(front("6"), "6");
        cr_expect_eq(nr_disconnects, i);
        cr_expect_str_eq(front("1"), "2");
    }
}

Test(xenbus, a_new_driver_may_start_where_the_old_one_did_not_close)
{
    put_keys();
    front("4");
    cr_expect_str_eq(front("1"), "2");
    cr_expect_eq(nr_disconnects, 1);
    cr_expect_str_eq(front("4"), "4");
    cr_expect_eq(nr_connects, 2);
}

Test(xenbus, later_keys_are_ignored_until_it_connects_anew)
{
    put_keys();
    front("4");
    write_node(0, FRONT "/ring-ref", "666");
    front("4");
    front("3");
    cr_expect_eq(nr_connects, 1);
    cr_expect_str_eq(ring_ref, "8");
}

Test(xenbus, a_frontend_that_vanishes_is_closed)
{
    put_keys();
    front("4");
    ask(XS_RM, 0, FRONT);
    store_run(store);
    cr_expect_eq(nr_disconnects, 1);
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/state"), "6");
}

Test(xenbus, states_that_make_no_sense_are_no_state)
{
    static const char *const bad[] = {"", "x", "9", "-1", "4 ", "04294967300"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        front("1");
        cr_expect_str_eq(front(bad[i]), "6", "'%s'", bad[i]);
        cr_expect_eq(nr_connects, 0);
    }
    cr_expect_str_eq(front("2"), "6", "the backend's own word changes nothing");
    cr_expect_str_eq(front("7"), "6");
}

Test(xenbus, a_failed_connect_is_told_and_may_be_tried_again)
{
    char why[64];

    cr_expect_str_eq(front("4"), "5", "the key is missing");
    cr_expect_eq(nr_disconnects, 0);
    cr_expect_gt(store_read(store,
                            "/local/domain/0/error/backend/toy/1/7/error", why,
                            sizeof why),
                 0);
    put_keys();
    cr_expect_str_eq(front("4"), "5", "not without closing first");
    cr_expect_eq(nr_connects, 1);
    cr_expect_str_eq(front("6"), "6");
    cr_expect_str_eq(front("1"), "2");
    cr_expect_str_eq(front("4"), "4");
}

Test(xenbus, a_protocol_violation_disconnects)
{
    put_keys();
    front("4");
    xenbus_fail(&dev, "the ring lies");
    cr_expect_eq(nr_disconnects, 1);
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/state"), "5");
    cr_expect_str_eq(front("6"), "6");
    cr_expect_eq(nr_disconnects, 1);
}

Test(xenbus, unplugging_asks_the_frontend_and_is_final)
{
    put_keys();
    front("4");
    xenbus_unplug(&dev);
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/online"), "0");
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/state"), "5");
    cr_expect_eq(nr_disconnects, 0);
    cr_expect_str_eq(front("5"), "5");
    cr_expect_str_eq(front("6"), NO_MORE);
    cr_expect_eq(nr_disconnects, 1);
    cr_expect_str_eq(ask(XS_READ, 0, FRONT "/backend"), "ENOENT");
    cr_expect_str_eq(front("1"), NO_MORE);
    cr_expect_str_eq(front("4"), NO_MORE);
    xenbus_unplug(&dev);
    store_run(store);
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/state"), NO_MORE);
    cr_expect_eq(nr_connects, 1);
}

Test(xenbus, unplugging_what_nobody_uses_closes_at_once)
{
    xenbus_unplug(&dev);
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/state"), NO_MORE);
}

Test(xenbus, online_in_the_store_counts_as_well)
{
    put_keys();
    front("4");
    store_write(store, BACK "/online", "0");
    store_run(store);
    cr_expect_str_eq(ask(XS_READ, 0, BACK "/state"), "5");
    cr_expect_str_eq(front("6"), NO_MORE);
}

Test(xenbus, keys_are_read_strictly)
{
    uint32_t number = 5;
    char text[4];

    write_node(0, FRONT "/n", "4294967295");
    cr_expect_eq(xenbus_read_u32(&dev, "n", &number), 0);
    cr_expect_eq(number, UINT32_MAX);
    write_node(0, FRONT "/n", "4294967296");
    cr_expect_eq(xenbus_read_u32(&dev, "n", &number), -EINVAL);
    cr_expect_eq(xenbus_read_u32(&dev, "none", &number), -ENOENT);
    guest_call(XS_WRITE, 0, FRONT "/n\0a\0b", sizeof FRONT + 2 + 3);
    cr_expect_eq(xenbus_read(&dev, "n", text, sizeof text), -EINVAL);
    write_node(0, FRONT "/n", "1234");
    cr_expect_eq(xenbus_read(&dev, "n", text, sizeof text), -E2BIG);
}

Test(xenbus, the_state_is_written_only_when_it_changes)
{
    put_keys();
    watch(BACK "/state", "t");
    events();
    front("3");
    cr_expect_str_eq(events(), BACK "/state t");
    front("4");
    front("4");
    cr_expect_str_eq(events(), "");
}

Test(xenbus, destroying_disconnects_and_removes_both_directories)
{
    put_keys();
    front("4");
    xenbus_destroy(&dev);
    cr_expect_eq(nr_disconnects, 1);
    cr_expect_str_eq(ask(XS_READ, 0, FRONT "/state"), "ENOENT");
    store_run(store);
    cr_expect_eq(nr_disconnects, 1);
    xenbus_destroy(&dev);
}
