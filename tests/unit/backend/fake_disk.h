/*
 * tests/unit/backend/fake_disk.h: a disk on a temporary file, and a frontend
 * that puts requests of any kind into its ring.
 */
#ifndef FAKE_DISK_H
#define FAKE_DISK_H

#include <ring/front.h>
#include <xen/io/blkif.h>

#include "fake_domain.h"

#define DISK_SECTORS 2048 /* 1 MiB */
#define FIRST_DATA   64   /* the pages below are for rings */

extern char disk_path[];
extern int disk_fd; /* the same file, for the test to look at and to spoil */
extern struct disk_config *disk; /* fake_config.disks[0] */
extern struct ring_front disk_ring;

/* What sector (i) of a fresh disk has in each byte. */
uint8_t disk_byte(uint64_t sector);

/* A file of DISK_SECTORS, each filled with its disk_byte. */
void disk_make(void);

/* Attach it and connect, with a ring of one page on page 0. */
void disk_attach(void);

/* The same in two steps, for other rings: (order), pages 0, 2, 4... */
void disk_open(void);
int disk_connect(unsigned order);

/* From the next disk_connect on: the ring as i386 lays it out. */
void disk_be_narrow(void);

/* Detach, check the accounts, remove the file. */
void disk_detach(void);

/* A request for (nr) whole pages of (refs). */
struct blkif_request disk_request(uint8_t operation, uint64_t sector,
                                  const grant_ref_t *refs, unsigned nr);

/* Put it (any of the three layouts) into the ring. */
void disk_put(const void *request);
void disk_publish(void);

/* Wait for the next response: checks its id and returns its status. */
int disk_answer(uint64_t id);

/* All of it: returns the status. */
int disk_do(const void *request);

/* To discard (nr) sectors, with the first one for its id; and all of it. */
struct blkif_request_discard disk_discard(uint64_t sector, uint64_t nr);
int disk_do_discard(const struct blkif_request_discard *req);

/* (page) has what a fresh disk has in the 8 sectors from (sector) on. */
void disk_expect_page(unsigned page, uint64_t sector);

/* The file has (len) bytes of (value) from (sector) on. */
void disk_expect_file(uint64_t sector, uint8_t value, size_t len);

#endif
