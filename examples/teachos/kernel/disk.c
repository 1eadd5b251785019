#include "disk.h"

#include <string.h>

#include <pvdrivers/block.h>
#include <pvguest/guest.h>
#include <pvguest/module.h>
#include <pvguest/page.h>
#include <teachos/disk.h>

#define NR_CACHED     32
#define BLOCK_SECTORS (BLOCK_SIZE / BLOCK_SECTOR)

/* One of them is there. */
static struct block *disk;
static char *module;

static uint32_t nr_blocks;
static bool readonly;

static struct cached {
    void *block;
    uint32_t number;
    bool valid;
    uint64_t used; /* when, in calls */
} cache[NR_CACHED];
static uint64_t nr_calls;

static bool allocate_cache(void)
{
    for (unsigned i = 0; i < NR_CACHED; i++) {
        cache[i].block = page_alloc(1);
        if (!cache[i].block)
            return false;
    }
    return true;
}

/* Memory that the builder gave: the kernel may write to it as to any other. */
static uint32_t open_module(void)
{
    size_t len;
    const void *start = guest_module(&len);

    module = (char *)(uintptr_t)start;
    return start ? (uint32_t)(len / BLOCK_SIZE) : 0;
}

uint32_t disk_init(void)
{
    struct block_info info;

    if (!allocate_cache())
        return 0;
    disk = block_open(0);
    if (!disk) {
        nr_blocks = open_module();
        return nr_blocks;
    }
    block_get_info(disk, &info);
    readonly = info.readonly;
    nr_blocks = info.nr_sectors / BLOCK_SECTORS > UINT32_MAX
                    ? UINT32_MAX
                    : (uint32_t)(info.nr_sectors / BLOCK_SECTORS);
    return nr_blocks;
}

bool disk_is_readonly(void)
{
    return readonly;
}

static int transfer(struct cached *cached, bool write)
{
    const uint64_t sector = (uint64_t)cached->number * BLOCK_SECTORS;
    char *place = module + (size_t)cached->number * BLOCK_SIZE;
    int rc;

    if (!disk) {
        memcpy(write ? place : cached->block, write ? cached->block : place,
               BLOCK_SIZE);
        return 0;
    }
    rc = write ? block_write(disk, sector, cached->block, BLOCK_SECTORS)
               : block_read(disk, sector, cached->block, BLOCK_SECTORS);
    if (rc)
        guest_print("teachos: the disk fails to %s block %u: error %d\n",
                    write ? "write" : "read", cached->number, -rc);
    return rc ? E_IO : 0;
}

/* The one that has (number), or the one that was not used for longest. */
static struct cached *find(uint32_t number)
{
    struct cached *oldest = &cache[0];

    for (unsigned i = 0; i < NR_CACHED; i++) {
        if (cache[i].valid && cache[i].number == number)
            return &cache[i];
        if (cache[i].used < oldest->used)
            oldest = &cache[i];
    }
    oldest->number = number;
    oldest->valid = false;
    return oldest;
}

static struct cached *take(uint32_t number)
{
    struct cached *cached;

    if (number >= nr_blocks)
        return NULL;
    cached = find(number);
    cached->used = ++nr_calls;
    return cached;
}

void *disk_block(uint32_t number)
{
    struct cached *cached = take(number);

    if (!cached)
        return NULL;
    if (!cached->valid && transfer(cached, false))
        return NULL;
    cached->valid = true;
    return cached->block;
}

void *disk_fresh_block(uint32_t number)
{
    struct cached *cached = take(number);

    if (!cached)
        return NULL;
    cached->valid = true;
    return memset(cached->block, 0, BLOCK_SIZE);
}

int disk_write(void *block)
{
    for (unsigned i = 0; i < NR_CACHED; i++)
        if (cache[i].block == block && cache[i].valid)
            return transfer(&cache[i], true);
    return E_IO;
}
