/*
 * The block frontend, and backends good and bad. Every test ends with nothing
 * lent and no page lost.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <pvdrivers/block.h>
#include <pvguest/thread.h>

#include "fake_block.h"
#include "fake_guest.h"
#include "fake_store.h"

#define MIB_SECTORS 2048u

static struct block *disk;

static void backend(void)
{
    fake_guest_init();
    fake_store_init();
    fake_block_init();
}

static void opened(void)
{
    fake_block_start();
    disk = block_open(0);
    cr_assert_not_null(disk);
}

static void simple(void)
{
    backend();
    opened();
}

static void rich(void)
{
    backend();
    fake_block.order = 2;
    fake_block.indirect = 256;
    opened();
}

static void closed(void)
{
    block_close(disk);
    cr_expect_eq(fake_grants(), 0, "%u pages still lent", fake_grants());
    cr_expect_eq(fake.pages_used, 0, "%ld pages lost", fake.pages_used);
}

static uint8_t *buffer(uint32_t nr_sectors)
{
    return aligned_alloc(4096, (nr_sectors * 512 + 8191) & ~4095u);
}

static const uint8_t *disk_at(uint64_t sector)
{
    return fake_block.disk + sector * 512;
}

TestSuite(block, .init = simple);
TestSuite(block_rich, .init = rich);
TestSuite(block_made, .init = backend); /* as the test says */

TEST_ENDING(block, finds_disks_by_name, closed)
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

TEST_ENDING(block, reads_and_writes_any_run_of_sectors, closed)
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
        uint8_t *data = buffer(runs[i].nr + 8);
        uint8_t *at = data + runs[i].offset;

        cr_expect_eq(block_read(disk, runs[i].sector, at, runs[i].nr), 0);
        cr_expect_arr_eq(at, disk_at(runs[i].sector), bytes);
        memset(at, (int)i + 1, bytes);
        cr_expect_eq(block_write(disk, runs[i].sector, at, runs[i].nr), 0);
        cr_expect_arr_eq(disk_at(runs[i].sector), at, bytes);
        free(data);
    }
}

