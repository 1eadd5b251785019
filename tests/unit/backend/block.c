/*
 * host/backend/block.h: what a well-behaved frontend is promised of each kind
 * of request and ring.
 */
#include <criterion/criterion.h>

#include <string.h>

#include "fake_disk.h"

TestSuite(block, .init = disk_attach, .fini = disk_detach);
TestSuite(block_unconnected, .init = disk_make, .fini = disk_detach);

Test(block, tells_the_frontend_what_the_disk_is)
{
    cr_expect_str_eq(fake_back_key("sectors"), "2048");
    cr_expect_str_eq(fake_back_key("sector-size"), "512");
    cr_expect_str_eq(fake_back_key("info"), "0");
    cr_expect_str_eq(fake_back_key("mode"), "w");
    cr_expect_str_eq(fake_back_key("params"), disk_path);
    cr_expect_str_eq(fake_back_key("feature-flush-cache"), "1");
    cr_expect_str_eq(fake_back_key("feature-barrier"), "1");
    cr_expect_str_eq(fake_back_key("feature-discard"), "1");
    cr_expect_str_eq(fake_back_key("feature-persistent"), "1");
    cr_expect_str_eq(fake_back_key("feature-max-indirect-segments"), "256");
    cr_expect_str_eq(fake_back_key("max-ring-page-order"), "4");
}

Test(block, reads_pages)
{
    const grant_ref_t refs[] = {fake_grant(FIRST_DATA, false),
                                fake_grant(FIRST_DATA + 9, false)};
    const struct blkif_request req = disk_request(BLKIF_OP_READ, 24, refs, 2);

    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_page(FIRST_DATA, 24);
    disk_expect_page(FIRST_DATA + 9, 32);
    cr_expect_geq(fake_raised, 1);
    cr_expect_eq(grant_withdraw(&fake_offers, refs[0]), 0, "still borrowed");
}

Test(block, reads_into_part_of_a_page)
{
    const grant_ref_t ref = fake_grant(FIRST_DATA, false);
    struct blkif_request req = disk_request(BLKIF_OP_READ, 100, &ref, 1);
    uint8_t *page = fake_page(FIRST_DATA);

    req.seg[0].first_sect = 3;
    req.seg[0].last_sect = 4;
    memset(page, 0xee, PAGE_SIZE);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    cr_expect_eq(page[3 * 512 - 1], 0xee);
    cr_expect_eq(page[3 * 512], disk_byte(100));
    cr_expect_eq(page[5 * 512 - 1], disk_byte(101));
    cr_expect_eq(page[5 * 512], 0xee);
}

Test(block, reads_the_very_last_sector)
{
    const grant_ref_t ref = fake_grant(FIRST_DATA, false);
    struct blkif_request req =
        disk_request(BLKIF_OP_READ, DISK_SECTORS - 1, &ref, 1);

    req.seg[0].last_sect = 0;
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    cr_expect_eq(*(uint8_t *)fake_page(FIRST_DATA),
                 disk_byte(DISK_SECTORS - 1));
}

/* The guest may lend the page it writes from for reading only. */
Test(block, writes_from_pages_lent_for_reading)
{
    const grant_ref_t ref = fake_grant(FIRST_DATA, true);
    const struct blkif_request req = disk_request(BLKIF_OP_WRITE, 8, &ref, 1);

    memset(fake_page(FIRST_DATA), 0xa5, PAGE_SIZE);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_file(8, 0xa5, PAGE_SIZE);
    disk_expect_file(16, disk_byte(16), 512);
    disk_expect_file(7, disk_byte(7), 512);
}

/* A whole ring at once, answered by one event. */
Test(block, serves_a_full_ring)
{
    struct blkif_request reqs[32];

    cr_assert_eq(ring_front_room(&disk_ring), 32);
    for (unsigned i = 0; i < 32; i++) {
        const grant_ref_t ref = fake_grant(FIRST_DATA + i, false);

        reqs[i] = disk_request(BLKIF_OP_READ, 8 * i, &ref, 1);
        reqs[i].id = i;
        disk_put(&reqs[i]);
    }
    disk_publish();
    for (unsigned done = 0; done < 32;) {
        struct blkif_response rsp;

        if (!ring_front_take(&disk_ring, &rsp, sizeof rsp)) {
            cr_assert(ring_front_may_sleep(&disk_ring));
            fake_sleep();
            continue;
        }
        cr_expect_eq(rsp.status, BLKIF_RSP_OKAY);
        cr_assert_lt(rsp.id, 32);
        disk_expect_page(FIRST_DATA + (unsigned)rsp.id, 8 * rsp.id);
        done++;
    }
}

