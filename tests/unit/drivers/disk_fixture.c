#include "disk_fixture.h"

#include <stdlib.h>

#include <criterion/criterion.h>

#include "fake_block.h"
#include "fake_guest.h"
#include "fake_store.h"

struct block *disk;
unsigned disk_nr_done;
int disk_last_status;

void disk_backend(void)
{
    fake_guest_init();
    fake_store_init();
    fake_block_init();
}

void disk_open(void)
{
    fake_block_start();
    disk = block_open(0);
    cr_assert_not_null(disk);
}

void disk_simple(void)
{
    disk_backend();
    disk_open();
}

void disk_rich(void)
{
    disk_backend();
    fake_block.order = 2;
    fake_block.indirect = 256;
    disk_open();
}

void disk_nothing_lost(void)
{
    cr_expect_eq(fake_grants(), 0, "%u pages still lent", fake_grants());
    cr_expect_eq(fake.pages_used, 0, "%ld pages lost", fake.pages_used);
}

void disk_close(void)
{
    block_close(disk);
    disk_nothing_lost();
}

uint8_t *disk_buffer(uint32_t nr_sectors)
{
    return aligned_alloc(4096, (nr_sectors * 512 + 8191) & ~4095u);
}

const uint8_t *disk_at(uint64_t sector)
{
    return fake_block.disk + sector * 512;
}

void disk_done(struct block_request *request)
{
    disk_nr_done++;
    disk_last_status = request->status;
}

void disk_submit_reads(struct block_request *requests, unsigned nr,
                       uint8_t *data)
{
    for (unsigned i = 0; i < nr; i++) {
        requests[i] = (struct block_request){
            .op = BLOCK_READ,
            .sector = i * 8,
            .buffer = data + i * 4096,
            .nr_sectors = 8,
            .done = disk_done,
        };
        block_submit(disk, &requests[i]);
    }
}
