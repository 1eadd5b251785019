/*
 * The block frontend: what is asked of it, and what it makes of what a backend
 * offers. Every test ends with nothing lent and no page lost.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <pvguest/thread.h>

#include "disk_fixture.h"
#include "fake_block.h"
#include "fake_guest.h"
#include "fake_store.h"

TestSuite(block, .init = disk_simple, .fini = disk_close);
TestSuite(block_rich, .init = disk_rich, .fini = disk_close);
/* Opened by the test. */
TestSuite(block_made, .init = disk_backend, .fini = disk_close);

Test(block, finds_disks_by_name)
{
    struct block_info info;

    cr_expect_eq(block_find("xvda"), disk);
    block_close(disk);
    cr_expect_null(block_find("xvdb"));
    cr_expect_null(block_open(1));
    block_get_info(disk, &info);
    cr_expect_str_eq(info.vdev, "xvda");
    cr_expect_eq(info.virtual_device, 51712);
    cr_expect_eq(info.nr_sectors, FAKE_DISK_SECTORS);
    cr_expect_eq(info.sector_size, 512);
    cr_expect_eq(info.queue_depth, 32);
    cr_expect(info.can_flush && info.can_discard && !info.readonly);
}

Test(block, reads_and_writes_any_run_of_sectors)
{
    static const struct {
        uint64_t sector;
        uint32_t nr, offset;
    } runs[] = {{0, 1, 0},
                {3, 8, 512},
                {7, 88, 0},
                {1, 89, 1024},
                {100, 500, 3584},
                {8191, 1, 2048},
                {0, FAKE_DISK_SECTORS, 0}};

    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        uint32_t bytes = runs[i].nr * 512;
        uint8_t *data = disk_buffer(runs[i].nr + 8);
        uint8_t *at = data + runs[i].offset;

        cr_expect_eq(block_read(disk, runs[i].sector, at, runs[i].nr), 0);
        cr_expect_arr_eq(at, disk_at(runs[i].sector), bytes);
        memset(at, (int)i + 1, bytes);
        cr_expect_eq(block_write(disk, runs[i].sector, at, runs[i].nr), 0);
        cr_expect_arr_eq(disk_at(runs[i].sector), at, bytes);
        free(data);
    }
}

Test(block_rich, sends_large_requests_as_one)
{
    uint8_t *data = disk_buffer(MIB_SECTORS);
    struct block_info info;

    block_get_info(disk, &info);
    cr_expect_eq(info.max_request_sectors, MIB_SECTORS);
    cr_expect_eq(info.queue_depth, 128);
    cr_expect_eq(block_read(disk, 5, data, MIB_SECTORS), 0);
    cr_expect_arr_eq(data, disk_at(5), MIB_SECTORS * 512);
    cr_expect_eq(fake_block.nr_requests, 1);
    cr_expect_eq(fake_block.nr_segments_max, 256);
    free(data);
}

Test(block_made, obeys_the_backends_limit_of_segments)
{
    uint8_t *data = disk_buffer(MIB_SECTORS);

    fake_block.indirect = 20;
    disk_open();
    cr_expect_eq(block_read(disk, 5, data + 512, MIB_SECTORS), 0);
    cr_expect_arr_eq(data + 512, disk_at(5), MIB_SECTORS * 512);
    cr_expect_eq(fake_block.nr_segments_max, 20);
    free(data);
}

/*
 * More requests than slots.
 *
 * Given a ring of 32,
 * when 500 requests are submitted and one kick given,
 * then 32 cost one notification, the rest follow by themselves, all complete.
 */
Test(block, queues_what_the_ring_cannot_hold)
{
    static struct block_request requests[500];
    uint8_t *data = disk_buffer(500 * 8);

    disk_submit_reads(requests, 500, data);
    cr_expect_eq(fake_block.nr_requests, 0, "sent before the kick");
    block_kick(disk);
    cr_expect_eq(fake_block.nr_requests, 32);
    cr_expect_eq(fake_block.nr_notified, 1);
    while (disk_nr_done < 500)
        cr_assert_gt(block_poll(disk, true), 0);
    cr_expect_leq(fake_block.nr_notified, 500 / 32 + 1);
    cr_expect_arr_eq(data, disk_at(0), 500 * 4096);
    cr_expect_eq(block_poll(disk, true), 0, "nothing is outstanding");
    free(data);
}

