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

#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/ring_page.h>
#include <pvguest/store.h>

#define DISK    "device/vbd/51712"
#define SLOTS   32u
#define TRIES   100000
#define LOOKS   2000 /* states change in no time, but not in every run */
#define REF     100u /* and up: entries of the table used here */
#define SECTORS 8u   /* the disk's */

/* On top of what the library prints: the rings may be broken already. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[160];
    va_list args;
    size_t len;

    va_start(args, format);
    len = guest_vformat(line, sizeof line, format, args);
    va_end(args);
    hypercall_console_write(line, len < sizeof line ? len : sizeof line - 1);
}

_Noreturn static void survived(void)
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

/* A disk, by hand. */

static blkif_sring_t *ring;
static grant_entry_v1_t *grants;
static uint8_t *data;
static evtchn_port_t port;
static uint32_t req_prod, rsp_cons;

static void lend(grant_ref_t ref, const void *page, uint16_t flags)
{
    grants[ref] =
        (grant_entry_v1_t){.domid = 0, .frame = (uint32_t)page_mfn(page)};
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    grants[ref].flags = flags;
}

static uint64_t backend_state(void)
{
    char path[100];
    uint64_t state = 0;

    if (store_read(STORE_NO_TX, DISK "/backend", path, 80) < 0)
        return 0;
    strcat(path, "/state");
    store_read_u64(STORE_NO_TX, path, &state);
    return state;
}

