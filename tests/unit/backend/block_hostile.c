/*
 * host/backend/block.h: what a hostile or broken frontend gets. A wrong request
 * is answered with an error and costs nothing; a broken ring is let go.
 */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "fake_disk.h"
#include "host/backend/block.h"

TestSuite(block_hostile, .init = disk_attach, .fini = disk_detach);

static grant_ref_t ref;
static struct blkif_request good(uint8_t operation)
{
    if (!ref)
        ref = fake_grant(FIRST_DATA, false);
    return disk_request(operation, 8, &ref, 1);
}

/* The error is answered, nothing is borrowed, and the next request works. */
static void expect_refused(const struct blkif_request *bad)
{
    const uint64_t pinned = fake_dom.grants.nr_pinned;
    struct blkif_request req = good(BLKIF_OP_READ);

    cr_expect_eq(disk_do(bad), BLKIF_RSP_ERROR);
    cr_expect_eq(fake_dom.grants.nr_pinned, pinned);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    cr_expect_eq(fake_failures, 0);
}

Test(block_hostile, gets_no_sectors_beyond_the_disk)
{
    const uint64_t sectors[] = {
        DISK_SECTORS,   DISK_SECTORS - 7, DISK_SECTORS + 1, UINT64_MAX,
        UINT64_MAX - 7, UINT64_MAX / 512, 1ull << 55,       (1ull << 55) - 8};

    for (size_t i = 0; i < sizeof sectors / sizeof *sectors; i++) {
        struct blkif_request req = good(BLKIF_OP_READ);

        req.sector_number = sectors[i];
        expect_refused(&req);
        req = good(BLKIF_OP_WRITE);
        req.sector_number = sectors[i];
        expect_refused(&req);
    }
}

Test(block_hostile, gets_no_bytes_beyond_a_page)
{
    const uint8_t ranges[][2] = {{0, 8}, {8, 8},   {4, 3},
                                 {7, 0}, {0, 255}, {255, 255}};

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct blkif_request req = good(BLKIF_OP_READ);

        req.seg[0].first_sect = ranges[i][0];
        req.seg[0].last_sect = ranges[i][1];
        expect_refused(&req);
    }
}

Test(block_hostile, gets_no_silly_number_of_segments)
{
    const uint8_t numbers[] = {0, 12, 13, 255};

    for (size_t i = 0; i < sizeof numbers; i++) {
        struct blkif_request req = good(BLKIF_OP_READ);

        req.nr_segments = numbers[i];
        expect_refused(&req);
    }
}

Test(block_hostile, gets_no_page_it_did_not_grant)
{
    const grant_ref_t wrong[] = {0, 8, 9000, 100000, UINT32_MAX};

    good(BLKIF_OP_READ);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct blkif_request req = good(BLKIF_OP_READ);

        req.seg[0].gref = wrong[i] == 8 ? ref + 1 : wrong[i];
        expect_refused(&req);
    }
}

/* The third of three segments is bad: the first two must be given back. */
Test(block_hostile, gives_back_the_first_pages_of_a_request_that_fails)
{
    const grant_ref_t refs[] = {fake_grant(FIRST_DATA + 1, false),
                                fake_grant(FIRST_DATA + 2, false), 9000};
    const struct blkif_request req = disk_request(BLKIF_OP_READ, 0, refs, 3);

    expect_refused(&req);
    cr_expect_eq(grant_withdraw(&fake_offers, refs[0]), 0);
    cr_expect_eq(grant_withdraw(&fake_offers, refs[1]), 0);
}

Test(block_hostile, cannot_have_a_readonly_page_written)
{
    const grant_ref_t readonly = fake_grant(FIRST_DATA + 1, true);
    const struct blkif_request req =
        disk_request(BLKIF_OP_READ, 0, &readonly, 1);

    expect_refused(&req);
    cr_expect_eq(*(uint8_t *)fake_page(FIRST_DATA + 1), 0);
}

