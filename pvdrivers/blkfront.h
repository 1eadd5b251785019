/*
 * pvdrivers/blkfront.h: what the files of the block frontend share.
 *
 * Words. A request is the caller's. A part is what goes into one slot of the
 * ring: requests too big for one are sent in several. An extent is what is
 * left to send of a request. A page is lent to the backend as long as its
 * grant exists: by default the caller's own pages, for the time of one part; a
 * part is over when all its pages are back, whatever the response said. With
 * persistent grants the driver's own pages are lent until the backend leaves,
 * and data is copied.
 */
#ifndef PVDRIVERS_BLKFRONT_H
#define PVDRIVERS_BLKFRONT_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/io/blkif.h>

#include "handshake.h"
#include <pvdrivers/block.h>
#include <pvguest/clock.h>
#include <ring/front.h>

#define MAX_RING_ORDER 4
#define MAX_RING_PAGES (1u << MAX_RING_ORDER)
#define MAX_INDIRECT   256u /* segments of one part: 1 MiB of aligned pages */
#define NR_LISTS       32u  /* parts with indirect segments at a time */
#define MAX_PERSISTENT 1024u
#define PAGE_SECTORS   8u

enum part_state { PART_FREE, PART_SENT, PART_HELD };

/* What one slot of the ring carries. The backend knows it by (id). */
struct part {
    struct block_request *request;
    uint64_t id;
    uint32_t at, nr_sectors; /* of the request */
    int status;
    uint16_t nr_pages;
    uint8_t state;
    bool pooled; /* its data is in persistent pages */
    bool again;  /* send anew when its pages are back */
    struct segment_list *list;
    uint32_t pages[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

/* A page of indirect segments, lent read-only, and our own record of them. */
struct segment_list {
    struct blkif_request_segment *segments;
    grant_ref_t ref;
    struct segment_list *next;
    uint32_t pages[MAX_INDIRECT];
};

struct persistent_page {
    char *page;
    grant_ref_t ref;
    uint32_t next; /* free list, index + 1 */
};

struct extent {
    struct block_request *request;
    uint32_t at, left; /* sectors */
};

struct block {
    struct handshake hs;
    struct block_info info;
    struct block *next;
    unsigned users;

    /* What the backend offers. */
    bool flush, barrier, discard;
    bool persistent; /* both sides want it */
    uint32_t max_segments;

    /* The ring. */
    bool running;  /* parts may be sent */
    bool attached; /* responses may come */
    bool unpublished;
    int error; /* final: all requests fail */
    struct ring_front ring;
    void *ring_pages;
    unsigned ring_order, max_order;
    grant_ref_t ring_refs[MAX_RING_PAGES];
    unsigned nr_ring_refs;
    evtchn_port_t port;

    struct part *parts;
    uint16_t *free_parts; /* indices */
    uint32_t nr_parts, nr_free;
    uint32_t nr_held;
    uint32_t generation; /* of ids */

    struct segment_list *lists; /* free ones */
    uint32_t nr_lists;
    struct persistent_page *pool;
    uint32_t nr_pool, pool_free; /* index + 1 */

    /* Requests, from submission on. */
    struct block_request *first, *last; /* not all sent */
    struct extent *redo;                /* sent to a backend that left */
    uint32_t nr_redo;
    struct block_request *finished; /* to be told */
    uint32_t nr_pending;            /* submitted, not told */
    uint64_t nr_told;
    bool kicked; /* send what waits as soon as it fits */
    bool draining;
    struct wait_queue told;
    struct timer again;
};

/* block_connect.c */
extern const struct handshake_ops block_handshake;
extern bool block_wants_persistent;

/* block_send.c */

/*
 * Put the next part of (extent) into the ring and shorten it. Returns 1; 0 if
 * it has to wait; or why it will never go. Publishing is the caller's.
 */
int block_send(struct block *block, struct extent *extent);

/* (part) is over, its pages are back: make it free. */
void part_release(struct block *block, struct part *part);

/* block_queue.c */

/* Take responses, tell callers, send what waited. Returns how many told. */
unsigned block_drain(struct block *block);

/* The backend let go or is broken: end all parts, to be sent anew or failed. */
void block_recall(struct block *block);

/* block_pages.c */

/*
 * Lend the pages of at most (max) segments from (data), (nr_sectors) long, and
 * describe them in (segments). Returns how many; fewer when grants run out.
 */
uint32_t pages_lend(struct block *block, struct part *part, char *data,
                    uint32_t nr_sectors, struct blkif_request_segment *segments,
                    uint32_t max);

/* Take the pages of (part) back: true when the backend has none any more. */
bool pages_return(struct block *block, struct part *part);

/* A free segment list, NULL when there is none now; and back. */
struct segment_list *list_take(struct block *block);
void list_release(struct block *block, struct segment_list *list);

/* End what is lent beyond parts; keep what the backend does not give back. */
void pages_destroy(struct block *block);

#endif
