/*
 * kernel/disk.h: blocks of the disk that files are on: the first PV disk, or,
 * where there is none, the file that was loaded beside the kernel; then what is
 * written is gone when the system ends.
 *
 * Blocks are kept in a cache and written at once. Call with the file system's
 * lock held: a block's address is good for the next 16 calls or so.
 */
#ifndef TEACHOS_DISK_CACHE_H
#define TEACHOS_DISK_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many blocks there are; 0: no disk. */
uint32_t disk_init(void);

bool disk_is_readonly(void);

/* Block (number), to be read or changed; NULL if the disk fails. */
void *disk_block(uint32_t number);

/* As all zeros, whatever it held; to be written. */
void *disk_fresh_block(uint32_t number);

/* Write what has been changed in the block at (block): 0, or E_IO. */
int disk_write(void *block);

#endif