static bool wait_for_backend(uint64_t state)
{
    for (int i = 0; i < LOOKS; i++) {
        if (backend_state() == state)
            return true;
        hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    return false;
}

static void map_table(void)
{
    xen_pfn_t frames[1] = {0};
    int16_t status;

    if (hypercall_grant_setup_table(1, frames, &status) || status)
        guest_panic("no grant table");
    grants = page_map_frame(frames[0], true);
    ring = page_alloc_zeroed(1);
    data = page_alloc_zeroed(1);
}

/* Offer the ring, up to where the backend accepts or refuses it. */
static bool connect(void)
{
    memset(ring, 0, PAGE_SIZE);
    ring->req_event = ring->rsp_event = 1;
    req_prod = rsp_cons = 0;
    lend(REF, ring, GTF_permit_access);
    lend(REF + 1, data, GTF_permit_access);
    lend(REF + 2, data, GTF_permit_access | GTF_readonly);
    if (hypercall_evtchn_alloc_unbound(0, &port))
        return false;
    store_write(STORE_NO_TX, DISK "/state", "1");
    wait_for_backend(XenbusStateInitWait);
    store_printf(STORE_NO_TX, DISK "/ring-ref", "%u", REF);
    store_printf(STORE_NO_TX, DISK "/event-channel", "%u", port);
    store_write(STORE_NO_TX, DISK "/protocol", "x86_64-abi");
    store_write(STORE_NO_TX, DISK "/state", "3");
    if (!wait_for_backend(XenbusStateConnected))
        return false;
    store_write(STORE_NO_TX, DISK "/state", "4");
    return true;
}

static void push(const void *request)
{
    memcpy(&ring->ring[req_prod++ % SLOTS], request, sizeof *ring->ring);
    __atomic_store_n(&ring->req_prod, req_prod, __ATOMIC_SEQ_CST);
    hypercall_evtchn_send(port);
}

/* The answer to one request, or 99 if none comes. */
static int ask(const void *request)
{
    push(request);
    for (int i = 0; i < TRIES; i++) {
        if (__atomic_load_n(&ring->rsp_prod, __ATOMIC_SEQ_CST) != rsp_cons)
            return ring->ring[rsp_cons++ % SLOTS].rsp.status;
        hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    return 99;
}

static blkif_request_t a_read(void)
{
    return (blkif_request_t){.operation = BLKIF_OP_READ,
                             .nr_segments = 1,
                             .id = 7,
                             .seg = {{.gref = REF + 1, .last_sect = 7}}};
}

static bool disk_works(void)
{
    blkif_request_t request = a_read();

    memset(data, 0, PAGE_SIZE);
    return ask(&request) == 0 && data[0] == 'D' && data[PAGE_SIZE - 1] == 'D';
}

static void connect_first(void)
{
    map_table();
    if (!connect() || !disk_works()) {
        say("the disk does not work\n");
        guest_shutdown(SHUTDOWN_poweroff);
    }
}

/* Requests that are wrong one by one; each is answered, none is carried out. */
static void ask_wrongly(const char *unused, uint32_t number)
{
    blkif_request_t wrong[40];
    unsigned nr = 0, bad = 0;

    (void)unused;
    (void)number;
    connect_first();
#define WRONG(field, value)                                \
    do {                                                   \
        wrong[nr] = a_read();                              \
        wrong[nr++].field = (typeof(wrong->field))(value); \
    } while (0)
    WRONG(operation, 99);
    WRONG(operation, BLKIF_OP_INDIRECT);
    WRONG(nr_segments, 0);
    WRONG(nr_segments, 12);
    WRONG(nr_segments, 255);
    WRONG(sector_number, SECTORS - 7);
    WRONG(sector_number, SECTORS);
    WRONG(sector_number, UINT64_MAX);
    WRONG(sector_number, UINT64_MAX - 6);
    WRONG(sector_number, UINT64_MAX / 512);
    WRONG(sector_number, 1ull << 55);
    WRONG(seg[0].gref, REF + 2); /* lent to be read */
    WRONG(seg[0].gref, REF + 3); /* not lent */
    WRONG(seg[0].gref, 511);
    WRONG(seg[0].gref, 512);
    WRONG(seg[0].gref, 1u << 20);
    WRONG(seg[0].gref, UINT32_MAX);
    WRONG(seg[0].first_sect, 8);
    WRONG(seg[0].first_sect, 255);
    WRONG(seg[0].last_sect, 8);
    WRONG(seg[0].last_sect, 255);
    for (unsigned i = 0; i < nr; i++) {
        const int status = ask(&wrong[i]);

        if (status != BLKIF_RSP_ERROR && status != BLKIF_RSP_EOPNOTSUPP &&
            !(wrong[i].nr_segments == 0 && status == 0)) {
            say("request %u: status %d\n", i, status);
            bad++;
        }
    }
    wrong[0] = a_read();
    wrong[0].operation = BLKIF_OP_WRITE; /* the disk is read-only */
    bad += ask(&wrong[0]) != BLKIF_RSP_ERROR;
    say("wrong answers: %u\n", bad);
    say("works: %d\n", disk_works());
    survived();
}

/* Corrupt index (which) of the ring; see whether a new one can be had. */
static void lie_to_disk(const char *which, uint32_t value)
{
    connect_first();
    *(volatile uint32_t *)((uint32_t *)ring + atoi(which)) = value;
    for (int i = 0; i < 10; i++) {
        hypercall_evtchn_send(port);
        hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    say("state: %lu\n", backend_state());
    if (backend_state() != XenbusStateConnected) {
        store_write(STORE_NO_TX, DISK "/state", "6");
        wait_for_backend(XenbusStateClosed);
        say("works: %d\n", connect() && disk_works());
    }
    survived();
}

/* Connect with one key wrong. */
static void connect_wrongly(const char *key_and_value, uint32_t number)
{
    char key[64];
    char *value;

    (void)number;
    map_table();
    snprintf(key, sizeof key, DISK "/%s", key_and_value);
    value = strchr(key, '=');
    *value++ = '\0';
    lend(REF, ring, GTF_permit_access);
    if (hypercall_evtchn_alloc_unbound(0, &port))
        return;
    store_printf(STORE_NO_TX, DISK "/ring-ref", "%u", REF);
    store_printf(STORE_NO_TX, DISK "/event-channel", "%u", port);
    store_write(STORE_NO_TX, key, value);
    for (int i = 0; i < 20; i++)
        store_write(STORE_NO_TX, DISK "/state", i % 2 ? "1" : "3");
    say("state: %lu\n", backend_state());
    store_remove(STORE_NO_TX, key);
    say("works: %d\n", connect() && disk_works());
    survived();
}

static void say_states(const char *states, uint32_t number)
{
    connect_first();
    for (uint32_t i = 0; i < number; i++) {
        for (const char *s = states; *s; s++) {
            const char state[2] = {*s, '\0'};

            store_write(STORE_NO_TX, DISK "/state", state);
        }
    }
    say("state: %lu\n", backend_state());
    survived();
}

/* Take from under a connected disk what it stands on. */
static void pull(const char *what, uint32_t number)
{
    const blkif_request_t request = a_read();
    xen_pfn_t mfn;
    struct xen_memory_reservation op = {.nr_extents = 1, .domid = DOMID_SELF};

    (void)number;
    connect_first();
    mfn = page_mfn(ring);
    set_xen_guest_handle(op.extent_start, &mfn);
    if (strcmp(what, "port") == 0)
        hypercall_evtchn_close(port);
    else if (strcmp(what, "grant") == 0)
        memset((void *)grants, 0, PAGE_SIZE);
    else if (strcmp(what, "keys") == 0)
        store_remove(STORE_NO_TX, DISK);
    else if (strcmp(what, "page") == 0)
        say("decrease: %ld\n",
            hypercall_memory_op(XENMEM_decrease_reservation, &op));
    for (int i = 0; i < 100; i++) {
        push(&request);
        hypercall_sched_op(SCHEDOP_yield, NULL);
    }
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