Test(block, tells_those_who_do_not_poll)
{
    static struct block_request requests[100];
    uint8_t *data = disk_buffer(100 * 8);

    fake_block.late = true;
    disk_submit_reads(requests, 100, data);
    block_kick(disk);
    thread_sleep(1000);
    cr_expect_eq(disk_nr_done, 100);
    free(data);
}

static void again(struct block_request *request)
{
    if (++disk_nr_done < 10000) {
        block_submit(disk, request);
        block_kick(disk);
    }
}

/* A callback that submits for ever keeps nobody from running. */
Test(block, lets_others_run_beside_endless_callbacks)
{
    struct block_request request = {
        .op = BLOCK_FLUSH,
        .done = again,
    };

    block_submit(disk, &request);
    block_kick(disk);
    cr_expect_lt(block_poll(disk, false), 5000);
    cr_expect_lt(disk_nr_done, 5000);
    thread_sleep(1000);
    cr_expect_eq(disk_nr_done, 10000);
}

static bool another_ran;

static void another(void *arg)
{
    (void)arg;
    another_ran = true;
}

/* Nor does a loop of reads that never have to wait. */
Test(block, lets_others_run_beside_reads_that_never_wait)
{
    uint8_t *data = disk_buffer(8);

    thread_start(another, NULL);
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(block_read(disk, i * 8, data, 8), 0);
    cr_expect(another_ran);
    free(data);
}

Test(block, refuses_what_is_asked_wrongly)
{
    uint8_t *data = disk_buffer(16);

    cr_expect_eq(block_read(disk, FAKE_DISK_SECTORS, data, 1), -EINVAL);
    cr_expect_eq(block_read(disk, FAKE_DISK_SECTORS - 1, data, 2), -EINVAL);
    cr_expect_eq(block_read(disk, UINT64_MAX, data, 2), -EINVAL);
    cr_expect_eq(block_read(disk, 0, data + 1, 1), -EINVAL);
    cr_expect_eq(block_read(disk, 0, data + 256, 1), -EINVAL);
    cr_expect_eq(block_read(disk, 0, data, 0), -EINVAL);
    cr_expect_eq(block_discard(disk, 0, FAKE_DISK_SECTORS + 1), -EINVAL);
    cr_expect_eq(fake_block.nr_requests, 0);
    free(data);
}

Test(block, tells_of_refusals_even_to_those_who_do_not_poll)
{
    struct block_request request = {
        .op = BLOCK_READ,
        .sector = FAKE_DISK_SECTORS,
        .nr_sectors = 1,
        .done = disk_done,
    };

    block_submit(disk, &request);
    cr_expect_eq(disk_nr_done, 0, "not on the submitter's stack");
    thread_sleep(1000);
    cr_expect_eq(disk_nr_done, 1);
    cr_expect_eq(disk_last_status, -EINVAL);
}

Test(block_made, keeps_to_large_sectors)
{
    uint8_t *data = disk_buffer(64);

    fake_block.sector_size = 4096;
    disk_open();
    cr_expect_eq(block_read(disk, 1, data, 8), -EINVAL);
    cr_expect_eq(block_read(disk, 0, data, 7), -EINVAL);
    cr_expect_eq(block_read(disk, 0, data + 512, 8), -EINVAL);
    cr_expect_eq(block_read(disk, 8, data, 16), 0);
    cr_expect_arr_eq(data, disk_at(8), 16 * 512);
    free(data);
}

Test(block_made, does_not_write_to_what_is_read_only)
{
    uint8_t *data = disk_buffer(8);

    fake_block.readonly = true;
    disk_open();
    cr_expect_eq(block_write(disk, 0, data, 8), -EROFS);
    cr_expect_eq(block_discard(disk, 0, 8), -EROFS);
    cr_expect_eq(block_read(disk, 0, data, 8), 0);
    cr_expect_eq(block_flush(disk), 0);
    free(data);
}

