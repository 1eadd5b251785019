#include "fake_block.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "fake_store.h"

#define NR_KEPT 4096

struct fake_block fake_block;

static grant_ref_t ring_refs[16], kept[NR_KEPT];
static unsigned nr_ring_refs, nr_kept;
static evtchn_port_t port;
static void *ring_page;

static void back_write(const char *key, unsigned value)
{
    char path[128], text[16];

    snprintf(path, sizeof path, FAKE_BACK "/%s", key);
    snprintf(text, sizeof text, "%u", value);
    fake_store_write(path, text);
}

static unsigned front_read(const char *key)
{
    char path[128];
    const char *value;

    snprintf(path, sizeof path, FAKE_FRONT "/%s", key);
    value = fake_store_read(path);
    return value ? (unsigned)atoi(value) : 0;
}

void fake_block_let_go(void)
{
    while (nr_kept)
        fake_unmap(kept[--nr_kept]);
}

void fake_block_respond(uint64_t id, uint8_t operation, int status)
{
    struct blkif_response rsp;

    memset(&rsp, 0, sizeof rsp);
    rsp.id = id;
    rsp.operation = operation;
    rsp.status = (int16_t)status;
    ring_back_put(&fake_block.ring, &rsp, sizeof rsp);
}

static void transfer(uint8_t op, uint64_t sector,
                     const struct blkif_request_segment *segments, unsigned nr)
{
    if (nr > fake_block.nr_segments_max)
        fake_block.nr_segments_max = nr;
    for (unsigned i = 0; i < nr; i++) {
        unsigned n = segments[i].last_sect - segments[i].first_sect + 1;
        char *page = fake_map(segments[i].gref,
                              op == BLKIF_OP_READ || fake_block.persistent);
        uint8_t *disk = fake_block.disk + sector * 512;

        cr_assert(page && segments[i].last_sect < 8, "a segment not lent");
        page += segments[i].first_sect * 512;
        if (op == BLKIF_OP_READ)
            memcpy(page, disk, n * 512);
        else
            memcpy(disk, page, n * 512);
        sector += n;
        if (fake_block.keep)
            kept[nr_kept++] = segments[i].gref;
        else
            fake_unmap(segments[i].gref);
    }
}

static void serve(const struct blkif_request *req)
{
    const struct blkif_request_indirect *ind = (const void *)req;
    struct blkif_request_segment *list;

    fake_block.nr_requests++;
    fake_block.nr_ops[req->operation & 7]++;
    fake_block.last_id = req->id;
    if (req->operation == BLKIF_OP_INDIRECT) {
        cr_assert_leq(ind->nr_segments, fake_block.indirect);
        list = fake_map(ind->indirect_grefs[0], fake_block.persistent);
        cr_assert(list, "indirect segments not lent");
        fake_block.last_id = ind->id;
        if (!fake_block.deaf)
            transfer(ind->indirect_op, ind->sector_number, list,
                     ind->nr_segments);
        fake_unmap(ind->indirect_grefs[0]);
    } else if (req->operation <= BLKIF_OP_WRITE && !fake_block.deaf) {
        transfer(req->operation, req->sector_number, req->seg,
                 req->nr_segments);
    }
    if (!fake_block.deaf)
        fake_block_respond(fake_block.last_id, req->operation,
                           fake_block.status);
}

bool fake_block_run(void)
{
    struct blkif_request req;
    bool any = false;

    if (!fake_block.connected)
        return false;
    do {
        while (ring_back_take(&fake_block.ring, &req, sizeof req) > 0) {
            any = true;
            serve(&req);
        }
        if (ring_back_publish(&fake_block.ring))
            fake_raise(port);
    } while (!ring_back_may_sleep(&fake_block.ring));
    return any;
}

static void notified(void)
{
    fake_block.nr_notified++;
    if (!fake_block.late)
        fake_block_run();
}

static void connect(void)
{
    unsigned order = front_read("ring-page-order");
    char key[32];

    if (fake_block.refuse) {
        fake_block.nr_connects++;
        back_write("state", 5);
        return;
    }
    cr_assert_leq(order, fake_block.order);
    cr_assert_str_eq(fake_store_read(FAKE_FRONT "/protocol"), "x86_64-abi");
    for (nr_ring_refs = 0; nr_ring_refs < 1u << order; nr_ring_refs++) {
        snprintf(key, sizeof key, order ? "ring-ref%u" : "ring-ref",
                 nr_ring_refs);
        ring_refs[nr_ring_refs] = front_read(key);
        void *page = fake_map(ring_refs[nr_ring_refs], true);
        cr_assert(page, "%s not lent", key);
        if (!nr_ring_refs)
            ring_page = page;
    }
    ring_back_attach(&fake_block.ring, ring_page, 4096u << order,
                     sizeof(union blkif_sring_entry));
    port = front_read("event-channel");
    fake_on_send(port, notified);
    fake_block.connected = true;
    fake_block.nr_connects++;
    back_write("sectors", FAKE_DISK_SECTORS);
    back_write("info", fake_block.readonly ? VDISK_READONLY : 0);
    if (fake_block.sector_size)
        back_write("sector-size", fake_block.sector_size);
    back_write("state", 4);
}

static void disconnect(void)
{
    if (!fake_block.connected)
        return;
    fake_block.connected = false;
    fake_block_let_go();
    while (nr_ring_refs)
        fake_unmap(ring_refs[--nr_ring_refs]);
}

void fake_block_leave(void)
{
    back_write("state", 5);
}

static void front_wrote(const char *path, const char *value)
{
    int state = atoi(value);

    if (strcmp(path, FAKE_FRONT "/state") != 0)
        return;
    if (state == 3)
        connect();
    if (state == 5 && fake_block.connected)
        back_write("state", 5);
    if (state == 6) {
        disconnect();
        back_write("state", 6);
        if (fake_block.vanish)
            back_write("online", 0);
    }
    if (state == 1 && !fake_block.vanish)
        back_write("state", 2);
}

static bool world(void)
{
    bool any = fake_store_run();

    return fake_block_run() || any;
}

void fake_block_init(void)
{
    memset(&fake_block, 0, sizeof fake_block);
    for (size_t i = 0; i < sizeof fake_block.disk; i++)
        fake_block.disk[i] = (uint8_t)(i / 512 * 7 + i);
    nr_kept = nr_ring_refs = 0;
    fake.world = world;
}

void fake_block_start(void)
{
    fake_store_write(FAKE_FRONT "/backend", FAKE_BACK);
    fake_store_write(FAKE_FRONT "/backend-id", "0");
    fake_store_write(FAKE_FRONT "/state", "1");
    back_write("online", 1);
    back_write("max-ring-page-order", fake_block.order);
    back_write("feature-max-indirect-segments", fake_block.indirect);
    back_write("feature-flush-cache", !fake_block.no_flush);
    back_write("feature-discard", 1);
    back_write("feature-persistent", fake_block.persistent);
    fake_store.wrote = front_wrote;
    back_write("state", 2);
}
