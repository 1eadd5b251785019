/*
 * The guest's end of xenstore, against a server that is slow, or lies.
 */
#include <errno.h>
#include <stdio.h>

#include <criterion/criterion.h>
#include <pvguest/guest.h>
#include <pvguest/shutdown.h>
#include <pvguest/store.h>
#include <pvguest/thread.h>
#include <xen/xen.h>

#include <string.h>
#include <xen/sched.h>

#include "fake_guest.h"
#include "fake_store.h"

static void connected(void)
{
    fake_guest_init();
    fake_store_init();
}

TestSuite(store, .init = connected);

Test(store, reads_what_it_wrote)
{
    char buf[8];

    cr_expect_eq(store_write(STORE_NO_TX, "data/a", "blue"), 0);
    cr_expect_eq(store_read(STORE_NO_TX, "data/a", buf, sizeof buf), 4);
    cr_expect_str_eq(buf, "blue");
}

Test(store, names_errors_as_the_server_does)
{
    char buf[8];

    fake_store_write("data/long", "12345678");
    cr_expect_eq(store_read(STORE_NO_TX, "data/none", buf, sizeof buf),
                 -ENOENT);
    cr_expect_eq(store_mkdir(STORE_NO_TX, "data/dir"), -ENOSYS);
    cr_expect_eq(store_read(STORE_NO_TX, "data/long", buf, sizeof buf), -E2BIG);
}

Test(store, takes_numbers_strictly)
{
    static const char *const wrong[] = {"",    "-1", "12 ",
                                        "0x1", " 3", "18446744073709551616"};
    uint64_t number = 5;

    fake_store_write("data/n", "18446744073709551615");
    cr_expect_eq(store_read_u64(STORE_NO_TX, "data/n", &number), 0);
    cr_expect_eq(number, UINT64_MAX);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fake_store_write("data/n", wrong[i]);
        cr_expect_eq(store_read_u64(STORE_NO_TX, "data/n", &number), -EINVAL,
                     "\"%s\"", wrong[i]);
    }
}

/*
 * A message may be four times the ring.
 *
 * Given a server that only moves while the guest waits,
 * when a value of 4000 bytes is written and read,
 * then both go through in pieces.
 */
Test(store, passes_messages_longer_than_the_ring)
{
    static char value[4001], back[4096];

    fake_store.late = true;
    memset(value, 'x', sizeof value - 1);
    value[0] = 'a';
    value[3999] = 'z';
    cr_expect_eq(store_write(STORE_NO_TX, "data/big", value), 0);
    cr_expect_eq(store_read(STORE_NO_TX, "data/big", back, sizeof back), 4000);
    cr_expect_str_eq(back, value);
}

Test(store, refuses_what_no_message_can_hold)
{
    static char value[5000];

    memset(value, 'x', sizeof value - 1);
    cr_expect_eq(store_write(STORE_NO_TX, "data/big", value), -E2BIG);
    cr_expect_eq(fake_store.nr_messages, 0);
}

static int nr_readers;

static void reader(void *arg)
{
    char buf[8];

    cr_expect_eq(store_read(STORE_NO_TX, arg, buf, sizeof buf), 1);
    cr_expect_str_eq(buf, arg + strlen("data/"));
    nr_readers++;
}

/* Each of many threads gets its own answer. */
Test(store, serves_many_threads_at_once)
{
    static char paths[10][8];

    fake_store.late = true;
    for (int i = 0; i < 10; i++) {
        snprintf(paths[i], sizeof paths[i], "data/%d", i);
        fake_store_write(paths[i], paths[i] + 5);
        thread_start(reader, paths[i]);
    }
    while (nr_readers < 10)
        thread_sleep(1);
}

Test(store, lists_names)
{
    char names[64];

    fake_store_write("device/vbd/51712/state", "1");
    fake_store_write("device/vbd/51728/state", "1");
    cr_expect_eq(
        store_directory(STORE_NO_TX, "device/vbd", names, sizeof names), 12);
    cr_expect_str_eq(names, "51712");
    cr_expect_str_eq(names + 6, "51728");
}

Test(store, knows_a_transaction_that_failed)
{
    uint32_t tx;

    fake_store.interfere = 1;
    cr_expect_eq(store_tx_begin(&tx), 0);
    cr_expect_eq(tx, 7);
    cr_expect_eq(store_tx_end(tx, true), -EAGAIN);
    cr_expect_eq(store_tx_end(tx, true), 0);
}

static unsigned nr_told;

static void told(struct store_watch *watch, const char *path)
{
    char buf[8];

    cr_expect_str_eq(path, watch->path);
    nr_told++;
    store_read(STORE_NO_TX, path, buf, sizeof buf); /* may block */
}

