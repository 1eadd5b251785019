/*
 * The block backend under a frontend that writes anything into its ring and its
 * pages: whatever it does, nothing of the host's is left borrowed once it is
 * disconnected, and a decent request works after it connects again.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ring/front.h>
#include <xen/io/blkif.h>

#include "host/backend/block.h"
#include "input.h"
#include "tests/unit/backend/fake_domain.h"

#define DISK_BYTES  (1 << 20)
#define LIST_PAGE   1 /* of indirect segments */
#define FIRST_PAGE  2
#define NR_PAGES    12
#define REF(i)      ((grant_ref_t)(8 + (i))) /* grants are given in this order */
#define MAX_ACTIONS 200

enum action {
    put_request,
    put_indirect,
    put_bytes,
    write_list,
    write_counter,
    flip_readonly,
    reconnect
};

static void make_disk(void)
{
    static char path[32];
    int fd = memfd_create("disk", 0);

    PROMISE(fd >= 0 && !ftruncate(fd, DISK_BYTES));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    fake_config.disks[0] =
        (struct disk_config){.target = path, .vdev = "xvda", .discard = true};
    fake_config.nr_disks = 1;
    fake_domain_create(false);
    PROMISE(!block_create_all(&fake_dom));
    PROMISE(fake_grant(0, false) == REF(0));
    PROMISE(fake_grant(LIST_PAGE, true) == REF(LIST_PAGE));
    for (unsigned i = FIRST_PAGE; i < NR_PAGES; i++)
        PROMISE(fake_grant(i, i % 4 == 0) == REF(i));
    fake_front_key("ring-ref", "8");
    fake_front_key("event-channel", "7");
}

/* (kind), bit 0: persistent grants; bit 1: slots as i386 lays them out. */
static void connect_again(struct ring_front *front, unsigned kind)
{
    if (fake_bus->connected)
        fake_disconnect();
    PROMISE(!fake_dom.grants.nr_pinned);
    for (unsigned i = 0; i < NR_PAGES; i++)
        fake_dom.grants.frames[0][REF(i)].flags &= (uint16_t)~GTF_readonly;
    fake_front_key("feature-persistent", kind & 1 ? "1" : NULL);
    fake_front_key("protocol", kind & 2 ? "x86_32-abi" : NULL);
    ring_front_init(front, fake_page(0), PAGE_SIZE,
                    sizeof(struct blkif_request));
    PROMISE(!fake_connect());
}

/* Mostly right, so that what is wrong gets further than the first check. */
static struct blkif_request request(struct input *input)
{
    struct blkif_request req;

    memset(&req, 0, sizeof req);
    req.operation = input_u8(input) % 8;
    req.nr_segments = input_u8(input) % 13;
    req.sector_number = input_u16(input) % (DISK_BYTES / 512 + 64);
    for (unsigned i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++) {
        uint8_t range = input_u8(input);

        req.seg[i].gref = REF(LIST_PAGE + input_u8(input) % NR_PAGES);
        req.seg[i].first_sect = range % 4;
        req.seg[i].last_sect = range % 8;
    }
    return req;
}

static struct blkif_request indirect(struct input *input)
{
    struct blkif_request_indirect req;
    struct blkif_request slot;

    memset(&req, 0, sizeof req);
    req.operation = BLKIF_OP_INDIRECT;
    req.indirect_op = input_u8(input) % 3;
    req.nr_segments = input_u16(input) % 260;
    req.sector_number = input_u16(input) % (DISK_BYTES / 512 + 64);
    req.indirect_grefs[0] = REF(input_u8(input) % (LIST_PAGE + 2));
    memset(&slot, 0, sizeof slot);
    memcpy(&slot, &req, sizeof req);
    return slot;
}

static void serve(struct ring_front *front)
{
    struct blkif_response rsp;

    ring_front_publish(front);
    fake_notify();
    wait_for(&fake_dom.wait, 0);
    while (ring_front_take(front, &rsp, sizeof rsp) == 1)
        ;
}

static void act(struct ring_front *front, struct input *input)
{
    struct blkif_request req;
    uint32_t *counters = fake_page(0);
    uint8_t what = input_u8(input);

    switch ((enum action)(what % (reconnect + 1))) {
    case put_request:
        req = request(input);
        ring_front_put(front, &req, sizeof req);
        break;
    case put_indirect:
        req = indirect(input);
        ring_front_put(front, &req, sizeof req);
        break;
    case put_bytes:
        input_take(input, &req, sizeof req);
        ring_front_put(front, &req, sizeof req);
        break;
    case write_list:
        input_take(input, fake_page(LIST_PAGE), 64);
        break;
    case write_counter:
        counters[input_u8(input) % 4] = input_u32(input);
        break;
    case flip_readonly:
        fake_dom.grants.frames[0][REF(input_u8(input) % NR_PAGES)].flags ^=
            GTF_readonly;
        break;
    case reconnect:
        connect_again(front, input_u8(input));
        break;
    }
    if (what & 0x80)
        serve(front);
}

/* After all that, an honest request is served. */
static void expect_service(struct ring_front *front)
{
    struct blkif_response rsp = {0};
    struct blkif_request req;

    connect_again(front, 0);
    memset(&req, 0, sizeof req);
    req.operation = BLKIF_OP_READ;
    req.nr_segments = 1;
    req.id = 42;
    req.seg[0].gref = REF(FIRST_PAGE);
    PROMISE(ring_front_put(front, &req, sizeof req));
    PROMISE(ring_front_publish(front));
    fake_notify();
    while (!ring_front_take(front, &rsp, sizeof rsp)) {
        ring_front_may_sleep(front);
        fake_sleep();
    }
    PROMISE(rsp.id == 42 && rsp.status == BLKIF_RSP_OKAY);
    fake_disconnect();
    PROMISE(!fake_dom.grants.nr_pinned);
    for (size_t i = 0; i < fake_dom.mem.nr_frames; i++)
        PROMISE(!fake_dom.mem.frames[i].refs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct ring_front front;

    if (!fake_dom.config)
        make_disk();
    for (unsigned i = 0; i < NR_PAGES; i++)
        memset(fake_page(i), 0, PAGE_SIZE);
    connect_again(&front, input_u8(&input));
    for (unsigned i = 0; i < MAX_ACTIONS && input_left(&input); i++)
        act(&front, &input);
    expect_service(&front);
    return 0;
}
