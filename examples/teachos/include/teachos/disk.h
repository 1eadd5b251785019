/*
 * teachos/disk.h: how files lie on a disk. Numbers are little-endian.
 *
 *     block 0        the superblock
 *     then           a bit for each block: 1 is used
 *     then           the inodes, 64 bytes each; number 0 is nobody's
 *     then           what files hold
 *
 * A folder is a file of entries, of which those with inode 0 are free. The
 * root is inode 1. An inode whose type is 0 is free.
 */
#ifndef TEACHOS_DISK_H
#define TEACHOS_DISK_H

#include <stdint.h>

#include <teachos/syscall.h>

#define DISK_MAGIC    "teachos1"
#define BLOCK_SIZE    4096u
#define NR_DIRECT     11
#define NR_INDIRECT   (BLOCK_SIZE / 4)
#define FILE_MAX      ((NR_DIRECT + NR_INDIRECT) * BLOCK_SIZE)
#define ROOT_INODE    1
#define INODES_BLOCK  (BLOCK_SIZE / sizeof(struct disk_inode))
#define ENTRIES_BLOCK (BLOCK_SIZE / sizeof(struct disk_entry))

struct disk_super {
    char magic[8];
    uint32_t nr_blocks, nr_inodes;
    uint32_t bitmap_start; /* blocks */
    uint32_t inode_start;
    uint32_t data_start;
};

struct disk_inode {
    uint32_t type;              /* TYPE_ of teachos/syscall.h */
    uint32_t size;              /* bytes */
    uint32_t direct[NR_DIRECT]; /* blocks; 0: none, all zeros */
    uint32_t indirect;          /* a block of more such */
    uint32_t unused[2];
};

struct disk_entry {
    uint32_t inode;
    char name[NAME_SIZE]; /* with a NUL */
};

_Static_assert(sizeof(struct disk_inode) == 64, "inodes are 64 bytes");
_Static_assert(sizeof(struct disk_entry) == 32, "entries are 32 bytes");

#endif
