/*
 * fake_block.h: a block backend made up for tests, as honest as they want it.
 */
#ifndef FAKE_BLOCK_H
#define FAKE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>

#include <ring/back.h>
#include <xen/io/blkif.h>

#define FAKE_DISK_SECTORS 8192u
#define FAKE_FRONT        "device/vbd/51712"
#define FAKE_BACK         "/local/domain/0/backend/vbd/1/51712"

struct fake_block {
    /* Before it starts. */
    unsigned order, indirect;
    bool persistent, readonly, no_flush, refuse;
    unsigned sector_size; /* 0: does not say */

    /* Meanwhile. */
    bool late;  /* serves only when the guest waits */
    bool deaf;  /* takes requests and does not answer */
    bool keep;  /* keeps the pages it was lent */
    int status; /* of every response */
    bool connected, vanish;

    /* Accounts. */
    unsigned nr_requests, nr_notified, nr_segments_max, nr_ops[8];
    unsigned nr_connects;
    uint64_t last_id;
    struct ring_back ring;
    uint8_t disk[FAKE_DISK_SECTORS * 512];
};
extern struct fake_block fake_block;

void fake_block_init(void);  /* after fake_store_init; then set it up */
void fake_block_start(void); /* InitWait */

/* Serve what is there; true if there was anything. */
bool fake_block_run(void);

/* One response, true or false. */
void fake_block_respond(uint64_t id, uint8_t operation, int status);

/* Give back all pages kept. */
void fake_block_let_go(void);

/* Leave (Closing), or drop dead (all unmapped, no word). */
void fake_block_leave(void);

#endif
