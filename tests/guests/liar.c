/*
 * A guest that lies to those it shares something with: the indices of its
 * rings, the pages it lends, the ports it knocks at. It says "survived" by
 * console_io, which needs no ring, and ends without a word to xenstore. What
 * the host made of it is looked at by tests/system/liars.py.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/ring_page.h>
#include <pvguest/store.h>

#include "liar.h"

void say(const char *format, ...)
{
    char line[160];
    va_list args;
    size_t len;

    va_start(args, format);
    len = guest_vformat(line, sizeof line, format, args);
    va_end(args);
    hypercall_console_write(line, len < sizeof line ? len : sizeof line - 1);
}

_Noreturn void survived(void)
{
    say("survived\n");
    guest_shutdown(SHUTDOWN_poweroff);
}

/* The byte rings. */

static void lie(uint32_t *index, uint32_t value, evtchn_port_t port)
{
    *(volatile uint32_t *)index = value;
    for (int i = 0; i < 10; i++) {
        hypercall_evtchn_send(port);
        hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    survived();
}

static void lie_to_console(const char *which, uint32_t value)
{
    struct xencons_interface *page = ring_page(RING_CONSOLE);
    uint32_t *const indices[] = {&page->in_cons, &page->in_prod,
                                 &page->out_cons, &page->out_prod};

    lie(indices[atoi(which)], value, ring_port(RING_CONSOLE));
}

static void lie_to_store(const char *which, uint32_t value)
{
    struct xenstore_domain_interface *page = ring_page(RING_STORE);
    uint32_t *const indices[] = {&page->req_cons,   &page->req_prod,
                                 &page->rsp_cons,   &page->rsp_prod,
                                 &page->connection, &page->error};

    lie(indices[atoi(which)], value, ring_port(RING_STORE));
}

/* A message whose header is (type, number, number, length). */
static void send_to_store(const char *type, uint32_t length)
{
    struct xenstore_domain_interface *page = ring_page(RING_STORE);
    const struct xsd_sockmsg header = {
        .type = (uint32_t)atoi(type), .tx_id = UINT32_MAX, .len = length};
    uint8_t bytes[XENSTORE_RING_SIZE];
    const uint32_t at = page->req_prod;

    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, &header, sizeof header);
    for (uint32_t i = 0; i < 512; i++)
        page->req[(at + i) % XENSTORE_RING_SIZE] = (char)bytes[i];
    lie(&page->req_prod, at + 512, ring_port(RING_STORE));
}

/* As much of everything as the store takes. */
static void fill_store(const char *unused, uint32_t number)
{
    char path[3000], value[1500];
    unsigned nr[4] = {0};
    uint32_t tx;

    (void)unused;
    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = '\0';
    while (nr[0] < number) {
        snprintf(path, sizeof path, "data/%u", nr[0]);
        if (store_write(STORE_NO_TX, path, value))
            break;
        nr[0]++;
    }
    strcpy(path, "data");
    while (strlen(path) < 2900 && !store_mkdir(STORE_NO_TX, path)) {
        strcat(path, "/d");
        nr[1]++;
    }
    while (nr[2] < number && store_tx_begin(&tx) == 0)
        nr[2]++;
    while (nr[3] < number) {
        struct store_watch *watch = calloc(1, sizeof *watch);

        if (!watch)
            break;
        watch->path = "data";
        if (store_watch(watch))
            break;
        nr[3]++;
    }
    say("nodes %u, levels %u, transactions %u, watches %u\n", nr[0], nr[1],
        nr[2], nr[3]);
    survived();
}

/* What is others'. */

static void write_others(const char *unused, uint32_t number)
{
    static const char *const paths[] = {
        "/local/domain/0/name",
        "/local/domain/1/name",
        "/local/domain/1/memory/target",
        "/local/domain/0/backend/vbd/1/51712/state",
        "/local/domain/0/backend/vbd/1/51712/sectors",
        "/vm",
        "/tool/x",
        "/",
        "domid",
        "",
        "//",
        "/local/domain/1/data/",
        "data/../name",
        "@introduceDomain",
    };
    unsigned written = 0;

    (void)unused;
    (void)number;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const int write = store_write(STORE_NO_TX, paths[i], "mine");
        const int removal = store_remove(STORE_NO_TX, paths[i]);

        if (!write || !removal) {
            say("%s: %d %d\n", paths[i], write, removal);
            written++;
        }
    }
    say("written: %u\n", written);
    survived();
}

static bool is_ours(uint32_t port, const uint32_t *ours, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        if (ours[i] == port)
            return true;
    return false;
}

