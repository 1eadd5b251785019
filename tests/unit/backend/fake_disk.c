#include "fake_disk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/backend/block.h"

#define SECTOR 512

/* xen/io/blkif.h, compiled for i386: no hole before the id. */
#define NARROW_SLOT 108
#define NARROW_RSP  12

char disk_path[64];
int disk_fd;
struct disk_config *disk = &fake_config.disks[0];
struct ring_front disk_ring;

/* The frontend sees its ring in one piece; we have it in pages. */
static bool narrow;
static uint8_t *ring_image;
static unsigned nr_ring_pages;
static void *ring_pages[16];
static grant_ref_t ring_refs[16];

uint8_t disk_byte(uint64_t sector)
{
    return (uint8_t)(sector * 7 + sector / 256 + 1);
}

void disk_make(void)
{
    uint8_t sector[SECTOR];

    strcpy(disk_path, "/tmp/paravane-disk-XXXXXX");
    disk_fd = mkstemp(disk_path);
    cr_assert_geq(disk_fd, 0);
    for (unsigned i = 0; i < DISK_SECTORS; i++) {
        memset(sector, disk_byte(i), SECTOR);
        cr_assert_eq(write(disk_fd, sector, SECTOR), SECTOR);
    }
    *disk = (struct disk_config){.target = disk_path, .vdev = "xvda"};
    disk->virtual_device = 51712;
    disk->discard = true;
    fake_config.nr_disks = 1;
    fake_domain_create(false);
}

void disk_open(void)
{
    cr_assert_eq(block_create_all(&fake_dom), 0);
    cr_assert(fake_is_open);
}

static void publish_ring(unsigned order)
{
    char key[32], value[32];

    nr_ring_pages = 1u << order;
    for (unsigned i = 0; i < nr_ring_pages; i++) {
        ring_pages[i] = fake_page(2 * i);
        ring_refs[i] = fake_grant(2 * i, false);
        snprintf(key, sizeof key, order ? "ring-ref%u" : "ring-ref", i);
        snprintf(value, sizeof value, "%u", ring_refs[i]);
        fake_front_key(key, value);
    }
    snprintf(value, sizeof value, "%u", order);
    fake_front_key("ring-page-order", order ? value : NULL);
    snprintf(value, sizeof value, "%u", FAKE_PORT);
    fake_front_key("event-channel", value);
    fake_front_key("protocol", narrow ? "x86_32-abi" : "x86_64-abi");
}

/* The host's pages are the truth; the image is a window onto them. */
static void copy_in(void)
{
    for (unsigned i = 0; i < nr_ring_pages; i++)
        memcpy(ring_image + i * PAGE_SIZE, ring_pages[i], PAGE_SIZE);
}

static void copy_out(void)
{
    for (unsigned i = 0; i < nr_ring_pages; i++)
        memcpy(ring_pages[i], ring_image + i * PAGE_SIZE, PAGE_SIZE);
}

int disk_connect(unsigned order)
{
    publish_ring(order);
    if (order) {
        ring_image = calloc(nr_ring_pages, PAGE_SIZE);
    } else {
        ring_image = ring_pages[0];
    }
    ring_front_init(&disk_ring, ring_image, nr_ring_pages * PAGE_SIZE,
                    narrow ? NARROW_SLOT : sizeof(struct blkif_request));
    if (order)
        copy_out();
    return fake_connect();
}

void disk_be_narrow(void)
{
    narrow = true;
}

void disk_attach(void)
{
    disk_make();
    disk_open();
    cr_assert_eq(disk_connect(0), 0);
}

void disk_detach(void)
{
    block_destroy_all(&fake_dom);
    for (unsigned i = 0; i < nr_ring_pages; i++)
        cr_expect_eq(grant_withdraw(&fake_offers, ring_refs[i]), 0);
    if (nr_ring_pages > 1)
        free(ring_image);
    nr_ring_pages = 0;
    fake_domain_destroy();
    close(disk_fd);
    unlink(disk_path);
}

struct blkif_request disk_request(uint8_t operation, uint64_t sector,
                                  const grant_ref_t *refs, unsigned nr)
{
    static uint64_t next_id = 0x1234567800000001;
    struct blkif_request req;

    memset(&req, 0, sizeof req);
    req.operation = operation;
    req.nr_segments = (uint8_t)nr;
    req.id = next_id++;
    req.sector_number = sector;
    for (unsigned i = 0; i < nr && i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        req.seg[i] = (struct blkif_request_segment){
            .gref = refs[i], .first_sect = 0, .last_sect = 7};
    return req;
}

void disk_put(const void *request)
{
    const uint8_t *wide = request;
    uint8_t slot[NARROW_SLOT];

    if (!narrow) {
        cr_assert(
            ring_front_put(&disk_ring, wide, sizeof(struct blkif_request)));
        return;
    }
    memcpy(slot, wide, 4);
    memcpy(slot + 4, wide + 8, sizeof slot - 4);
    cr_assert(ring_front_put(&disk_ring, slot, sizeof slot));
}

void disk_publish(void)
{
    bool wake = ring_front_publish(&disk_ring);

    if (nr_ring_pages > 1)
        copy_out();
    if (wake)
        fake_notify();
    if (nr_ring_pages > 1)
        copy_in();
}

int disk_answer(uint64_t id)
{
    struct blkif_response rsp = {0};

    while (
        !ring_front_take(&disk_ring, &rsp, narrow ? NARROW_RSP : sizeof rsp)) {
        cr_assert(ring_front_may_sleep(&disk_ring));
        if (nr_ring_pages > 1)
            copy_out();
        fake_sleep();
        if (nr_ring_pages > 1)
            copy_in();
    }
    cr_expect_eq(rsp.id, id);
    return rsp.status;
}

int disk_do(const void *request)
{
    const struct blkif_request *req = request;

    disk_put(request);
    disk_publish();
    return disk_answer(req->id);
}

void disk_expect_page(unsigned page, uint64_t sector)
{
    const uint8_t *bytes = fake_page(page);

    for (unsigned i = 0; i < PAGE_SIZE; i++)
        cr_assert_eq(bytes[i], disk_byte(sector + i / 512),
                     "page %u, byte %u of sector %llu", page, i,
                     (unsigned long long)sector);
}

void disk_expect_file(uint64_t sector, uint8_t value, size_t len)
{
    uint8_t *bytes = malloc(len);

    cr_assert_eq(pread(disk_fd, bytes, len, (off_t)sector * 512), (ssize_t)len);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(bytes[i], value, "byte %zu", i);
    free(bytes);
}

struct blkif_request_discard disk_discard(uint64_t sector, uint64_t nr)
{
    struct blkif_request_discard req;

    memset(&req, 0, sizeof req);
    req.operation = BLKIF_OP_DISCARD;
    req.id = sector;
    req.sector_number = sector;
    req.nr_sectors = nr;
    return req;
}

/* The ring's slots are of one size, whatever the request. */
int disk_do_discard(const struct blkif_request_discard *req)
{
    struct blkif_request slot;

    memset(&slot, 0, sizeof slot);
    memcpy(&slot, req, sizeof *req);
    return disk_do(&slot);
}
