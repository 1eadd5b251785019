/*
 * kernel/inode.c: which blocks a file has, and what is in them.
 */
#include "inode.h"

#include <string.h>

#include <pvguest/guest.h>

#include "disk.h"

struct lock fs_lock;

static struct disk_super super;

static int broken(const char *what, uint32_t number)
{
    guest_print("teachos: the disk is broken: %s %u\n", what, number);
    return E_IO;
}

int inode_mount(uint32_t nr_blocks)
{
    const void *block = disk_block(0);
    uint64_t inode_end, bits;

    if (!block)
        return E_IO;
    memcpy(&super, block, sizeof super);
    if (memcmp(super.magic, DISK_MAGIC, sizeof super.magic) != 0) {
        guest_print(
            "teachos: there is no file system of teachos on the disk\n");
        return E_IO;
    }
    inode_end =
        super.inode_start + (super.nr_inodes + INODES_BLOCK - 1) / INODES_BLOCK;
    bits = (uint64_t)(super.inode_start - super.bitmap_start) * BLOCK_SIZE * 8;
    if (super.nr_blocks > nr_blocks)
        return broken("it should have blocks:", super.nr_blocks);
    if (super.nr_inodes <= ROOT_INODE || super.nr_inodes > INODES_MAX)
        return broken("inodes:", super.nr_inodes);
    if (super.bitmap_start == 0 || super.inode_start <= super.bitmap_start ||
        bits < super.nr_blocks || super.data_start < inode_end ||
        super.data_start >= super.nr_blocks)
        return broken("its parts overlap: data from block", super.data_start);
    return 0;
}

uint32_t inode_count(void)
{
    return super.nr_inodes;
}

static struct disk_inode *inode_in_block(uint32_t number)
{
    struct disk_inode *inodes;

    if (number == 0 || number >= super.nr_inodes) {
        broken("there is no inode", number);
        return NULL;
    }
    inodes = disk_block(super.inode_start + number / INODES_BLOCK);
    return inodes ? &inodes[number % INODES_BLOCK] : NULL;
}

int inode_load(uint32_t number, struct disk_inode *inode)
{
    const struct disk_inode *found = inode_in_block(number);

    if (!found)
        return E_IO;
    *inode = *found;
    if (inode->size > FILE_MAX)
        return broken("too large is inode", number);
    return 0;
}

int inode_store(uint32_t number, const struct disk_inode *inode)
{
    struct disk_inode *found = inode_in_block(number);

    if (!found)
        return E_IO;
    *found = *inode;
    return disk_write(found - number % INODES_BLOCK);
}

long inode_find_free(void)
{
    for (uint32_t number = ROOT_INODE; number < super.nr_inodes; number++) {
        const struct disk_inode *inode = inode_in_block(number);

        if (!inode)
            return E_IO;
        if (inode->type == TYPE_FREE)
            return number;
    }
    return E_NOSPC;
}

static bool is_data(uint32_t block)
{
    return block >= super.data_start && block < super.nr_blocks;
}

/* The byte of the bitmap with (block)'s bit; (*start) is its block. */
static uint8_t *bitmap_byte(uint32_t block, void **start)
{
    const uint32_t bits = BLOCK_SIZE * 8;

    *start = disk_block(super.bitmap_start + block / bits);
    return *start ? (uint8_t *)*start + block % bits / 8 : NULL;
}

/* A block of zeros: its number, E_NOSPC, E_IO. */
static long alloc_block(void)
{
    for (uint32_t block = super.data_start; block < super.nr_blocks; block++) {
        void *start, *fresh;
        uint8_t *byte = bitmap_byte(block, &start);

        if (!byte)
            return E_IO;
        if (*byte & 1u << block % 8)
            continue;
        *byte |= (uint8_t)(1u << block % 8);
        if (disk_write(start))
            return E_IO;
        fresh = disk_fresh_block(block);
        return fresh && disk_write(fresh) == 0 ? (long)block : E_IO;
    }
    return E_NOSPC;
}