Test(block, flushes)
{
    const struct blkif_request req =
        disk_request(BLKIF_OP_FLUSH_DISKCACHE, 0, NULL, 0);

    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
}

Test(block, flushes_and_then_writes_the_data_of_a_flush)
{
    const grant_ref_t ref = fake_grant(FIRST_DATA, true);
    const struct blkif_request req =
        disk_request(BLKIF_OP_FLUSH_DISKCACHE, 80, &ref, 1);

    memset(fake_page(FIRST_DATA), 0x5a, PAGE_SIZE);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_file(80, 0x5a, PAGE_SIZE);
}

/*
 * Given writes before and after a barrier, all published at once,
 * then the answers of those before it precede its own, which precedes the rest.
 */
Test(block, orders_requests_around_a_barrier)
{
    enum { BEFORE = 5, AFTER = 4 };
    const grant_ref_t ref = fake_grant(FIRST_DATA, true);
    struct blkif_request req;

    for (unsigned i = 0; i < BEFORE + 1 + AFTER; i++) {
        req =
            disk_request(i == BEFORE ? BLKIF_OP_WRITE_BARRIER : BLKIF_OP_WRITE,
                         8 * i, &ref, 1);
        req.id = i;
        disk_put(&req);
    }
    disk_publish();
    for (unsigned i = 0; i < BEFORE + 1 + AFTER; i++) {
        struct blkif_response rsp;

        while (!ring_front_take(&disk_ring, &rsp, sizeof rsp)) {
            cr_assert(ring_front_may_sleep(&disk_ring));
            fake_sleep();
        }
        cr_expect_eq(rsp.status, BLKIF_RSP_OKAY);
        if (i < BEFORE)
            cr_expect_lt(rsp.id, BEFORE);
        else if (i == BEFORE)
            cr_expect_eq(rsp.id, BEFORE);
        else
            cr_expect_gt(rsp.id, BEFORE);
    }
}

Test(block, takes_an_empty_barrier_for_a_flush)
{
    const struct blkif_request req =
        disk_request(BLKIF_OP_WRITE_BARRIER, 0, NULL, 0);

    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
}

Test(block, discards)
{
    struct blkif_request_discard req = disk_discard(8, 16);

    cr_expect_eq(disk_do_discard(&req), BLKIF_RSP_OKAY);
    disk_expect_file(8, 0, 16 * 512);
    disk_expect_file(24, disk_byte(24), 512);
}

Test(block, discards_nothing_when_asked_to)
{
    struct blkif_request_discard req = disk_discard(DISK_SECTORS, 0);

    cr_expect_eq(disk_do_discard(&req), BLKIF_RSP_OKAY);
}

Test(block, refuses_what_it_does_not_offer)
{
    struct blkif_request_discard secure = disk_discard(8, 8);
    struct blkif_request req = disk_request(77, 0, NULL, 0);

    secure.flag = BLKIF_DISCARD_SECURE;
    cr_expect_eq(disk_do_discard(&secure), BLKIF_RSP_EOPNOTSUPP);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_EOPNOTSUPP);
    disk->discard = false;
    secure.flag = 0;
    cr_expect_eq(disk_do_discard(&secure), BLKIF_RSP_EOPNOTSUPP);
    disk_expect_file(8, disk_byte(8), 512);
}

/* Page (list) gets (nr) segments of pages from FIRST_DATA on. */
static struct blkif_request indirect(uint8_t operation, uint64_t sector,
                                     unsigned list, unsigned nr)
{
    struct blkif_request_segment *segments = fake_page(list);
    struct blkif_request_indirect req;
    struct blkif_request slot;

    for (unsigned i = 0; i < nr; i++)
        segments[i] = (struct blkif_request_segment){
            .gref = fake_grant(FIRST_DATA + i, false), .last_sect = 7};
    memset(&req, 0, sizeof req);
    req.operation = BLKIF_OP_INDIRECT;
    req.indirect_op = operation;
    req.nr_segments = (uint16_t)nr;
    req.id = sector;
    req.sector_number = sector;
    req.indirect_grefs[0] = fake_grant(list, true);
    memset(&slot, 0, sizeof slot);
    memcpy(&slot, &req, sizeof req);
    return slot;
}

Test(block, reads_a_megabyte_indirectly)
{
    const struct blkif_request req = indirect(BLKIF_OP_READ, 0, 40, 256);

    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    for (unsigned i = 0; i < 256; i++)
        disk_expect_page(FIRST_DATA + i, 8 * i);
}