TEST_ENDING(block_rich, sends_large_requests_as_one, closed)
{
    uint8_t *data = buffer(MIB_SECTORS);
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

TEST_ENDING(block_made, obeys_the_backends_limit_of_segments, closed)
{
    uint8_t *data = buffer(MIB_SECTORS);

    fake_block.indirect = 20;
    opened();
    cr_expect_eq(block_read(disk, 5, data + 512, MIB_SECTORS), 0);
    cr_expect_arr_eq(data + 512, disk_at(5), MIB_SECTORS * 512);
    cr_expect_eq(fake_block.nr_segments_max, 20);
    free(data);
}

static unsigned nr_done;
static int last_status;

static void done(struct block_request *request)
{
    nr_done++;
    last_status = request->status;
}

static void submit_reads(struct block_request *requests, unsigned nr,
                         uint8_t *data)
{
    for (unsigned i = 0; i < nr; i++) {
        requests[i] = (struct block_request){
            .op = BLOCK_READ,
            .sector = i * 8,
            .buffer = data + i * 4096,
            .nr_sectors = 8,
            .done = done,
        };
        block_submit(disk, &requests[i]);
    }
}

/*
 * More requests than slots.
 *
 * Given a ring of 32,
 * when 500 requests are submitted and one kick given,
 * then 32 cost one notification, the rest follow by themselves, all complete.
 */
TEST_ENDING(block, queues_what_the_ring_cannot_hold, closed)
{
    static struct block_request requests[500];
    uint8_t *data = buffer(500 * 8);

    submit_reads(requests, 500, data);
    cr_expect_eq(fake_block.nr_requests, 0, "sent before the kick");
    block_kick(disk);
    cr_expect_eq(fake_block.nr_requests, 32);
    cr_expect_eq(fake_block.nr_notified, 1);
    while (nr_done < 500)
        cr_assert_gt(block_poll(disk, true), 0);
    cr_expect_leq(fake_block.nr_notified, 500 / 32 + 1);
    cr_expect_arr_eq(data, disk_at(0), 500 * 4096);
    cr_expect_eq(block_poll(disk, true), 0, "nothing is outstanding");
    free(data);
}

TEST_ENDING(block, tells_those_who_do_not_poll, closed)
{
    static struct block_request requests[100];
    uint8_t *data = buffer(100 * 8);

    fake_block.late = true;
    submit_reads(requests, 100, data);
    block_kick(disk);
    thread_sleep(1000);
    cr_expect_eq(nr_done, 100);
    free(data);
}

static void again(struct block_request *request)
{
    if (++nr_done < 10000) {
        block_submit(disk, request);
        block_kick(disk);
    }
}

/* A callback that submits for ever keeps nobody from running. */
TEST_ENDING(block, lets_others_run_beside_endless_callbacks, closed)
{
    struct block_request request = {
        .op = BLOCK_FLUSH,
        .done = again,
    };

    block_submit(disk, &request);
    block_kick(disk);
    cr_expect_lt(block_poll(disk, false), 5000);
    cr_expect_lt(nr_done, 5000);
    thread_sleep(1000);
    cr_expect_eq(nr_done, 10000);
}

static bool another_ran;

static void another(void *arg)
{
    (void)arg;
    another_ran = true;
}

/* Nor does a loop of reads that never have to wait. */
TEST_ENDING(block, lets_others_run_beside_reads_that_never_wait, closed)
{
    uint8_t *data = buffer(8);

    thread_start(another, NULL);
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(block_read(disk, i * 8, data, 8), 0);
    cr_expect(another_ran);
    free(data);
}

TEST_ENDING(block, refuses_what_is_asked_wrongly, closed)
{
    uint8_t *data = buffer(16);

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

TEST_ENDING(block, tells_of_refusals_even_to_those_who_do_not_poll, closed)
{
    struct block_request request = {
        .op = BLOCK_READ,
        .sector = FAKE_DISK_SECTORS,
        .nr_sectors = 1,
        .done = done,
    };

    block_submit(disk, &request);
    cr_expect_eq(nr_done, 0, "not on the submitter's stack");
    thread_sleep(1000);
    cr_expect_eq(nr_done, 1);
    cr_expect_eq(last_status, -EINVAL);
}

TEST_ENDING(block_made, keeps_to_large_sectors, closed)
{
    uint8_t *data = buffer(64);

    fake_block.sector_size = 4096;
    opened();
    cr_expect_eq(block_read(disk, 1, data, 8), -EINVAL);
    cr_expect_eq(block_read(disk, 0, data, 7), -EINVAL);
    cr_expect_eq(block_read(disk, 0, data + 512, 8), -EINVAL);
    cr_expect_eq(block_read(disk, 8, data, 16), 0);
    cr_expect_arr_eq(data, disk_at(8), 16 * 512);
    free(data);
}

TEST_ENDING(block_made, does_not_write_to_what_is_read_only, closed)
{
    uint8_t *data = buffer(8);

    fake_block.readonly = true;
    opened();
    cr_expect_eq(block_write(disk, 0, data, 8), -EROFS);
    cr_expect_eq(block_discard(disk, 0, 8), -EROFS);
    cr_expect_eq(block_read(disk, 0, data, 8), 0);
    cr_expect_eq(block_flush(disk), 0);
    free(data);
}

TEST_ENDING(block, flushes_and_discards, closed)
{
    cr_expect_eq(block_flush(disk), 0);
    cr_expect_eq(block_discard(disk, 8, 16), 0);
    cr_expect_eq(fake_block.nr_ops[BLKIF_OP_FLUSH_DISKCACHE], 1);
    cr_expect_eq(fake_block.nr_ops[BLKIF_OP_DISCARD], 1);
}

TEST_ENDING(block_made, says_so_when_flushes_are_not_supported, closed)
{
    struct block_info info;

    fake_block.no_flush = true;
    opened();
    cr_expect_eq(block_flush(disk), -EOPNOTSUPP);
    fake_block.status = BLKIF_RSP_EOPNOTSUPP;
    cr_expect_eq(block_discard(disk, 8, 16), -EOPNOTSUPP);
    block_get_info(disk, &info);
    cr_expect_not(info.can_discard, "the backend's word counts");
}

TEST_ENDING(block, passes_errors_on, closed)
{
    uint8_t *data = buffer(500);

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
TEST_ENDING(block, holds_requests_whose_pages_are_kept, closed)
{
    static struct block_request request;
    uint8_t *data = buffer(8);

    fake_block.keep = true;
    submit_reads(&request, 1, data);
    block_kick(disk);
    cr_expect_eq(block_poll(disk, false), 0);
    thread_sleep(100000000);
    cr_expect_eq(nr_done, 0);
    fake_block_let_go();
    thread_sleep(100000000);
    cr_expect_eq(nr_done, 1);
    cr_expect_eq(last_status, 0);
    free(data);
}

TEST_ENDING(block_rich, makes_do_with_few_grants, closed)
{
    static struct block_request requests[64];
    uint8_t *data = buffer(64 * 8);

    fake.grant_limit = fake_grants() + 3;
    submit_reads(requests, 64, data);
    block_kick(disk);
    while (nr_done < 64)
        cr_assert_gt(block_poll(disk, true), 0);
    cr_expect_arr_eq(data, disk_at(0), 64 * 4096);
    cr_expect_eq(block_read(disk, 0, data, 64 * 8), 0);
    free(data);
}

TEST_ENDING(block, fails_without_any_grant, closed)
{
    uint8_t *data = buffer(8);

    fake.grant_limit = fake_grants();
    cr_expect_eq(block_read(disk, 0, data, 8), -ENOMEM);
    fake.grant_limit = 100;
    cr_expect_eq(block_read(disk, 0, data, 8), 0);
    free(data);
}

TEST_ENDING(block_made, copies_through_persistent_pages, closed)
{
    uint8_t *data = buffer(MIB_SECTORS + 8);
    unsigned lent;

    fake_block.indirect = 32;
    fake_block.persistent = fake_block.keep = true;
    block_use_persistent(true);
    opened();
    cr_expect_eq(block_read(disk, 3, data + 512, MIB_SECTORS), 0);
    cr_expect_arr_eq(data + 512, disk_at(3), MIB_SECTORS * 512);
    lent = fake_grants();
    memset(data, 0x5a, 5000);
    cr_expect_eq(block_write(disk, 9, data + 1024, 7), 0);
    cr_expect_arr_eq(disk_at(9), data + 1024, 7 * 512);
    cr_expect_eq(fake_grants(), lent, "the pages stay lent");
    free(data);
}

TEST_ENDING(block_made, is_not_persistent_unasked, closed)
{
    uint8_t *data = buffer(8);

    fake_block.persistent = true;
    opened();
    cr_expect_str_eq(fake_store_read(FAKE_FRONT "/feature-persistent"), "0");
    fake_block.persistent = false;
    cr_expect_eq(block_write(disk, 0, data, 8), 0);
    free(data);
}

/* A backend that lies. */

static void expect_broken(void)
{
    uint8_t *data = buffer(8);

    thread_sleep(1000000);
    cr_expect_eq(block_read(disk, 0, data, 8), -EIO);
    cr_expect_eq(fake_block.connected, false, "it was told to go");
    free(data);
}

static void one_unanswered(struct block_request *request, uint8_t *data)
{
    fake_block.deaf = true;
    submit_reads(request, 1, data);
    block_kick(disk);
    cr_assert_eq(fake_block.nr_requests, 1);
}

TEST_ENDING(block, survives_ids_out_of_range, closed)
{
    struct block_request request;
    uint8_t *data = buffer(8);

    one_unanswered(&request, data);
    fake_block_respond(12345, BLKIF_OP_READ, 0);
    fake_block_run();
    ring_back_publish(&fake_block.ring);
    block_poll(disk, false);
    expect_broken();
    cr_expect_eq(nr_done, 1);
    cr_expect_eq(last_status, -EIO);
    free(data);
}

TEST_ENDING(block, survives_ids_not_outstanding, closed)
{
    struct block_request request;
    uint8_t *data = buffer(8);

    one_unanswered(&request, data);
    fake_block_respond(fake_block.last_id ^ 1, BLKIF_OP_READ, 0);
    ring_back_publish(&fake_block.ring);
    block_poll(disk, false);
    expect_broken();
    free(data);
}

/*
 * Answering twice.
 *
 * Given two requests, one after the other in the same slot of our table,
 * when the second is answered with the id of the first,
 * then the second is not taken for done.
 */
TEST_ENDING(block, survives_double_responses, closed)
{
    struct block_request request;
    uint8_t *data = buffer(8);
    uint64_t first;

    cr_assert_eq(block_read(disk, 0, data, 8), 0);
    first = fake_block.last_id;
    fake_block.nr_requests = 0;
    one_unanswered(&request, data);
    cr_assert_neq(fake_block.last_id, first);
    fake_block_respond(first, BLKIF_OP_READ, 0);
    ring_back_publish(&fake_block.ring);
    block_poll(disk, false);
    expect_broken();
    cr_expect_eq(last_status, -EIO);
    free(data);
}

TEST_ENDING(block, survives_broken_indices, closed)
{
    struct block_request request;
    uint8_t *data = buffer(8);

    one_unanswered(&request, data);
    fake_block.ring.rsp_prod += 1000;
    ring_back_publish(&fake_block.ring);
    block_poll(disk, false);
    expect_broken();
    cr_expect_eq(last_status, -EIO);
    free(data);
}

Test(block_refused, takes_no_disk_of_impossible_sectors, .init = backend)
{
    fake_block.sector_size = 3;
    fake_block_start();
    cr_expect_null(block_open(0));
    cr_expect_eq(fake_grants(), 0);
    cr_expect_eq(fake.pages_used, 0);
}

Test(block_refused, gives_up_on_a_backend_that_always_refuses, .init = backend)
{
    fake_block.refuse = true;
    fake_block_start();
    cr_expect_null(block_open(0));
    cr_expect_eq(fake_block.nr_connects, 4);
    cr_expect_eq(fake_grants(), 0);
    cr_expect_eq(fake.pages_used, 0);
}

Test(block_refused, does_not_wait_for_ever_for_a_backend, .init = backend)
{
    fake_store_write(FAKE_FRONT "/backend", FAKE_BACK);
    fake_store_write(FAKE_FRONT "/backend-id", "0");
    fake_store_write(FAKE_BACK "/state", "1");
    cr_expect_null(block_open(0));
    cr_expect_eq(fake_grants(), 0);
}

/*
 * A backend goes and comes back.
 *
 * Given 100 requests, of which the backend took 32 and answered none,
 * when it leaves in an orderly way and another one takes its place,
 * then all are answered by the new one, once each.
 */
TEST_ENDING(block_rich, finds_a_new_backend, closed)
{
    static struct block_request requests[200];
    uint8_t *data = buffer(200 * 8);
    uint8_t *big = buffer(MIB_SECTORS);

    fake_block.deaf = true;
    submit_reads(requests, 200, data);
    block_kick(disk);
    cr_expect_eq(fake_block.nr_requests, 128);
    fake_block.deaf = false;
    fake_block_leave();
    while (nr_done < 200)
        cr_assert_gt(block_poll(disk, true), 0);
    cr_expect_eq(nr_done, 200);
    cr_expect_eq(fake_block.nr_connects, 2);
    cr_expect_arr_eq(data, disk_at(0), 200 * 4096);
    cr_expect_eq(block_read(disk, 0, big, MIB_SECTORS), 0);
    free(data);
    free(big);
}

/* The same, but the new one takes only small requests on a small ring. */
TEST_ENDING(block_rich, splits_anew_for_a_lesser_backend, closed)
{
    static struct block_request requests[4];
    uint8_t *data = buffer(4 * MIB_SECTORS);

    fake_block.deaf = true;
    for (unsigned i = 0; i < 4; i++) {
        requests[i] = (struct block_request){
            .op = i == 3 ? BLOCK_FLUSH : BLOCK_READ,
            .sector = i * MIB_SECTORS,
            .buffer = data + i * MIB_SECTORS * 512,
            .nr_sectors = MIB_SECTORS,
            .done = done,
        };
        block_submit(disk, &requests[i]);
    }
    block_kick(disk);
    cr_expect_eq(fake_block.nr_requests, 4);
    fake_block.deaf = false;
    fake_block.order = fake_block.indirect = 0;
    fake_store_write(FAKE_BACK "/max-ring-page-order", "0");
    fake_store_write(FAKE_BACK "/feature-max-indirect-segments", "0");
    fake_block_leave();
    while (nr_done < 4)
        cr_assert_gt(block_poll(disk, true), 0);
    cr_expect_eq(last_status, 0);
    cr_expect_arr_eq(data, disk_at(0), 3 * MIB_SECTORS * 512);
    free(data);
}

TEST_ENDING(block, fails_what_waits_when_the_disk_is_taken_away, closed)
{
    static struct block_request requests[100];
    uint8_t *data = buffer(100 * 8);

    fake_block.deaf = fake_block.vanish = true;
    submit_reads(requests, 100, data);
    block_kick(disk);
    fake_block_leave();
    while (nr_done < 100)
        cr_assert_gt(block_poll(disk, true), 0);
    cr_expect_eq(last_status, -ENODEV);
    cr_expect_eq(block_read(disk, 0, data, 8), -ENODEV);
    free(data);
}
