/*
 * host/backend/console.c: rings on one side, stdin and stdout on the other.
 *
 * stdout may be shared with a shell, so it is never made non-blocking: poll()
 * says whether it takes anything, and a piece small enough is then written. A
 * piece once taken from the ring waits in (out); only when that is empty is
 * the next one taken, so that a full stdout shows as a full ring.
 */
#include "host/backend/console.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ring/bytes.h>
#include <xen/io/console.h>

#include "host/backend/terminal.h"
#include "host/domain.h"
#include "host/log.h"
#include "host/port.h"
#include "host/wait.h"

/* A pipe that polls writable takes this much without blocking (PIPE_BUF). */
#define OUT_MAX 4096

/* Tries, and their length, for a full stdout once the user wants to leave. */
#define PATIENCE    10
#define PATIENCE_NS 100000000u

struct console {
    struct domain *dom;
    uint32_t port; /* 0: the guest closed it */
    struct ring_bytes out_ring, in_ring;
    bool broken; /* the guest's indices lied: the rings are not served */

    struct wait_source *stdin_source;  /* NULL: at its end */
    struct wait_source *stdout_source; /* NULL: not waited for */
    bool raw;
    bool out_gone; /* stdout failed: output is dropped */

    unsigned patience;        /* how often we still wait for a full stdout */
    size_t out_len, out_done; /* of (out): filled, and written */
    uint8_t out[OUT_MAX];
};

static void console_stdout_ready(void *context, short revents);

static void console_break(struct console *console, const char *ring)
{
    log_error("console: the guest's %s ring claims more bytes than it has; "
              "its console is disconnected, the guest goes on",
              ring);
    console->broken = true;
    port_unbind_backend(console->dom, console->port);
    if (console->stdin_source)
        wait_remove(&console->dom->wait, console->stdin_source);
    console->stdin_source = NULL;
}

static void console_lose_stdout(struct console *console, int error)
{
    log_error("stdout: %s; the guest's console has nowhere to go, the domain "
              "is ended: keep the reader open, or send the output to a file",
              strerror(error));
    console->out_gone = true;
    domain_end(console->dom, DOMAIN_HOST_TROUBLE);
}

/* Does stdout take something, or have an error to report? */
static bool stdout_takes(int timeout_ms)
{
    struct pollfd poll_stdout = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&poll_stdout, 1, timeout_ms) > 0;
}

/* Write from (out) until it is empty or stdout is full: true when empty. */
static bool console_flush(struct console *console)
{
    while (!console->out_gone && console->out_done < console->out_len) {
        ssize_t n;

        if (!stdout_takes(0))
            return false;
        n = write(STDOUT_FILENO, console->out + console->out_done,
                  console->out_len - console->out_done);
        if (n >= 0)
            console->out_done += (size_t)n;
        else if (errno == EAGAIN)
            return false;
        else if (errno != EINTR)
            console_lose_stdout(console, errno);
    }
    console->out_len = console->out_done = 0;
    return true;
}

/* Wait for stdout while it is full, and only then. */
static void console_watch_stdout(struct console *console)
{
    struct wait_set *set = &console->dom->wait;
    bool full = console->out_len > 0;

    if (full && !console->stdout_source) {
        console->stdout_source = wait_add(set, STDOUT_FILENO, POLLOUT,
                                          console_stdout_ready, console);
    } else if (!full && console->stdout_source) {
        wait_remove(set, console->stdout_source);
        console->stdout_source = NULL;
    }
}

/* Ring to stdout as far as it goes: true if the guest got room. */
static bool console_take_output(struct console *console)
{
    bool took = false;

    while (console_flush(console) && !console->broken) {
        ssize_t n = ring_bytes_read(&console->out_ring, console->out, OUT_MAX);

        if (n < 0)
            console_break(console, "output");
        if (n <= 0)
            break;
        console->out_len = (size_t)n;
        took = true;
    }
    return took;
}

/* Read stdin only when the guest's ring has room for what may come. */
static void console_watch_stdin(struct console *console)
{
    ssize_t room;

    if (!console->stdin_source || console->broken)
        return;
    room = ring_bytes_room(&console->in_ring);
    if (room < 0)
        console_break(console, "input");
    else
        console->stdin_source->events = room > 0 ? POLLIN : 0;
}

/* The guest's signal: it produced output, or consumed input, or both. */
static void console_notified(void *context)
{
    struct console *console = context;

    if (console_take_output(console))
        port_raise(console->dom, console->port);
    console_watch_stdout(console);
    console_watch_stdin(console);
}

/* The number may be another's soon; the rings are still served. */
static void console_port_closed(void *context)
{
    struct console *console = context;

    console->port = 0;
}