static grant_ref_t grant_mfn(mfn_t mfn)
{
    return (grant_ref_t)grant_offer(&fake_offers, BACKEND_ID, (uint32_t)mfn,
                                    false);
}

Test(block_hostile, cannot_lend_what_it_does_not_own)
{
    mfn_t mfns[] = {
        0, 1, UINT32_MAX, fake_mfn(FAKE_PAGES + 100), 0, fake_mfn(300)};
    size_t shared;

    cr_assert_not_null(memory_take_frame(&fake_dom.mem, &shared));
    mfns[4] = memory_mfn(&fake_dom.mem, shared);
    cr_assert_eq(memory_release(&fake_dom.mem, fake_mfn(300)), 0);
    for (size_t i = 0; i < sizeof mfns / sizeof *mfns; i++) {
        const grant_ref_t wrong = grant_mfn(mfns[i]);
        const struct blkif_request req =
            disk_request(BLKIF_OP_READ, 0, &wrong, 1);

        expect_refused(&req);
    }
}

/* The disk's bytes must not become page-table entries. */
Test(block_hostile, cannot_have_its_page_tables_written)
{
    struct frame *frame = memory_record(&fake_dom.mem, fake_mfn(300));
    const grant_ref_t table = fake_grant(300, false);
    struct blkif_request req = disk_request(BLKIF_OP_READ, 0, &table, 1);

    frame->type = TYPE_L1;
    frame->uses = 1;
    expect_refused(&req);
    req = disk_request(BLKIF_OP_WRITE, 0, &table, 1);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY, "reading it is no harm");
    frame->uses = 0;
}

static struct blkif_request indirect(unsigned nr, grant_ref_t list)
{
    struct blkif_request_indirect req;
    struct blkif_request slot;

    memset(&req, 0, sizeof req);
    req.operation = BLKIF_OP_INDIRECT;
    req.indirect_op = BLKIF_OP_READ;
    req.nr_segments = (uint16_t)nr;
    req.id = 99;
    req.indirect_grefs[0] = list;
    memset(&slot, 0, sizeof slot);
    memcpy(&slot, &req, sizeof req);
    return slot;
}

Test(block_hostile, gets_no_nonsense_indirectly)
{
    struct blkif_request_segment *segments = fake_page(40);
    const grant_ref_t list = fake_grant(40, true);
    struct blkif_request req;

    req = indirect(0, list);
    expect_refused(&req);
    req = indirect(257, list);
    expect_refused(&req);
    req = indirect(UINT16_MAX, list);
    expect_refused(&req);
    req = indirect(1, 9000);
    expect_refused(&req);
    memset(segments, 0xff, PAGE_SIZE);
    req = indirect(256, list);
    expect_refused(&req);
    memset(segments, 0, PAGE_SIZE); /* good ranges of reference 0 */
    expect_refused(&req);
    segments[0] = (struct blkif_request_segment){.gref = ref, .last_sect = 7};
    expect_refused(&req);
    segments[0].last_sect = 7;
    req = indirect(1, list);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
}

Test(block_hostile, cannot_nest_indirect_requests)
{
    const grant_ref_t list = fake_grant(40, true);
    struct blkif_request req = indirect(1, list);
    const uint8_t operations[] = {BLKIF_OP_INDIRECT, BLKIF_OP_DISCARD,
                                  BLKIF_OP_WRITE_BARRIER, 200};

    for (size_t i = 0; i < sizeof operations; i++) {
        ((struct blkif_request_indirect *)(void *)&req)->indirect_op =
            operations[i];
        cr_expect_eq(disk_do(&req), BLKIF_RSP_EOPNOTSUPP);
    }
}

Test(block_hostile, gets_no_discard_beyond_the_disk)
{
    const uint64_t ranges[][2] = {{DISK_SECTORS, 1},
                                  {0, DISK_SECTORS + 1},
                                  {8, UINT64_MAX},
                                  {UINT64_MAX, 2},
                                  {UINT64_MAX, UINT64_MAX}};

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct blkif_request slot;
        struct blkif_request_discard req;

        memset(&req, 0, sizeof req);
        req.operation = BLKIF_OP_DISCARD;
        req.sector_number = ranges[i][0];
        req.nr_sectors = ranges[i][1];
        memset(&slot, 0, sizeof slot);
        memcpy(&slot, &req, sizeof req);
        expect_refused(&slot);
    }
}

