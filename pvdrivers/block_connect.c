/*
 * pvdrivers/block_connect.c: agreeing with the backend: the ring, what both
 * sides can do, and the end of it.
 */
#include <errno.h>
#include <stdlib.h>

#include "blkfront.h"
#include <pvguest/event.h>
#include <pvguest/grant.h>
#include <pvguest/guest.h>
#include <pvguest/page.h>

#define SLOT_SIZE sizeof(union blkif_sring_entry)

bool block_wants_persistent;

static void block_event(evtchn_port_t port, void *context)
{
    (void)port;
    block_drain(context);
}

/* The parts of the largest ring there will be: made once, for all backends. */
static int parts_create(struct block *block)
{
    uint32_t slots = 1;

    if (block->parts)
        return 0;
    while (2ul * slots * SLOT_SIZE + 64 <= PAGE_SIZE << block->max_order)
        slots *= 2;
    block->parts = calloc(slots, sizeof *block->parts);
    block->redo = calloc(slots, sizeof *block->redo);
    block->free_parts = calloc(slots, sizeof *block->free_parts);
    if (!block->parts || !block->redo || !block->free_parts)
        return -ENOMEM;
    block->nr_parts = block->nr_free = slots;
    for (uint32_t i = 0; i < slots; i++)
        block->free_parts[i] = (uint16_t)(slots - 1 - i);
    return 0;
}

static int ring_create(struct block *block)
{
    unsigned nr = 1u << block->ring_order;

    block->ring_pages = page_alloc_zeroed(nr);
    if (!block->ring_pages)
        return -ENOMEM;
    ring_front_init(&block->ring, block->ring_pages, nr * PAGE_SIZE, SLOT_SIZE);
    for (unsigned i = 0; i < nr; i++) {
        char *page = (char *)block->ring_pages + i * PAGE_SIZE;
        int64_t ref = guest_grant(block->hs.backend_id, page, false);

        if (ref < 0)
            return (int)ref;
        block->ring_refs[block->nr_ring_refs++] = (grant_ref_t)ref;
    }
    return 0;
}

static void ring_destroy(struct block *block)
{
    bool kept = false;

    while (block->nr_ring_refs)
        if (guest_grant_end(block->ring_refs[--block->nr_ring_refs]))
            kept = true;
    if (block->ring_pages && !kept)
        page_free(block->ring_pages, 1u << block->ring_order);
    block->ring_pages = NULL;
}

static struct block *block_of(struct handshake *hs)
{
    return (struct block *)((char *)hs - offsetof(struct block, hs));
}

static int block_offer(struct handshake *hs)
{
    struct block *block = block_of(hs);
    uint64_t order = handshake_number(hs, "max-ring-page-order", 0);
    int rc;

    if (!block->parts)
        block->max_order =
            order < MAX_RING_ORDER ? (unsigned)order : MAX_RING_ORDER;
    block->ring_order =
        order < block->max_order ? (unsigned)order : block->max_order;
    rc = parts_create(block);
    if (!rc)
        rc = ring_create(block);
    if (!rc)
        rc = event_alloc_unbound(hs->backend_id, block_event, block,
                                 &block->port);
    if (!rc)
        block->attached = true;
    return rc;
}

static int block_publish_keys(struct handshake *hs, uint32_t tx)
{
    const struct block *block = block_of(hs);
    char key[16];
    int rc = 0;

    if (!block->ring_order) {
        /* A larger ring before this one left a key that would be believed. */
        rc = handshake_remove(hs, tx, "ring-page-order");
        if (!rc)
            rc = handshake_write(hs, tx, "ring-ref", "%u", block->ring_refs[0]);
    } else {
        rc =
            handshake_write(hs, tx, "ring-page-order", "%u", block->ring_order);
        for (unsigned i = 0; !rc && i < block->nr_ring_refs; i++) {
            guest_format(key, sizeof key, "ring-ref%u", i);
            rc = handshake_write(hs, tx, key, "%u", block->ring_refs[i]);
        }
    }
    if (!rc)
        rc = handshake_write(hs, tx, "event-channel", "%u", block->port);
    if (!rc)
        rc = handshake_write(hs, tx, "protocol", "x86_64-abi");
    if (!rc)
        rc = handshake_write(hs, tx, "feature-persistent", "%u",
                             block_wants_persistent);
    return rc;
}

/* Size and sectors; -EINVAL when no disk can be like that. */
static int read_geometry(struct handshake *hs, struct block_info *info)
{
    uint64_t sectors = handshake_number(hs, "sectors", 0);
    uint64_t flags = handshake_number(hs, "info", 0);
    uint64_t size = handshake_number(hs, "sector-size", BLOCK_SECTOR);
    uint64_t physical = handshake_number(hs, "physical-sector-size", size);

    if (size < BLOCK_SECTOR || size > PAGE_SIZE || size & (size - 1) ||
        sectors > INT64_MAX / BLOCK_SECTOR)
        return -EINVAL;
    info->nr_sectors = sectors; /* of 512 bytes, whatever (size) is */
    info->sector_size = (uint32_t)size;
    info->physical_sector_size = physical >= size && physical <= UINT32_MAX
                                     ? (uint32_t)physical
                                     : (uint32_t)size;
    info->readonly = flags & VDISK_READONLY;
    return 0;
}

static void read_features(struct handshake *hs, struct block *block)
{
    uint64_t max = handshake_number(hs, "feature-max-indirect-segments", 0);

    block->flush = handshake_number(hs, "feature-flush-cache", 0);
    block->barrier = handshake_number(hs, "feature-barrier", 0);
    block->discard = handshake_number(hs, "feature-discard", 0);
    block->persistent =
        block_wants_persistent && handshake_number(hs, "feature-persistent", 0);
    block->max_segments = max < MAX_INDIRECT ? (uint32_t)max : MAX_INDIRECT;
    if (block->max_segments < BLKIF_MAX_SEGMENTS_PER_REQUEST)
        block->max_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
}

static int block_connect(struct handshake *hs)
{
    struct block *block = block_of(hs);
    struct block_info *info = &block->info;
    int rc = read_geometry(hs, info);

    if (rc)
        return rc;
    read_features(hs, block);
    info->can_flush = block->flush || block->barrier;
    info->can_discard = block->discard;
    info->max_request_sectors = block->max_segments * PAGE_SECTORS;
    info->queue_depth = block->ring.nr_slots;

    block->running = true;
    block->kicked = true; /* what waited for a backend, waits no longer */
    block_drain(block);
    return 0;
}

static void block_stop(struct handshake *hs)
{
    block_of(hs)->running = false;
}

static void block_withdraw(struct handshake *hs)
{
    struct block *block = block_of(hs);

    block->running = false;
    block_drain(block); /* what it did answer is done */
    block->attached = false;
    block->unpublished = false;
    block_recall(block);
    if (block->port)
        event_close(block->port);
    block->port = 0;
    pages_destroy(block);
    ring_destroy(block);
}

static void block_gone(struct handshake *hs, int error)
{
    struct block *block = block_of(hs);

    block->error = error;
    block->running = block->attached = false;
    block_recall(block);
}

const struct handshake_ops block_handshake = {
    .offer = block_offer,
    .publish = block_publish_keys,
    .connect = block_connect,
    .stop = block_stop,
    .withdraw = block_withdraw,
    .gone = block_gone,
};