static void console_stdout_ready(void *context, short revents)
{
    (void)revents; /* an error shows when writing */
    console_notified(context);
}

/* The user typed (bytes): true if that means to leave. */
static bool console_wants_to_leave(struct console *console,
                                   const uint8_t *bytes, size_t len)
{
    if (!console->raw || !memchr(bytes, TERMINAL_LEAVE, len))
        return false;
    console->dom->end_signal = SIGINT;
    domain_end(console->dom, DOMAIN_DESTROYED);
    return true;
}

static void console_stdin_ready(void *context, short revents)
{
    struct console *console = context;
    uint8_t bytes[sizeof((struct xencons_interface *)0)->in];
    ssize_t room, n;

    (void)revents; /* an end or error shows when reading */
    room = ring_bytes_room(&console->in_ring);
    if (room <= 0) {
        console_watch_stdin(console);
        return;
    }
    n = read(STDIN_FILENO, bytes, (size_t)room);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        wait_remove(&console->dom->wait, console->stdin_source);
        console->stdin_source = NULL;
        return;
    }
    if (console_wants_to_leave(console, bytes, (size_t)n))
        return;
    if (ring_bytes_write(&console->in_ring, bytes, (size_t)n) < 0) {
        console_break(console, "input");
        return;
    }
    port_raise(console->dom, console->port);
    console_watch_stdin(console);
}

static void console_attach(struct console *console,
                           struct xencons_interface *ring)
{
    ring_bytes_attach_consumer(&console->out_ring, ring->out, sizeof ring->out,
                               &ring->out_prod, &ring->out_cons);
    ring_bytes_attach_producer(&console->in_ring, ring->in, sizeof ring->in,
                               &ring->in_prod, &ring->in_cons);
}

int console_create(struct domain *dom, void *ring_page, uint32_t port)
{
    struct console *console = calloc(1, sizeof *console);
    int rc;

    if (!console) {
        log_error("console: no memory");
        return -ENOMEM;
    }
    console->dom = dom;
    console->port = port;
    console->patience = PATIENCE;
    console_attach(console, ring_page);
    rc = port_bind_backend(dom, port, BACKEND_ID, console_notified,
                           console_port_closed, console);
    if (rc) {
        log_error("console: port %u cannot be bound (%s): it must be unbound "
                  "and reserved for domain %u",
                  port, strerror(-rc), BACKEND_ID);
        goto fail_free;
    }
    console->stdin_source = wait_add(&dom->wait, STDIN_FILENO, POLLIN,
                                     console_stdin_ready, console);
    if (!console->stdin_source) {
        log_error("console: no room to wait for stdin: use fewer devices");
        rc = -ENOSPC;
        goto fail_unbind;
    }
    console->raw = terminal_make_raw();
    dom->console = console;
    return 0;

fail_unbind:
    port_unbind_backend(dom, port);
fail_free:
    free(console);
    return rc;
}

/*
 * Write (out) to its end. While stdout is full, serve what else the domain
 * waits for, the user's signals among it: they decide how long we try.
 */
static void console_settle(struct console *console)
{
    struct domain *dom = console->dom;

    while (!console_flush(console)) {
        if (dom->end != DOMAIN_RUNS && dom->end_signal) {
            if (!console->patience)
                return;
            console->patience--;
        }
        console_watch_stdout(console);
        if (!console->stdout_source || wait_for(&dom->wait, PATIENCE_NS) < 0)
            stdout_takes(PATIENCE_NS / 1000000);
    }
}

void console_drain(struct console *console)
{
    if (!console)
        return;
    do {
        console_settle(console);
    } while (console_take_output(console));
    console_settle(console);
    console_watch_stdout(console);
}

void console_write(struct domain *dom, const char *bytes, size_t len)
{
    struct console *console = dom->console;

    if (!console)
        return;
    console_drain(console);
    while (len > 0 && !console->out_gone && console->out_len < OUT_MAX) {
        size_t room = OUT_MAX - console->out_len;
        size_t n = len < room ? len : room;

        memcpy(console->out + console->out_len, bytes, n);
        console->out_len += n;
        bytes += n;
        len -= n;
        console_settle(console);
    }
    console_watch_stdout(console);
}

void console_destroy(struct domain *dom)
{
    struct console *console = dom->console;

    if (!console)
        return;
    if (console->stdin_source)
        wait_remove(&dom->wait, console->stdin_source);
    if (console->stdout_source)
        wait_remove(&dom->wait, console->stdout_source);
    if (!console->broken)
        port_unbind_backend(dom, console->port);
    console_restore_terminal();
    dom->console = NULL;
    free(console);
}