Test(block, flushes_and_discards)
{
    cr_expect_eq(block_flush(disk), 0);
    cr_expect_eq(block_discard(disk, 8, 16), 0);
    cr_expect_eq(fake_block.nr_ops[BLKIF_OP_FLUSH_DISKCACHE], 1);
    cr_expect_eq(fake_block.nr_ops[BLKIF_OP_DISCARD], 1);
}

Test(block_made, says_so_when_flushes_are_not_supported)
{
    struct block_info info;

    fake_block.no_flush = true;
    disk_open();
    cr_expect_eq(block_flush(disk), -EOPNOTSUPP);
    fake_block.status = BLKIF_RSP_EOPNOTSUPP;
    cr_expect_eq(block_discard(disk, 8, 16), -EOPNOTSUPP);
    block_get_info(disk, &info);
    cr_expect_not(info.can_discard, "the backend's word counts");
}

Test(block, passes_errors_on)
{
    uint8_t *data = disk_buffer(500);

    fake_block.status = BLKIF_RSP_ERROR;
    cr_expect_eq(block_read(disk, 0, data, 8), -EIO);
    cr_expect_eq(block_read(disk, 0, data, 500), -EIO, "of any part");
    cr_expect_eq(block_flush(disk), -EIO);
    fake_block.status = BLKIF_RSP_OKAY;
    cr_expect_eq(block_read(disk, 0, data, 500), 0);
    free(data);
}

/*
 * A request is done when its pages are back, not when somebody says so.
 *
 * Given a backend that answers and keeps the page it was lent,
 * then the request stays open until the page is let go.
 */
Test(block, holds_requests_whose_pages_are_kept)
{
    static struct block_request request;
    uint8_t *data = disk_buffer(8);

    fake_block.keep = true;
    disk_submit_reads(&request, 1, data);
    block_kick(disk);
    cr_expect_eq(block_poll(disk, false), 0);
    thread_sleep(100000000);
    cr_expect_eq(disk_nr_done, 0);
    fake_block_let_go();
    thread_sleep(100000000);
    cr_expect_eq(disk_nr_done, 1);
    cr_expect_eq(disk_last_status, 0);
    free(data);
}

Test(block_rich, makes_do_with_few_grants)
{
    static struct block_request requests[64];
    uint8_t *data = disk_buffer(64 * 8);

    fake.grant_limit = fake_grants() + 3;
    disk_submit_reads(requests, 64, data);
    block_kick(disk);
    while (disk_nr_done < 64)
        cr_assert_gt(block_poll(disk, true), 0);
    cr_expect_arr_eq(data, disk_at(0), 64 * 4096);
    cr_expect_eq(block_read(disk, 0, data, 64 * 8), 0);
    free(data);
}

Test(block, fails_without_any_grant)
{
    uint8_t *data = disk_buffer(8);

    fake.grant_limit = fake_grants();
    cr_expect_eq(block_read(disk, 0, data, 8), -ENOMEM);
    fake.grant_limit = 100;
    cr_expect_eq(block_read(disk, 0, data, 8), 0);
    free(data);
}

Test(block_made, copies_through_persistent_pages)
{
    uint8_t *data = disk_buffer(MIB_SECTORS + 8);
    unsigned lent;

    fake_block.indirect = 32;
    fake_block.persistent = fake_block.keep = true;
    block_use_persistent(true);
    disk_open();
    cr_expect_eq(block_read(disk, 3, data + 512, MIB_SECTORS), 0);
    cr_expect_arr_eq(data + 512, disk_at(3), MIB_SECTORS * 512);
    lent = fake_grants();
    memset(data, 0x5a, 5000);
    cr_expect_eq(block_write(disk, 9, data + 1024, 7), 0);
    cr_expect_arr_eq(disk_at(9), data + 1024, 7 * 512);
    cr_expect_eq(fake_grants(), lent, "the pages stay lent");
    free(data);
}

Test(block_made, is_not_persistent_unasked)
{
    uint8_t *data = disk_buffer(8);

    fake_block.persistent = true;
    disk_open();
    cr_expect_str_eq(fake_store_read(FAKE_FRONT "/feature-persistent"), "0");
    fake_block.persistent = false;
    cr_expect_eq(block_write(disk, 0, data, 8), 0);
    free(data);
}
