/*
 * A disk, by hand: its ring, its pages and its states, none of them as they
 * should be.
 */
#include "liar.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

#include <hypercall/calls.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>
#include <pvguest/store.h>

#define DISK    "device/vbd/51712"
#define SLOTS   32u
#define TRIES   100000
#define LOOKS   2000 /* states change in no time, but not in every run */
#define REF     100u /* and up: entries of the table used here */
#define SECTORS 8u   /* the disk's */

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

void ask_wrongly(const char *unused, uint32_t number)
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

void lie_to_disk(const char *which, uint32_t value)
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

void connect_wrongly(const char *key_and_value, uint32_t number)
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

void say_states(const char *states, uint32_t number)
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

void pull(const char *what, uint32_t number)
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
