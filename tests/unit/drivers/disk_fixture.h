/*
 * tests/unit/drivers/disk_fixture.h: a disk of the frontend, and what its tests
 * ask of it.
 */
#ifndef TESTS_UNIT_DRIVERS_DISK_FIXTURE_H
#define TESTS_UNIT_DRIVERS_DISK_FIXTURE_H

#include <pvdrivers/block.h>

#define MIB_SECTORS 2048u

extern struct block *disk; /* by the fixtures that open it */

/* For .init: a guest and a backend that waits; how good it is can yet be said.
 */
void disk_backend(void);

/* The backend starts, and the disk is opened. */
void disk_open(void);

/* For .init: open, on a plain backend, or one with all that a backend can have.
 */
void disk_simple(void);
void disk_rich(void);

/* For .fini: closed, with nothing lent and no page lost. */
void disk_close(void);

/* The same where no disk could be opened. */
void disk_nothing_lost(void);

/* Room for (nr_sectors) and a page, from a page's start; the caller's to free.
 */
uint8_t *disk_buffer(uint32_t nr_sectors);

/* What the disk really holds from (sector) on. */
const uint8_t *disk_at(uint64_t sector);

/* How many requests are done, and what the last one was told. */
extern unsigned disk_nr_done;
extern int disk_last_status;

/* A request's (done): counts. */
void disk_done(struct block_request *request);

/* Submit (nr) reads of a page each, from sector 0 on, to (data). */
void disk_submit_reads(struct block_request *requests, unsigned nr,
                       uint8_t *data);

#endif
