/*
 * The block frontend, and backends that lie, refuse, and go away. Every test
 * ends with nothing lent and no page lost.
 */
#include <errno.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <pvguest/thread.h>

#include "disk_fixture.h"
#include "fake_block.h"
#include "fake_store.h"

TestSuite(block_hostile, .init = disk_simple, .fini = disk_close);
TestSuite(block_refused, .init = disk_backend, .fini = disk_nothing_lost);
TestSuite(block_gone, .init = disk_rich, .fini = disk_close);
TestSuite(block_taken, .init = disk_simple, .fini = disk_close);

static void expect_broken(void)
{
    uint8_t *data = disk_buffer(8);

    thread_sleep(1000000);
    cr_expect_eq(block_read(disk, 0, data, 8), -EIO);
    cr_expect_eq(fake_block.connected, false, "it was told to go");
    free(data);
}

static void one_unanswered(struct block_request *request, uint8_t *data)
{
    fake_block.deaf = true;
    disk_submit_reads(request, 1, data);
    block_kick(disk);
    cr_assert_eq(fake_block.nr_requests, 1);
}

Test(block_hostile, survives_ids_out_of_range)
{
    struct block_request request;
    uint8_t *data = disk_buffer(8);

    one_unanswered(&request, data);
    fake_block_respond(12345, BLKIF_OP_READ, 0);
    fake_block_run();
    ring_back_publish(&fake_block.ring);
    block_poll(disk, false);
    expect_broken();
    cr_expect_eq(disk_nr_done, 1);
    cr_expect_eq(disk_last_status, -EIO);
    free(data);
}

Test(block_hostile, survives_ids_not_outstanding)
{
    struct block_request request;
    uint8_t *data = disk_buffer(8);

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
Test(block_hostile, survives_double_responses)
{
    struct block_request request;
    uint8_t *data = disk_buffer(8);
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
    cr_expect_eq(disk_last_status, -EIO);
    free(data);
}

Test(block_hostile, survives_broken_indices)
{
    struct block_request request;
    uint8_t *data = disk_buffer(8);

    one_unanswered(&request, data);
    fake_block.ring.rsp_prod += 1000;
    ring_back_publish(&fake_block.ring);
    block_poll(disk, false);
    expect_broken();
    cr_expect_eq(disk_last_status, -EIO);
    free(data);
}

Test(block_refused, takes_no_disk_of_impossible_sectors)
{
    fake_block.sector_size = 3;
    fake_block_start();
    cr_expect_null(block_open(0));
}

Test(block_refused, gives_up_on_a_backend_that_always_refuses)
{
    fake_block.refuse = true;
    fake_block_start();
    cr_expect_null(block_open(0));
    cr_expect_eq(fake_block.nr_connects, 4);
}

Test(block_refused, does_not_wait_for_ever_for_a_backend)
{
    fake_store_write(FAKE_FRONT "/backend", FAKE_BACK);
    fake_store_write(FAKE_FRONT "/backend-id", "0");
    fake_store_write(FAKE_BACK "/state", "1");
    cr_expect_null(block_open(0));
}

/*
 * A backend goes and comes back.
 *
 * Given 200 requests, of which the backend took 128 and answered none,
 * when it leaves in an orderly way and another one takes its place,
 * then all are answered by the new one, once each.
 */
Test(block_gone, finds_a_new_backend)
{
    static struct block_request requests[200];
    uint8_t *data = disk_buffer(200 * 8);
    uint8_t *big = disk_buffer(MIB_SECTORS);

    fake_block.deaf = true;
    disk_submit_reads(requests, 200, data);
    block_kick(disk);
    cr_expect_eq(fake_block.nr_requests, 128);
    fake_block.deaf = false;
    fake_block_leave();
    while (disk_nr_done < 200)
        cr_assert_gt(block_poll(disk, true), 0);
    cr_expect_eq(disk_nr_done, 200);
    cr_expect_eq(fake_block.nr_connects, 2);
    cr_expect_arr_eq(data, disk_at(0), 200 * 4096);
    cr_expect_eq(block_read(disk, 0, big, MIB_SECTORS), 0);
    free(data);
    free(big);
}

/* The same, but the new one takes only small requests on a small ring. */
Test(block_gone, splits_anew_for_a_lesser_backend)
{
    static struct block_request requests[4];
    uint8_t *data = disk_buffer(4 * MIB_SECTORS);

    fake_block.deaf = true;
    for (unsigned i = 0; i < 4; i++) {
        requests[i] = (struct block_request){
            .op = i == 3 ? BLOCK_FLUSH : BLOCK_READ,
            .sector = i * MIB_SECTORS,
            .buffer = data + i * MIB_SECTORS * 512,
            .nr_sectors = MIB_SECTORS,
            .done = disk_done,
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
    while (disk_nr_done < 4)
        cr_assert_gt(block_poll(disk, true), 0);
    cr_expect_eq(disk_last_status, 0);
    cr_expect_arr_eq(data, disk_at(0), 3 * MIB_SECTORS * 512);
    free(data);
}

Test(block_taken, fails_what_waits)
{
    static struct block_request requests[100];
    uint8_t *data = disk_buffer(100 * 8);

    fake_block.deaf = fake_block.vanish = true;
    disk_submit_reads(requests, 100, data);
    block_kick(disk);
    fake_block_leave();
    while (disk_nr_done < 100)
        cr_assert_gt(block_poll(disk, true), 0);
    cr_expect_eq(disk_last_status, -ENODEV);
    cr_expect_eq(block_read(disk, 0, data, 8), -ENODEV);
    free(data);
}
