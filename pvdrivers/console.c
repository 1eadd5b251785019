/*
 * pvdrivers/console.c: the primary console: two byte streams in the page that
 * the builder shared (xen/io/console.h).
 *
 * Output is never dropped while somebody may still read it: a writer waits for
 * room. What nobody takes for seconds is given up where waiting would keep the
 * guest from going on: outside of threads, and at the last flush.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/io/console.h>

#include <hypercall/calls.h>
#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/ring_page.h>
#include <pvguest/thread.h>
#include <ring/bytes.h>

#define PATIENCE_NS 3000000000ull /* for a peer that takes nothing at all */

static struct {
    evtchn_port_t port;
    struct ring_bytes out, in;
    struct wait_queue changed;
} console;

static void console_event(evtchn_port_t port, void *context)
{
    (void)port;
    (void)context;
    thread_wake_all(&console.changed);
}

/* Let time pass until the peer did something or (deadline_ns). */
static void console_wait(uint64_t deadline_ns)
{
    struct sched_poll poll = {.nr_ports = 1, .timeout = deadline_ns};

    if (thread_may_wait()) {
        thread_wait(&console.changed, deadline_ns);
        return;
    }
    set_xen_guest_handle(poll.ports, &console.port);
    hypercall_sched_op(SCHEDOP_poll, &poll);
}

static void console_write(const char *bytes, size_t len)
{
    uint64_t patience = UINT64_MAX;

    while (len) {
        ssize_t n = ring_bytes_write(&console.out, bytes, len);

        if (n < 0)
            return; /* indices broken: no console any more */
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
            patience = UINT64_MAX;
            event_send(console.port);
            continue;
        }
        if (!thread_may_wait() && patience == UINT64_MAX)
            patience = clock_system_ns() + PATIENCE_NS;
        else if (clock_system_ns() >= patience)
            return;
        console_wait(patience);
    }
}

static void console_flush(void)
{
    ssize_t room = ring_bytes_room(&console.out);
    uint64_t patience = UINT64_MAX;

    while (room >= 0 && room < (ssize_t)console.out.size) {
        ssize_t before = room;

        if (patience == UINT64_MAX)
            patience = clock_system_ns() + PATIENCE_NS;
        else if (clock_system_ns() >= patience)
            return;
        event_send(console.port);
        room = ring_bytes_room(&console.out);
        if (room == before) {
            console_wait(patience);
            room = ring_bytes_room(&console.out);
        }
        if (room != before)
            patience = UINT64_MAX; /* slow is not absent */
    }
}

static long console_read(char *bytes, size_t len)
{
    ssize_t n;

    while (!(n = ring_bytes_read(&console.in, bytes, len)) && len)
        thread_wait(&console.changed, UINT64_MAX);
    if (n < 0)
        return -EIO;
    if (n > 0)
        event_send(console.port); /* there is room again */
    return n;
}

static const struct guest_console console_ops = {
    .write = console_write,
    .flush = console_flush,
    .read = console_read,
};

static int console_start(void)
{
    struct xencons_interface *page;
    int rc;

    if (!ring_port(RING_CONSOLE))
        return 0;
    page = ring_page(RING_CONSOLE);
    if (!page)
        return -ENOMEM;

    ring_bytes_attach_producer(&console.out, page->out, sizeof page->out,
                               &page->out_prod, &page->out_cons);
    ring_bytes_attach_consumer(&console.in, page->in, sizeof page->in,
                               &page->in_prod, &page->in_cons);
    console.port = ring_port(RING_CONSOLE);
    rc = event_handle(console.port, console_event, NULL);
    if (rc)
        return rc;
    guest_set_console(&console_ops);
    return 0;
}
GUEST_DRIVER(console_start);