Test(block, writes_indirectly)
{
    const struct blkif_request req = indirect(BLKIF_OP_WRITE, 8, 40, 20);

    for (unsigned i = 0; i < 20; i++)
        memset(fake_page(FIRST_DATA + i), 0x3c, PAGE_SIZE);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_file(8, 0x3c, 20 * PAGE_SIZE);
}

/* More indirect requests than there are lists: the rest must wait its turn. */
Test(block_unconnected, runs_out_of_indirect_lists_and_goes_on)
{
    enum { NR = 100 };
    struct blkif_request req;

    disk_open();
    cr_assert_eq(disk_connect(4), 0);
    cr_assert_eq(ring_front_room(&disk_ring), 512);
    req = indirect(BLKIF_OP_WRITE, 0, 40, 2);
    for (unsigned i = 0; i < NR; i++)
        disk_put(&req);
    disk_publish();
    for (unsigned i = 0; i < NR; i++)
        cr_assert_eq(disk_answer(req.id), BLKIF_RSP_OKAY);
}

/* Pages apart, slots across their edges: all 512 must come through. */
Test(block_unconnected, serves_a_ring_of_many_pages)
{
    grant_ref_t ref;

    disk_open();
    cr_assert_eq(disk_connect(4), 0);
    ref = fake_grant(FIRST_DATA, false);
    for (unsigned i = 0; i < 1100; i++) {
        const struct blkif_request req =
            disk_request(BLKIF_OP_READ, i, &ref, 1);

        cr_assert_eq(disk_do(&req), BLKIF_RSP_OKAY);
        disk_expect_page(FIRST_DATA, i);
    }
}

/* All kinds of requests, in slots as i386 lays them out. */
Test(block_unconnected, serves_a_ring_of_32_bits)
{
    grant_ref_t ref;
    struct blkif_request req;
    const struct blkif_request_discard discard = {
        .operation = BLKIF_OP_DISCARD,
        .id = 7,
        .sector_number = 32,
        .nr_sectors = 16,
    };

    disk_be_narrow();
    disk_open();
    cr_assert_eq(disk_connect(0), 0);
    cr_expect_eq(ring_front_room(&disk_ring), 32);
    ref = fake_grant(FIRST_DATA, false);
    for (unsigned i = 0; i < 70; i++) {
        req = disk_request(BLKIF_OP_READ, i, &ref, 1);
        cr_assert_eq(disk_do(&req), BLKIF_RSP_OKAY);
        disk_expect_page(FIRST_DATA, i);
    }
    memset(fake_page(FIRST_DATA), 0x5a, PAGE_SIZE);
    req = disk_request(BLKIF_OP_WRITE, 8, &ref, 1);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_file(8, 0x5a, PAGE_SIZE);
    memcpy(&req, &discard, sizeof discard); /* a slot takes all of a request */
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_file(32, 0, (size_t)16 * 512);
    disk_expect_file(48, disk_byte(48), 512);
}

Test(block_unconnected, keeps_persistent_grants_until_the_end)
{
    grant_ref_t ref;
    struct blkif_request req;

    disk_open();
    fake_front_key("feature-persistent", "1");
    cr_assert_eq(disk_connect(0), 0);
    ref = fake_grant(FIRST_DATA, false);
    for (unsigned i = 0; i < 3; i++) {
        req = disk_request(BLKIF_OP_READ, 8 * i, &ref, 1);
        cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
        disk_expect_page(FIRST_DATA, 8 * i);
        cr_expect_eq(grant_withdraw(&fake_offers, ref), -EBUSY);
    }
    fake_disconnect();
    cr_expect_eq(grant_withdraw(&fake_offers, ref), 0);
}

/* The frontend may lend any number of pages; we keep a bounded one. */
Test(block_unconnected, lets_old_persistent_grants_go)
{
    unsigned kept = 0;

    disk_open();
    fake_front_key("feature-persistent", "1");
    cr_assert_eq(disk_connect(0), 0);
    for (unsigned i = 0; i < 1500; i++) {
        const grant_ref_t ref = fake_grant(FIRST_DATA + i % 256, false);
        const struct blkif_request req =
            disk_request(BLKIF_OP_READ, i, &ref, 1);

        cr_assert_eq(disk_do(&req), BLKIF_RSP_OKAY);
        disk_expect_page(FIRST_DATA + i % 256, i);
    }
    for (unsigned i = 0; i < FAKE_PAGES; i++)
        kept += fake_dom.mem.frames[i].refs;
    cr_expect_eq(kept, 1056 + 1, "with the ring's page");
}
