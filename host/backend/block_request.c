/*
 * host/backend/block_request.c: from a slot to a list of steps, or to a
 * refusal.
 *
 * (slot) is a private copy; still every field of it is the guest's.
 */
#include "host/backend/block_private.h"

#include <string.h>

#include "host/domain.h"
#include "host/memory.h"

#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR_SIZE)

/*
 * The sectors that (segments) name, 0 if one of them is nonsense. With direct
 * I/O a sector may be larger than the protocol's unit, and pieces of one are
 * refused.
 */
static uint64_t count_sectors(const struct blockdev *dev,
                              const struct blkif_request_segment *segments,
                              unsigned nr)
{
    unsigned unit = dev->file.sector_size / SECTOR_SIZE;
    uint64_t sectors = 0;

    for (unsigned i = 0; i < nr; i++) {
        unsigned first = segments[i].first_sect, last = segments[i].last_sect;

        if (last >= SECTORS_PER_PAGE || first > last || first % unit ||
            (last + 1) % unit)
            return 0;
        sectors += last - first + 1;
    }
    return sectors;
}

static bool on_disk(const struct blockdev *dev, uint64_t sector, uint64_t nr)
{
    unsigned unit = dev->file.sector_size / SECTOR_SIZE;

    return sector <= dev->file.sectors && nr <= dev->file.sectors - sector &&
           sector % unit == 0 && nr % unit == 0;
}

/* Add to the list what lies next: as one piece with the last if it can be. */
static void add_piece(struct block_request *req, uint8_t *bytes, size_t len)
{
    struct iovec *last = req->iov + req->nr_iov;

    if (req->nr_iov > 0 &&
        (uint8_t *)last[-1].iov_base + last[-1].iov_len == bytes) {
        last[-1].iov_len += len;
        return;
    }
    *last = (struct iovec){.iov_base = bytes, .iov_len = len};
    req->nr_iov++;
}

static int16_t borrow_pages(struct block_request *req,
                            const struct blkif_request_segment *segments,
                            unsigned nr)
{
    bool write = req->steps & BLOCK_READ; /* a read writes to the guest */

    for (unsigned i = 0; i < nr; i++) {
        size_t first = segments[i].first_sect;
        size_t sectors = segments[i].last_sect - first + 1;
        uint8_t *bytes =
            block_page_use(req->dev, segments[i].gref, write, &req->pages[i]);

        if (!bytes) {
            block_request_release(req);
            return BLKIF_RSP_ERROR;
        }
        req->nr_pages++;
        add_piece(req, bytes + first * SECTOR_SIZE, sectors * SECTOR_SIZE);
    }
    return BLKIF_RSP_OKAY;
}

static int16_t parse_transfer(struct block_request *req, uint64_t sector,
                              const struct blkif_request_segment *segments,
                              unsigned nr)
{
    uint64_t sectors = count_sectors(req->dev, segments, nr);

    if (!sectors || !on_disk(req->dev, sector, sectors) ||
        ((req->steps & BLOCK_WRITE) && req->dev->file.readonly))
        return BLKIF_RSP_ERROR;
    req->offset = sector * SECTOR_SIZE;
    req->left = sectors * SECTOR_SIZE;
    return borrow_pages(req, segments, nr);
}

