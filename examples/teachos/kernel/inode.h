/*
 * kernel/inode.h: inodes and blocks of the disk, below filesystem.c.
 * Call with (fs_lock) held.
 */
#ifndef TEACHOS_INODE_H
#define TEACHOS_INODE_H

#include <teachos/disk.h>

#include "lock.h"

#define INODES_MAX 4096u

extern struct lock fs_lock;

/* Check the superblock. 0, or E_IO. */
int inode_mount(uint32_t nr_blocks);

uint32_t inode_count(void);

/* Read and write inode (number). 0, or E_IO. */
int inode_load(uint32_t number, struct disk_inode *inode);
int inode_store(uint32_t number, const struct disk_inode *inode);

/* A free inode, not yet taken: its number, E_NOSPC, E_IO. */
long inode_find_free(void);

/*
 * The (index)th block of a file: its number, 0 if there is none; with (make)
 * one of zeros is put there, and (*inode) is to be stored.
 */
long inode_block(struct disk_inode *inode, uint32_t index, bool make);

/* Free all blocks of a file, whose size is 0 then. */
int inode_free_blocks(struct disk_inode *inode);

/* Read or write (len) bytes within one file; as fs_read, fs_write. */
long inode_read(const struct disk_inode *inode, void *to, uint32_t offset,
                size_t len);
long inode_write(uint32_t number, struct disk_inode *inode, const void *from,
                 uint32_t offset, size_t len);

#endif
