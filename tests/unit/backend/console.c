/*
 * host/backend/console.h: nothing is lost between two rings and two pipes.
 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <ring/bytes.h>
#include <xen/io/console.h>

#include "fake_domain.h"
#include "host/backend/console.h"

#define RING_PAGE 3
#define PIPE_SIZE (4 * 4096)

static int to_stdin, from_stdout; /* the user's ends */
static int old_stdin, old_stdout;
static struct ring_bytes out, in; /* the guest's ends */
static struct xencons_interface *ring;

static void become_console(void)
{
    int fds[2];

    signal(SIGPIPE, SIG_IGN);
    old_stdin = dup(STDIN_FILENO);
    old_stdout = dup(STDOUT_FILENO);
    cr_assert_eq(pipe(fds), 0);
    dup2(fds[0], STDIN_FILENO);
    close(fds[0]);
    to_stdin = fds[1];
    cr_assert_eq(pipe(fds), 0);
    dup2(fds[1], STDOUT_FILENO);
    close(fds[1]);
    from_stdout = fds[0];
    fcntl(from_stdout, F_SETFL, O_NONBLOCK);
    fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_SIZE);

    fake_domain_create(false);
    ring = fake_page(RING_PAGE);
    cr_assert_eq(console_create(&fake_dom, ring, FAKE_PORT), 0);
    ring_bytes_attach_producer(&out, ring->out, sizeof ring->out,
                               &ring->out_prod, &ring->out_cons);
    ring_bytes_attach_consumer(&in, ring->in, sizeof ring->in, &ring->in_prod,
                               &ring->in_cons);
}

static void end_console(void)
{
    console_destroy(&fake_dom);
    fake_domain_destroy();
    dup2(old_stdin, STDIN_FILENO);
    dup2(old_stdout, STDOUT_FILENO);
}

TestSuite(console, .init = become_console, .fini = end_console);

static size_t printed(char *buf, size_t size)
{
    ssize_t n = read(from_stdout, buf, size);

    return n < 0 ? 0 : (size_t)n;
}

static void expect_printed(const char *text)
{
    char buf[4096];
    size_t len = printed(buf, sizeof buf);

    cr_expect_eq(len, strlen(text));
    cr_expect(!memcmp(buf, text, len), "'%.*s'", (int)len, buf);
}

static void guest_prints(const char *text)
{
    cr_assert_eq(ring_bytes_write(&out, text, strlen(text)),
                 (ssize_t)strlen(text));
}

static void type(const char *text)
{
    cr_assert_eq(write(to_stdin, text, strlen(text)), (ssize_t)strlen(text));
}

Test(console, prints_what_the_guest_wrote_and_tells_it)
{
    guest_prints("hello\n");
    fake_notify();
    expect_printed("hello\n");
    cr_expect_eq(fake_raised, 1);
    cr_expect_eq(ring->out_cons, 6);
}

Test(console, stays_quiet_when_there_is_nothing)
{
    fake_notify();
    expect_printed("");
    cr_expect_eq(fake_raised, 0);
}