/* READ, WRITE, and the flushes, which alone may come without data. */
static int16_t parse_rw(struct block_request *req,
                        const struct blkif_request *rw, uint8_t steps)
{
    req->steps = steps;
    if (rw->nr_segments == 0 && (steps & BLOCK_PREFLUSH)) {
        /* Nothing was written through us to a disk that is read-only. */
        req->steps = req->dev->file.readonly ? 0 : BLOCK_PREFLUSH;
        return BLKIF_RSP_OKAY;
    }
    if (rw->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return BLKIF_RSP_ERROR;
    return parse_transfer(req, rw->sector_number, rw->seg, rw->nr_segments);
}

/* The list itself lies in a granted page, which is copied before it is read. */
static int16_t parse_indirect(struct block_request *req,
                              const struct blkif_request_indirect *indirect)
{
    struct blkif_request_segment segments[BLOCK_MAX_INDIRECT];
    unsigned nr = indirect->nr_segments;
    struct lent_page page;
    const uint8_t *bytes;

    _Static_assert(sizeof segments <= PAGE_SIZE, "one page holds them all");
    req->operation = indirect->indirect_op;
    if (indirect->indirect_op == BLKIF_OP_READ)
        req->steps = BLOCK_READ;
    else if (indirect->indirect_op == BLKIF_OP_WRITE)
        req->steps = BLOCK_WRITE;
    else
        return BLKIF_RSP_EOPNOTSUPP;
    if (nr == 0 || nr > BLOCK_MAX_INDIRECT)
        return BLKIF_RSP_ERROR;

    bytes = lent_page_borrow(req->dev->dom, indirect->indirect_grefs[0], false,
                             &page);
    if (!bytes)
        return BLKIF_RSP_ERROR;
    ring_slot_read(segments, bytes, nr * sizeof *segments);
    lent_page_return(req->dev->dom, &page, false);

    req->longer = req->dev->free_long;
    req->dev->free_long = req->longer->next;
    req->iov = req->longer->iov;
    req->pages = req->longer->pages;
    return parse_transfer(req, indirect->sector_number, segments, nr);
}

static int16_t parse_discard(struct block_request *req,
                             const struct blkif_request_discard *discard)
{
    const struct blockdev *dev = req->dev;

    if (!dev->file.discard || !dev->config->discard ||
        (discard->flag & BLKIF_DISCARD_SECURE))
        return BLKIF_RSP_EOPNOTSUPP;
    if (!on_disk(dev, discard->sector_number, discard->nr_sectors))
        return BLKIF_RSP_ERROR;
    req->offset = discard->sector_number * SECTOR_SIZE;
    req->left = discard->nr_sectors * SECTOR_SIZE;
    req->steps = req->left ? BLOCK_DISCARD : 0;
    return BLKIF_RSP_OKAY;
}

static int16_t parse(struct block_request *req, const union block_slot *slot)
{
    switch (slot->rw.operation) {
    case BLKIF_OP_READ:
        return parse_rw(req, &slot->rw, BLOCK_READ);
    case BLKIF_OP_WRITE:
        return parse_rw(req, &slot->rw, BLOCK_WRITE);
    case BLKIF_OP_FLUSH_DISKCACHE:
        return parse_rw(req, &slot->rw, BLOCK_PREFLUSH | BLOCK_WRITE);
    case BLKIF_OP_WRITE_BARRIER:
        return parse_rw(req, &slot->rw,
                        BLOCK_PREFLUSH | BLOCK_WRITE | BLOCK_POSTFLUSH);
    case BLKIF_OP_DISCARD:
        return parse_discard(req, &slot->discard);
    case BLKIF_OP_INDIRECT:
        return parse_indirect(req, &slot->indirect);
    default:
        return BLKIF_RSP_EOPNOTSUPP;
    }
}

int16_t block_request_parse(struct block_request *req,
                            const union block_slot *slot)
{
    int16_t status;

    _Static_assert(offsetof(struct blkif_request, id) ==
                           offsetof(struct blkif_request_discard, id) &&
                       offsetof(struct blkif_request, id) ==
                           offsetof(struct blkif_request_indirect, id),
                   "the id is at one place whatever the operation");
    req->id = slot->rw.id;
    req->operation = slot->rw.operation;
    req->steps = 0;
    req->tries = 0;
    req->offset = req->left = 0;
    req->nr_iov = req->nr_pages = 0;
    req->iov = req->own_iov;
    req->pages = req->own_pages;
    req->longer = NULL;

    status = parse(req, slot);
    if (status != BLKIF_RSP_OKAY)
        block_request_release(req);
    return status;
}

void block_request_release(struct block_request *req)
{
    bool write = req->operation == BLKIF_OP_READ;

    for (unsigned i = 0; i < req->nr_pages; i++)
        block_page_done(req->dev, &req->pages[i], write);
    req->nr_pages = 0;
    if (req->longer) {
        req->longer->next = req->dev->free_long;
        req->dev->free_long = req->longer;
        req->longer = NULL;
    }
}
