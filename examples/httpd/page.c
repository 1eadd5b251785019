/* httpd/page.c: what the domain knows of itself, as HTML. */
#include "page.h"

#include <stdarg.h>
#include <stdio.h>

#include "archive.h"
#include "http.h"
#include <pvdrivers/ip.h>
#include <pvdrivers/net.h>
#include <pvguest/clock.h>
#include <pvguest/event.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>

struct text {
    char *at;
    size_t left;
};

static void add(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text->at, text->left, format, args);
    va_end(args);
    if ((size_t)len >= text->left)
        len = (int)text->left - 1;
    text->at += len;
    text->left -= (size_t)len;
}

static void add_number(struct text *text, const char *what, uint64_t number)
{
    add(text, "<tr><td>%s</td><td>%llu</td></tr>\n", what,
        (unsigned long long)number);
}

static void add_network(struct text *text)
{
    struct net_counters net;

    if (!ip_device())
        return;
    net_get_counters(ip_device(), &net);
    add_number(text, "frames received", net.received_frames);
    add_number(text, "frames sent", net.sent_frames);
    add_number(text, "queues", net.queues);
    add_number(text, "the network's backend was notified", net.notified);
    add_number(text, "it notified us", net.events);
    add(text,
        "<tr><td>transmit ring</td><td>%u of %u slots in use</td></tr>\n"
        "<tr><td>receive ring</td><td>%u of %u buffers posted</td></tr>\n",
        net.sending, net.slots, net.posted, net.slots);
}

size_t page_write(char *page, size_t size, const struct page_counters *counters)
{
    struct text text = {page, size};
    struct event_counters events;
    char address[64] = "";

    ip_address(address, sizeof address);
    event_get_counters(&events);
    add(&text,
        "<!DOCTYPE html>\n"
        "<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>A Paravane unikernel</title></head>\n"
        "<body><h1>A Paravane unikernel</h1>\n"
        "<p>This page comes from a machine that is nothing but a web server: "
        "no kernel below, no shell beside.</p>\n"
        "<table>\n"
        "<tr><td>address</td><td>%s</td></tr>\n"
        "<tr><td>runs as</td><td>%s</td></tr>\n"
        "<tr><td>up for</td><td>%llu ms</td></tr>\n",
        address, guest_is_pvh() ? "PVH" : "PV",
        (unsigned long long)clock_system_ns() / 1000000);
    add_number(&text, "requests", counters->requests);
    add(&text, "<tr><td>visitors</td><td>%lu, now %lu</td></tr>\n",
        counters->visits, counters->now);
    add(&text, "<tr><td>memory free</td><td>%zu KiB</td></tr>\n",
        page_nr_free() * 4);
    add_number(&text, "events handled", events.delivered);
    add_number(&text, "hypercalls to notify others", events.sent);
    add_number(&text, "hypercalls to sleep", events.sleeps);
    add_network(&text);
    add_number(&text, "reads from the disk", archive_nr_reads());
    add_number(&text, "of them under way", archive_nr_pending());
    add(&text, "</table></body></html>\n");
    return size - text.left;
}

size_t page_write_error(char *page, size_t size, int status)
{
    struct text text = {page, size};

    add(&text,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><title>%d</title></head>"
        "<body><h1>%d %s</h1></body></html>\n",
        status, status, http_reason(status));
    return size - text.left;
}