static int free_block(uint32_t block)
{
    void *start;
    uint8_t *byte = bitmap_byte(block, &start);

    if (!byte)
        return E_IO;
    *byte &= (uint8_t) ~(1u << block % 8);
    return disk_write(start);
}

/* (*slot) holds a block's number, checked here; made if it is to be. */
static long follow(uint32_t *slot, bool make)
{
    long block = *slot;

    if (block && !is_data(*slot))
        return broken("a file has block", *slot);
    if (block || !make)
        return block;
    block = alloc_block();
    if (block > 0)
        *slot = (uint32_t)block;
    return block;
}

long inode_block(struct disk_inode *inode, uint32_t index, bool make)
{
    long indirect, block;
    uint32_t *numbers, slot;

    if (index < NR_DIRECT)
        return follow(&inode->direct[index], make);
    indirect = follow(&inode->indirect, make);
    if (indirect <= 0)
        return indirect;
    numbers = disk_block((uint32_t)indirect);
    if (!numbers)
        return E_IO;
    slot = numbers[index - NR_DIRECT];
    block = follow(&slot, make);
    if (block <= 0)
        return block;
    numbers = disk_block((uint32_t)indirect); /* it may have left the cache */
    if (!numbers)
        return E_IO;
    if (numbers[index - NR_DIRECT] != slot) {
        numbers[index - NR_DIRECT] = slot;
        if (disk_write(numbers))
            return E_IO;
    }
    return block;
}

int inode_free_blocks(struct disk_inode *inode)
{
    int rc = 0;

    for (uint32_t at = 0; at * BLOCK_SIZE < inode->size && !rc; at++) {
        long block = inode_block(inode, at, false);

        rc = block > 0 ? free_block((uint32_t)block) : (int)block;
    }
    if (!rc && inode->indirect && is_data(inode->indirect))
        rc = free_block(inode->indirect);
    memset(inode->direct, 0, sizeof inode->direct);
    inode->indirect = 0;
    inode->size = 0;
    return rc;
}

static size_t in_block(uint32_t offset, size_t len)
{
    size_t room = BLOCK_SIZE - offset % BLOCK_SIZE;

    return len < room ? len : room;
}

long inode_read(const struct disk_inode *inode, void *to, uint32_t offset,
                size_t len)
{
    struct disk_inode copy = *inode;
    size_t done = 0, part;

    if (offset >= inode->size)
        return 0;
    if (len > inode->size - offset)
        len = inode->size - offset;
    for (; done < len; done += part, offset += (uint32_t)part) {
        long number = inode_block(&copy, offset / BLOCK_SIZE, false);
        const char *block = NULL;

        part = in_block(offset, len - done);
        if (number > 0)
            block = disk_block((uint32_t)number);
        if (number < 0 || (number > 0 && !block))
            return E_IO;
        if (block)
            memcpy((char *)to + done, block + offset % BLOCK_SIZE, part);
        else
            memset((char *)to + done, 0, part);
    }
    return (long)done;
}

long inode_write(uint32_t number, struct disk_inode *inode, const void *from,
                 uint32_t offset, size_t len)
{
    size_t done = 0, part;
    long error = 0;

    if (offset > FILE_MAX || len > FILE_MAX - offset)
        return E_FBIG;
    for (; done < len; done += part, offset += (uint32_t)part) {
        long at = inode_block(inode, offset / BLOCK_SIZE, true);
        char *block = at > 0 ? disk_block((uint32_t)at) : NULL;

        part = in_block(offset, len - done);
        if (!block) {
            error = at < 0 ? at : E_IO;
            break;
        }
        memcpy(block + offset % BLOCK_SIZE, (const char *)from + done, part);
        if (disk_write(block)) {
            error = E_IO;
            break;
        }
    }
    if (offset > inode->size)
        inode->size = offset;
    if (inode_store(number, inode))
        return E_IO;
    return done ? (long)done : error;
}