/* Given: no text; every byte value must arrive as it is. */
Test(console, passes_bytes_unchanged)
{
    char all[256], got[512];

    for (unsigned i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    ring_bytes_write(&out, all, sizeof all);
    fake_notify();
    cr_expect_eq(printed(got, sizeof got), sizeof all);
    cr_expect_arr_eq(got, all, sizeof all);
}

/*
 * Given a reader of stdout that does not read,
 * when the guest prints more than the pipe holds,
 * then its ring gets full instead of the host waiting, and later all arrives.
 */
Test(console, loses_nothing_to_a_slow_reader)
{
    uint8_t sent = 0, expected = 0;
    size_t total = 0, got = 0;
    char buf[4096];

    for (int rounds = 0; rounds < 50; rounds++) {
        while (ring_bytes_room(&out) > 0) {
            ring_bytes_write(&out, &sent, 1);
            sent++;
            total++;
        }
        fake_notify();
    }
    cr_expect_eq(ring_bytes_room(&out), 0, "the guest should see a full ring");
    cr_expect_leq(total, PIPE_SIZE + 2 * sizeof ring->out);

    while (got < total) {
        size_t n = printed(buf, sizeof buf);

        for (size_t i = 0; i < n; i++)
            cr_assert_eq((uint8_t)buf[i], expected++, "byte %zu", got + i);
        got += n;
        if (!n)
            fake_sleep(); /* stdout has room again */
    }
    cr_expect_eq(ring_bytes_room(&out), sizeof ring->out);
    expect_printed("");
}

Test(console, keeps_hypercall_output_in_order_with_the_ring)
{
    guest_prints("one ");
    console_write(&fake_dom, "two ", 4);
    guest_prints("three");
    fake_notify();
    expect_printed("one two three");
}

Test(console, drains_the_ring_at_the_end)
{
    guest_prints("last words\n");
    console_drain(fake_dom.console);
    expect_printed("last words\n");
}

/* Nobody reads, but the user has told the domain to end: we must get out. */
Test(console, does_not_wait_for_ever_for_a_user_who_wants_to_leave)
{
    char much[2048] = {0};

    for (int i = 0; i < 8; i++) {
        ring_bytes_write(&out, much, sizeof much);
        fake_notify();
    }
    fake_dom.end = DOMAIN_DESTROYED;
    fake_dom.end_signal = SIGINT;
    console_drain(fake_dom.console);
    console_write(&fake_dom, "x", 1);
}

Test(console, hands_typed_bytes_to_the_guest)
{
    char buf[16];

    type("date\n");
    fake_sleep();
    cr_expect_eq(fake_raised, 1);
    cr_expect_eq(ring_bytes_read(&in, buf, sizeof buf), 5);
    cr_expect(!memcmp(buf, "date\n", 5));
}

/* The key that leaves a terminal is a byte like others in a pipe. */
Test(console, knows_no_special_byte_without_a_terminal)
{
    type("\x1d");
    fake_sleep();
    cr_expect_eq(fake_dom.end, DOMAIN_RUNS);
    cr_expect_eq(ring_bytes_pending(&in), 1);
}

/*
 * Given a guest that does not read its input,
 * when more is typed than its ring holds,
 * then the rest stays in stdin until the guest makes room and says so.
 */
Test(console, reads_stdin_only_when_the_guest_has_room)
{
    size_t total = 0;
    char buf[4096];

    memset(buf, 'x', sizeof buf);
    cr_assert_eq(write(to_stdin, buf, 3000), 3000);
    fake_sleep();
    cr_expect_eq(ring_bytes_pending(&in), sizeof ring->in);
    cr_expect_eq(wait_for(&fake_dom.wait, 0), 0, "nothing to do until then");

    while (total < 3000) {
        total += (size_t)ring_bytes_read(&in, buf, sizeof buf);
        fake_notify();
        wait_for(&fake_dom.wait, 0);
    }
    cr_expect_eq(total, 3000);
}

Test(console, goes_on_without_input_after_its_end)
{
    close(to_stdin);
    fake_sleep();
    cr_expect_eq(wait_for(&fake_dom.wait, 0), 0, "it must not spin");
    cr_expect_eq(fake_dom.end, DOMAIN_RUNS);
    guest_prints("still here");
    fake_notify();
    expect_printed("still here");
}

Test(console, ends_the_domain_when_the_reader_of_stdout_is_gone)
{
    close(from_stdout);
    guest_prints("anyone?");
    fake_notify();
    cr_expect_eq(fake_dom.end, DOMAIN_HOST_TROUBLE);
    guest_prints("and then?"); /* dropped, but the guest is not stuck */
    fake_notify();
    cr_expect_eq(ring_bytes_room(&out), sizeof ring->out);
}

Test(console, survives_an_output_ring_that_lies)
{
    ring->out_prod = ring->out_cons + sizeof ring->out + 1;
    fake_notify();
    cr_expect_not(fake_bound);
    cr_expect_eq(fake_dom.end, DOMAIN_RUNS);
    expect_printed("");
    console_write(&fake_dom, "emergency", 9); /* does not need the ring */
    expect_printed("emergency");
}

Test(console, survives_an_input_ring_that_lies)
{
    ring->in_cons = ring->in_prod + 1;
    type("x");
    fake_sleep();
    cr_expect_not(fake_bound);
    cr_expect_eq(fake_dom.end, DOMAIN_RUNS);
    cr_expect_eq(wait_for(&fake_dom.wait, 0), 0);
}

Test(console, survives_a_guest_that_closes_its_port)
{
    fake_close_port();
    type("x"); /* must not be announced on a port that is not ours */
    fake_sleep();
    guest_prints("unannounced");
    console_drain(fake_dom.console);
    expect_printed("unannounced");
}
