/*
 * pvdrivers/block.c: disks as their users see them.
 */
#include <pvdrivers/block.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blkfront.h"
#include "vdev.h"
#include <pvguest/guest.h>

#define DEVICES     "device/vbd"
#define DEVICES_MAX 4096
#define TURN        64 /* calls that did not wait, till others may run */

static struct block *blocks; /* open ones */

/* The number that (name) is, or -1. */
static int64_t disk_number(const char *name)
{
    int64_t number = 0;

    if (!*name)
        return -1;
    for (; *name; name++) {
        if (*name < '0' || *name > '9')
            return -1;
        number = number * 10 + (*name - '0');
        if (number > UINT32_MAX)
            return -1;
    }
    return number;
}

/* Put (number) where it belongs in the (nr) that are there, ascending. */
static void insert_number(uint32_t *numbers, long nr, uint32_t number)
{
    for (; nr && numbers[nr - 1] > number; nr--)
        numbers[nr] = numbers[nr - 1];
    numbers[nr] = number;
}

/*
 * The virtual-device numbers of all disks, ascending, in a malloced array.
 * Returns how many, or negative errno.
 */
static long disk_numbers(uint32_t **numbers)
{
    char *names = malloc(DEVICES_MAX);
    long len, nr = 0;

    *numbers = names ? malloc(DEVICES_MAX / 2 * sizeof **numbers) : NULL;
    if (!*numbers) {
        free(names);
        return -ENOMEM;
    }
    len = store_directory(STORE_NO_TX, DEVICES, names, DEVICES_MAX);
    for (long at = 0; at < len; at += (long)strlen(names + at) + 1) {
        int64_t number = disk_number(names + at);

        if (number >= 0)
            insert_number(*numbers, nr++, (uint32_t)number);
    }
    free(names);
    return len < 0 ? len : nr;
}

static void block_free(struct block *block)
{
    timer_cancel(&block->again);
    free(block->parts);
    free(block->redo);
    free(block->free_parts);
    free(block->pool);
    free(block);
}

static struct block *block_open_number(uint32_t number)
{
    struct block *block;
    int rc;

    for (block = blocks; block; block = block->next) {
        if (block->info.virtual_device == number) {
            block->users++;
            return block;
        }
    }
    block = calloc(1, sizeof *block);
    if (!block)
        return NULL;
    block->users = 1;
    block->hs.ops = &block_handshake;
    block->info.virtual_device = number;
    vdev_name(number, block->info.vdev, sizeof block->info.vdev);
    guest_format(block->hs.node, sizeof block->hs.node, DEVICES "/%u", number);

    rc = handshake_open(&block->hs);
    if (rc) {
        guest_print("block: cannot open %s: error %d\n", block->info.vdev, -rc);
        block_free(block);
        return NULL;
    }
    block->next = blocks;
    blocks = block;
    return block;
}

struct block *block_open(unsigned index)
{
    struct block *block = NULL;
    uint32_t *numbers;
    long nr = disk_numbers(&numbers);
    GUEST_LOCKED;

    if (nr > (long)index)
        block = block_open_number(numbers[index]);
    free(numbers);
    return block;
}

struct block *block_find(const char *vdev)
{
    struct block *block = NULL;
    uint32_t *numbers;
    long nr = disk_numbers(&numbers);
    GUEST_LOCKED;

    for (long i = 0; i < nr && !block; i++) {
        char name[sizeof block->info.vdev];

        vdev_name(numbers[i], name, sizeof name);
        if (!strcmp(name, vdev))
            block = block_open_number(numbers[i]);
    }
    free(numbers);
    return block;
}

void block_close(struct block *block)
{
    struct block **at = &blocks;
    GUEST_LOCKED;

    if (--block->users)
        return;
    while (*at != block)
        at = &(*at)->next;
    *at = block->next;
    handshake_close(&block->hs);
    block_free(block);
}

void block_get_info(struct block *block, struct block_info *info)
{
    GUEST_LOCKED;

    *info = block->info;
}

unsigned block_nr_pending(const struct block *block)
{
    return block->nr_pending;
}

void block_use_persistent(bool on)
{
    block_wants_persistent = on;
}

/*
 * A backend that answers at once leaves us no reason to wait, ever: from time
 * to time let events and other threads in nevertheless.
 */
static void take_turns(void)
{
    static unsigned nr_calls;

    if (++nr_calls % TURN == 0)
        thread_yield();
}

unsigned block_poll(struct block *block, bool wait)
{
    unsigned nr;
    uint64_t told;
    GUEST_LOCKED;

    nr = block_drain(block);
    told = block->nr_told;
    if (wait)
        take_turns();
    if (nr || !wait)
        return nr;
    block_kick(block);
    block_drain(block);
    while (block->nr_told == told && block->nr_pending)
        thread_wait(&block->told, UINT64_MAX);
    return (unsigned)(block->nr_told - told);
}

static void sync_done(struct block_request *request)
{
    bool *done = request->context;

    *done = true;
}

/* Submit and wait: the thread is woken with all who wait for completions. */
static int block_do(struct block *block, enum block_op op, uint64_t sector,
                    void *buffer, uint32_t nr_sectors)
{
    bool done = false;
    struct block_request request = {
        .op = op,
        .sector = sector,
        .buffer = buffer,
        .nr_sectors = nr_sectors,
        .done = sync_done,
        .context = &done,
    };
    GUEST_LOCKED;

    block_submit(block, &request);
    block_kick(block);
    block_drain(block);
    take_turns();
    while (!done)
        thread_wait(&block->told, UINT64_MAX);
    return request.status;
}

int block_read(struct block *block, uint64_t sector, void *buffer,
               uint32_t nr_sectors)
{
    return block_do(block, BLOCK_READ, sector, buffer, nr_sectors);
}

int block_write(struct block *block, uint64_t sector, const void *buffer,
                uint32_t nr_sectors)
{
    /* A write only ever reads (buffer): its pages are lent read-only. */
    return block_do(block, BLOCK_WRITE, sector, (void *)(uintptr_t)buffer,
                    nr_sectors);
}

int block_flush(struct block *block)
{
    return block_do(block, BLOCK_FLUSH, 0, NULL, 0);
}

int block_discard(struct block *block, uint64_t sector, uint32_t nr_sectors)
{
    return block_do(block, BLOCK_DISCARD, sector, NULL, nr_sectors);
}