/*
 * Every shared counter, with values that are wrong in every way: the host never
 * serves more than the ring has, and lets the device go at the first lie that
 * it can see (req_prod). The other counters are only hints to it.
 */
Test(block_hostile, survives_every_index_of_its_ring)
{
    const uint32_t lies[] = {33, 64, 1u << 16, 1u << 31, UINT32_MAX};
    const unsigned event_or_response[] = {1, 2, 3};
    uint32_t *header = fake_page(0);

    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < sizeof lies / sizeof *lies; j++) {
            header[event_or_response[i]] = lies[j];
            fake_notify();
            cr_expect_eq(fake_failures, 0);
        }
    }
    for (size_t j = 0; j < sizeof lies / sizeof *lies; j++) {
        memset(header, 0, 64);
        if (!fake_bound)
            cr_assert_eq(fake_connect(), 0);
        header[0] = lies[j];
        fake_notify();
        cr_expect_eq(fake_failures, j + 1, "lie %u", lies[j]);
        cr_expect_not(fake_bound);
    }
    cr_expect_eq(fake_dom.end, DOMAIN_RUNS);
}

Test(block_hostile, is_let_go_with_requests_in_flight)
{
    uint32_t *req_prod = fake_page(0);

    for (unsigned i = 0; i < 20; i++) {
        const struct blkif_request req = good(BLKIF_OP_WRITE);

        disk_put(&req);
    }
    ring_front_publish(&disk_ring);
    fake_notify();
    *req_prod += 1000;
    fake_notify();
    cr_expect_eq(fake_failures, 1);
    cr_expect_not(fake_bound);
}

Test(block_hostile, cannot_connect_with_a_ring_that_lies)
{
    uint32_t *header = fake_page(0);

    fake_disconnect();
    header[0] = 33; /* req_prod, with rsp_prod 0 */
    cr_expect_neq(fake_connect(), 0);
    cr_expect_not(fake_bound);
    cr_expect_eq(fake_failures, 1);
}

static void expect_no_connection(const char *key, const char *value)
{
    const unsigned failures = fake_failures;

    fake_front_key(key, value);
    cr_expect_neq(fake_connect(), 0, "%s = %s", key, value);
    cr_expect_eq(fake_failures, failures + 1);
    cr_expect_not(fake_bound);
    cr_expect_eq(fake_dom.grants.nr_pinned, 0);
}

Test(block_hostile, cannot_connect_with_wrong_keys)
{
    fake_disconnect();
    expect_no_connection("event-channel", "88");
    expect_no_connection("event-channel", "x");
    expect_no_connection("event-channel", NULL);
    fake_front_key("event-channel", "7");
    expect_no_connection("protocol", "arm-abi");
    expect_no_connection("protocol",
                         "a protocol with a name longer than any that exists");
    fake_front_key("protocol", NULL);
    expect_no_connection("multi-queue-num-queues", "2");
    expect_no_connection("multi-queue-num-queues", "0");
    fake_front_key("multi-queue-num-queues", NULL);
    expect_no_connection("ring-page-order", "5");
    expect_no_connection("ring-page-order", "4294967295");
    expect_no_connection("ring-page-order", "1"); /* without ring-ref0 */
    fake_front_key("ring-ref0", "8");
    expect_no_connection("ring-ref1", "9999");
    fake_front_key("ring-page-order", NULL);
    expect_no_connection("ring-ref", "9999");
}

/* The guest closes the port under us: nothing is raised, nothing leaks. */
Test(block_hostile, may_close_its_port)
{
    const struct blkif_request req = good(BLKIF_OP_READ);

    disk_put(&req);
    fake_close_port();
    ring_front_publish(&disk_ring);
    block_poll_all(&fake_dom);
}