/* Knock at, and try to take, every port but the two we were given. */
static void knock(const char *unused, uint32_t number)
{
    const uint32_t ours[] = {ring_port(RING_STORE), ring_port(RING_CONSOLE)};
    unsigned opened = 0;
    uint32_t port = 0;

    (void)unused;
    for (uint32_t i = 0; i < 5000; i++) {
        const uint32_t at = i < 4990 ? i : UINT32_MAX - (i - 4990);
        struct evtchn_status status = {.dom = DOMID_SELF, .port = at};
        struct evtchn_bind_vcpu bind = {.port = at, .vcpu = number};
        struct evtchn_unmask unmask = {.port = at};

        hypercall_event_channel_op(EVTCHNOP_status, &status);
        if (status.status != EVTCHNSTAT_closed || is_ours(at, ours, 2))
            continue;
        opened += hypercall_evtchn_send(at) == 0;
        opened += hypercall_evtchn_close(at) == 0;
        opened += hypercall_event_channel_op(EVTCHNOP_bind_vcpu, &bind) == 0;
        hypercall_event_channel_op(EVTCHNOP_unmask, &unmask);
    }
    for (uint32_t dom = 0; dom < 70000; dom += dom < 10 ? 1 : 4093)
        for (uint32_t at = 0; at < 100; at++)
            if (dom != 1)
                opened += hypercall_evtchn_bind_interdomain((domid_t)dom, at,
                                                            &port) == 0;
    for (uint32_t virq = 24; virq < 40; virq++)
        opened += hypercall_evtchn_bind_virq(virq, 0, &port) == 0;
    for (uint32_t vcpu = 1; vcpu < 200; vcpu++)
        opened += hypercall_evtchn_bind_virq(VIRQ_TIMER, vcpu, &port) == 0;
    say("opened: %u\n", opened);
    survived();
}

static void close_own_ports(const char *unused, uint32_t number)
{
    (void)unused;
    (void)number;
    for (uint32_t port = 0; port < 64; port++)
        hypercall_evtchn_close(port);
    for (uint32_t port = 0; port < 64; port++)
        hypercall_evtchn_send(port);
    survived();
}

/* Map, unmap and copy by references that nobody gave us. */
static void take_grants(const char *unused, uint32_t number)
{
    static const domid_t doms[] = {0,        1,         2,         DOMID_SELF,
                                   DOMID_IO, DOMID_XEN, DOMID_COW, 0x7fef};
    uint8_t *page = page_alloc_zeroed(1);
    unsigned taken = 0;

    (void)unused;
    for (size_t d = 0; d < sizeof doms / sizeof *doms; d++) {
        for (uint32_t i = 0; i < number; i++) {
            const grant_ref_t ref = i < 64 ? i : i * 2654435761u;
            struct gnttab_map_grant_ref map = {.host_addr = (uintptr_t)page,
                                               .flags = GNTMAP_host_map,
                                               .ref = ref,
                                               .dom = doms[d]};
            struct gnttab_unmap_grant_ref unmap = {.host_addr = (uintptr_t)page,
                                                   .handle = ref};
            struct gnttab_copy copy = {
                .source = {.u.ref = ref, .domid = doms[d]},
                .dest = {.u.gmfn = page_mfn(page), .domid = DOMID_SELF},
                .len = 4096,
                .flags = GNTCOPY_source_gref};

            hypercall_grant_table_op(GNTTABOP_map_grant_ref, &map, 1);
            hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
            hypercall_grant_table_op(GNTTABOP_copy, &copy, 1);
            taken += map.status == GNTST_okay;
            taken += unmap.status == GNTST_okay;
            taken += copy.status == GNTST_okay;
        }
    }
    say("taken: %u\n", taken);
    survived();
}

static const struct {
    const char *name;
    void (*run)(const char *arg, uint32_t number);
} ways[] = {
    {"console", lie_to_console},
    {"store", lie_to_store},
    {"message", send_to_store},
    {"fill-store", fill_store},
    {"write-others", write_others},
    {"knock", knock},
    {"close-own-ports", close_own_ports},
    {"take-grants", take_grants},
    {"ask-wrongly", ask_wrongly},
    {"disk", lie_to_disk},
    {"connect-wrongly", connect_wrongly},
    {"states", say_states},
    {"pull", pull},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 3 && i < sizeof ways / sizeof *ways; i++)
        if (strcmp(argv[1], ways[i].name) == 0)
            ways[i].run(argv[2], (uint32_t)strtoul(argv[3], NULL, 0));
    say("no such way\n");
    return 99;
}
