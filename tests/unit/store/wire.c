/* The byte streams: any split, any start, any length, any lie. */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/unit/store/guest.h"

TestSuite(store_wire, .init = guest_start, .fini = guest_stop);

Test(store_wire, a_request_byte_for_byte)
{
    static const uint8_t request[] = {2,    0, 0,   0,   0x78, 0x56, 0x34,
                                      0x12, 0, 0,   0,   0,    5,    0,
                                      0,    0, 'n', 'a', 'm',  'e',  0};
    static const uint8_t expected[] = {
        2, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 0,   0,   0,
        0, 6, 0, 0, 0,    't',  'e',  's',  't', 'e', 'r'};
    uint8_t reply[64];

    cr_assert_eq(guest_push(request, sizeof request), sizeof request);
    connection_serve(conn);
    cr_assert_eq(guest_pull(reply, sizeof reply), sizeof expected);
    cr_expect_eq(memcmp(reply, expected, sizeof expected), 0);
    cr_expect_eq(kicks, 1);
}

Test(store_wire, a_request_may_come_one_byte_at_a_time)
{
    const struct xsd_sockmsg header = {.type = XS_READ, .req_id = 7, .len = 5};
    uint8_t bytes[sizeof header + 5];
    struct reply reply;

    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + sizeof header, "name", 5);
    for (size_t i = 0; i < sizeof bytes; i++) {
        cr_expect_eq(page->rsp_prod, 0);
        guest_push(bytes + i, 1);
        connection_serve(conn);
        cr_expect_eq(page->req_cons, i + 1);
    }
    cr_assert(guest_take(&reply));
    cr_expect_str_eq(reply.payload, "tester");
    cr_expect_eq(kicks, sizeof bytes, "told of each byte taken");
}

Test(store_wire, counters_start_anywhere_and_wrap)
{
    static const uint32_t starts[] = {1000, 1023, UINT32_MAX - 3, 0x7ffffff0};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        guest_start_at(starts[i]);
        for (int j = 0; j < 60; j++)
            cr_assert_str_eq(ask(XS_READ, 0, "name"), "tester");
    }
}

Test(store_wire, messages_may_be_longer_than_the_ring)
{
    char path[1200], *name = path + strlen("data/");

    memset(path, 'x', sizeof path);
    memcpy(path, "data/", 5);
    path[sizeof path - 1] = '\0';
    cr_expect_str_eq(write_node(0, path, "1"), "OK");
    path[0] = 'd';
    name[0] = 'y';
    cr_expect_str_eq(write_node(0, path, "1"), "OK");
    cr_expect_eq(guest_call(XS_DIRECTORY, 0, "data", 5)->header.len,
                 2 * (sizeof path - 5));
}

Test(store_wire, a_payload_of_4096_bytes_is_the_longest)
{
    char payload[XENSTORE_PAYLOAD_MAX] = "data/a";
    struct xsd_sockmsg header = {.type = XS_WRITE, .len = sizeof payload};

    cr_expect_str_eq(guest_call(XS_WRITE, 0, payload, sizeof payload)->payload,
                     "ENOSPC");

    header.len++;
    guest_push(&header, sizeof header);
    connection_serve(conn);
    cr_expect_eq(page->error, XENSTORE_ERROR_PROTO);
    guest_push(&header, sizeof header);
    kicks = 0;
    connection_serve(conn);
    cr_expect_eq(kicks, 0, "a broken connection stays silent");
    cr_expect_eq(page->rsp_prod, page->rsp_cons);
}

Test(store_wire, a_length_of_all_ones_is_refused_before_it_is_used)
{
    const struct xsd_sockmsg header = {.type = XS_READ, .len = UINT32_MAX};

    guest_push(&header, sizeof header);
    connection_serve(conn);
    cr_expect_eq(page->error, XENSTORE_ERROR_PROTO);
}

Test(store_wire, counters_that_lie_break_the_connection)
{
    page->req_prod = page->req_cons + XENSTORE_RING_SIZE + 1;
    connection_serve(conn);
    cr_expect_eq(page->error, XENSTORE_ERROR_RINGIDX);
}