Test(store, tells_of_changes_on_its_own_thread)
{
    struct store_watch watch = {.fn = told, .path = "data/w"};

    cr_expect_eq(store_watch(&watch), 0);
    thread_sleep(1);
    cr_expect_eq(nr_told, 1, "once at first");
    fake_store_write("data/w", "1");
    fake_store_write("data/w/below", "1");
    fake_store_run();
    thread_sleep(1);
    cr_expect_eq(nr_told, 2, "several at a time are told once");
    cr_expect_eq(store_unwatch(&watch), 0);
    fake_store_write("data/w", "2");
    thread_sleep(1);
    cr_expect_eq(nr_told, 2, "and none afterwards");
}

/*
 * A server that says nonsense costs the guest its store, nothing else.
 */
Test(store, survives_a_reply_too_long)
{
    char buf[8];

    fake_store_write("data/a", "b");
    fake_store_send(XS_READ, 1, "", UINT32_MAX);
    cr_expect_eq(store_read(STORE_NO_TX, "data/a", buf, sizeof buf), -EIO);
    cr_expect_eq(store_available(), false);
    cr_expect_eq(store_write(STORE_NO_TX, "data/a", "c"), -EIO);
}

Test(store, survives_broken_indices)
{
    struct xenstore_domain_interface *page = fake.store_page;
    char buf[8];

    fake_store_write("data/a", "b");
    cr_expect_eq(store_read(STORE_NO_TX, "data/a", buf, sizeof buf), 1);
    fake_store.late = true;
    page->rsp_prod += 5000;
    cr_expect_eq(store_read(STORE_NO_TX, "data/a", buf, sizeof buf), -EIO);
}

Test(store, ignores_answers_to_nothing_and_crooked_events)
{
    static const char lone[] = "data/a";
    char buf[8];

    fake_store_write("data/a", "b");
    fake_store_send(XS_READ, 99, "lie", 3);
    fake_store_send(XS_WATCH_EVENT, 0, lone, sizeof lone);
    fake_store_send(XS_WATCH_EVENT, 0, "", 0);
    fake_store_send(XS_WATCH_EVENT, 0,
                    "x\0"
                    "12",
                    4);
    fake_store_send(XS_WATCH_EVENT, 0,
                    "x\0"
                    "77",
                    5);
    cr_expect_eq(store_read(STORE_NO_TX, "data/a", buf, sizeof buf), 1);
    cr_expect_str_eq(buf, "b");
}

Test(store, takes_no_reply_of_another_type)
{
    char buf[8];

    fake_store_send(XS_WRITE, 1, "OK", 3);
    cr_expect_eq(store_read(STORE_NO_TX, "data/a", buf, sizeof buf), -EIO);
}

Test(store, has_nothing_to_say_to_dom0_without_toolstack)
{
    fake.store_port = 0;
    cr_expect_eq(store_available(), false);
    cr_expect_eq(store_write(STORE_NO_TX, "data/a", "b"), -EIO);
}

/* As guest_start_drivers does. */
extern int (*const __start_guest_drivers[])(void);
extern int (*const __stop_guest_drivers[])(void);

static void start_drivers(void)
{
    for (int (*const *fn)(void) = __start_guest_drivers;
         fn < __stop_guest_drivers; fn++)
        (*fn)();
}

Test(shutdown, is_acknowledged_before_the_guest_ends, .init = connected)
{
    fake_store_write("control/shutdown", "");
    start_drivers();
    cr_expect_eq(fake_store.nr_messages, 0, "nothing before main() waits");
    thread_sleep(1);
    cr_expect_str_eq(fake_store_read("control/feature-poweroff"), "1");
    cr_expect_eq(fake.exited, 0, "an empty request is none");

    fake_store.interfere = 2;
    fake_store_write("control/shutdown", "poweroff");
    thread_sleep(1);
    cr_expect_str_eq(fake_store_read("control/shutdown"), "");
    cr_expect_eq(fake_store.nr_commits, 1);
    cr_expect_eq(fake.exited, 1);
}

static unsigned hook_reason;

static void hook(unsigned reason)
{
    hook_reason = reason;
}

Test(shutdown, passes_the_reason_on, .init = connected)
{
    shutdown_set_hook(hook);
    start_drivers();
    fake_store_write("control/shutdown", "reboot");
    thread_sleep(1);
    cr_expect_eq(hook_reason, SHUTDOWN_reboot);
    cr_expect_eq(fake.shutdown, SHUTDOWN_reboot + 1);
}

Test(shutdown, refuses_to_suspend_and_lives_on, .init = connected)
{
    start_drivers();
    fake_store_write("control/shutdown", "suspend");
    thread_sleep(1);
    cr_expect_str_eq(fake_store_read("control/shutdown"), "");
    cr_expect_eq(fake.exited + (int)fake.shutdown, 0);
}