Test(store_wire, response_counters_that_lie_break_it_as_well)
{
    const struct xsd_sockmsg header = {.type = XS_RESET_WATCHES};

    page->rsp_cons = page->rsp_prod + 1;
    guest_push(&header, sizeof header);
    connection_serve(conn);
    cr_expect_eq(page->error, XENSTORE_ERROR_RINGIDX);
}

Test(store_wire, reconnecting_begins_afresh)
{
    const struct xsd_sockmsg giant = {.type = XS_READ, .len = 5000};
    uint32_t tx;

    cr_expect_eq(page->server_features & XENSTORE_SERVER_FEATURE_RECONNECTION,
                 XENSTORE_SERVER_FEATURE_RECONNECTION);
    watch("data", "w");
    tx = start();
    events();
    guest_push(&giant, sizeof giant);
    connection_serve(conn);
    cr_assert_neq(page->error, 0);

    page->connection = XENSTORE_RECONNECT;
    connection_serve(conn);
    cr_expect_eq(page->connection, XENSTORE_CONNECTED);
    cr_expect_eq(page->error, XENSTORE_ERROR_NONE);
    cr_expect_eq(page->req_prod | page->req_cons, 0);
    cr_expect_eq(page->rsp_prod | page->rsp_cons, 0);

    cr_expect_str_eq(ask(XS_READ, 0, "name"), "tester");
    cr_expect_str_eq(end(tx, "F"), "ENOENT");
    cr_expect_str_eq(write_node(0, "data/x", "1"), "OK");
    cr_expect_str_eq(events(), "", "the watch is forgotten");
}

Test(store_wire, reconnecting_drops_half_a_request_and_half_a_reply)
{
    const struct xsd_sockmsg half = {.type = XS_READ, .len = 100};

    for (int i = 0; i < 80; i++)
        guest_push("\2\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0name", 21);
    connection_serve(conn);
    guest_push(&half, sizeof half);
    page->connection = XENSTORE_RECONNECT;
    connection_serve(conn);
    cr_expect_str_eq(ask(XS_READ, 0, "name"), "tester");
}

Test(store_wire, replies_come_in_the_order_of_requests)
{
    struct reply reply;

    for (uint32_t id = 1; id <= 20; id++) {
        struct xsd_sockmsg header = {.type = XS_READ, .req_id = id, .len = 5};

        guest_push(&header, sizeof header);
        guest_push("name", 5);
    }
    for (uint32_t id = 1; id <= 20; id++) {
        connection_serve(conn);
        cr_assert(guest_take(&reply));
        cr_expect_eq(reply.header.req_id, id);
    }
}

/* Nobody reads the replies: the server stops taking requests. */
Test(store_wire, a_guest_that_never_reads_is_held_back)
{
    size_t pushed = 0, n;
    uint32_t taken;

    for (int i = 0; i < 10000; i++) {
        n = guest_push("\2\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0name", 21);
        pushed += n;
        connection_serve(conn);
    }
    cr_expect_lt(pushed, 4096);
    cr_expect_eq(page->rsp_prod - page->rsp_cons, XENSTORE_RING_SIZE);

    taken = page->req_cons;
    page->rsp_cons += 512;
    connection_serve(conn);
    cr_expect_gt(page->req_cons, taken, "and goes on when they are read");
}

Test(store_wire, events_come_between_whole_messages)
{
    struct reply message;
    unsigned nr_events = 0, nr_replies = 0;

    watch("data", "a-token");
    events();
    for (int i = 0; i < 40; i++) {
        char path[32], request[64];
        struct xsd_sockmsg header = {.type = XS_WRITE, .req_id = 1};

        snprintf(path, sizeof path, "data/%d", i);
        memcpy(request, &header, sizeof header);
        header.len = (uint32_t)sprintf(request, "data/%d%cx", i, 0);
        guest_push(&header, sizeof header);
        guest_push(request, header.len);
        connection_serve(conn);
        if (i % 7 == 0)
            while (guest_take(&message))
                *(message.header.type == XS_WATCH_EVENT ? &nr_events
                                                        : &nr_replies) += 1;
    }
    while (guest_take(&message))
        *(message.header.type == XS_WATCH_EVENT ? &nr_events : &nr_replies) +=
            1;
    cr_expect_eq(nr_replies, 40);
    cr_expect_eq(nr_events, 40);
}
