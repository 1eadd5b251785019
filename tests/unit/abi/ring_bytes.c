/*
 * Byte streams: a console's worth of shared memory and both its ends.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <ring/bytes.h>

#define SIZE 16

static uint8_t data[SIZE + 8]; /* a guard behind */
static uint32_t prod, cons;
static struct ring_bytes producer, consumer;

static void attach_at(uint32_t at)
{
    memset(data, '#', sizeof data);
    prod = cons = at;
    ring_bytes_attach_producer(&producer, data, SIZE, &prod, &cons);
    ring_bytes_attach_consumer(&consumer, data, SIZE, &prod, &cons);
}

static void attached(void)
{
    attach_at(0);
}

static void expect_read(const char *text)
{
    char buf[64];
    ssize_t len = ring_bytes_read(&consumer, buf, sizeof buf);

    cr_expect_eq(len, (ssize_t)strlen(text));
    cr_expect_arr_eq(buf, text, strlen(text));
}

Test(ring_bytes, carries_bytes_in_order, .init = attached)
{
    cr_expect_eq(ring_bytes_write(&producer, "hello", 5), 5);
    cr_expect_eq(ring_bytes_write(&producer, ", you", 5), 5);
    cr_expect_eq(prod, 10);
    cr_expect_eq(ring_bytes_pending(&consumer), 10);
    expect_read("hello, you");
    cr_expect_eq(cons, 10);
    expect_read("");
}

Test(ring_bytes, takes_what_fits_and_no_more, .init = attached)
{
    cr_expect_eq(ring_bytes_room(&producer), SIZE);
    cr_expect_eq(ring_bytes_write(&producer, "0123456789abcdefXYZ", 19), SIZE);
    cr_expect_eq(ring_bytes_room(&producer), 0);
    cr_expect_eq(ring_bytes_write(&producer, "XYZ", 3), 0);
    expect_read("0123456789abcdef");
    cr_expect_eq(ring_bytes_room(&producer), SIZE);
}

Test(ring_bytes, straddles_the_end_of_the_array, .init = attached)
{
    ring_bytes_write(&producer, "0123456789", 10);
    expect_read("0123456789");
    cr_expect_eq(ring_bytes_write(&producer, "abcdefghijkl", 12), 12);
    cr_expect_arr_eq(data, "ghijkl", 6);
    cr_expect_arr_eq(data + 10, "abcdef", 6);
    expect_read("abcdefghijkl");
    cr_expect_arr_eq(data + SIZE, "########", 8);
}

Test(ring_bytes, reads_in_pieces, .init = attached)
{
    char buf[4];

    ring_bytes_write(&producer, "abcdef", 6);
    cr_expect_eq(ring_bytes_read(&consumer, buf, 4), 4);
    cr_expect_arr_eq(buf, "abcd", 4);
    cr_expect_eq(ring_bytes_room(&producer), SIZE - 2);
    cr_expect_eq(ring_bytes_read(&consumer, buf, 4), 2);
    cr_expect_arr_eq(buf, "ef", 2);
}

Test(ring_bytes, works_across_the_wrap_of_the_counters)
{
    attach_at(UINT32_MAX - 4);
    cr_expect_eq(ring_bytes_write(&producer, "0123456789abcdef", 16), 16);
    cr_expect_eq(prod, 11);
    cr_expect_eq(ring_bytes_room(&producer), 0);
    expect_read("0123456789abcdef");
    cr_expect_eq(cons, 11);
}

Test(ring_bytes, moving_nothing_changes_nothing, .init = attached)
{
    char none;

    cr_expect_eq(ring_bytes_write(&producer, "", 0), 0);
    cr_expect_eq(ring_bytes_read(&consumer, &none, 0), 0);
    cr_expect_eq(prod, 0);
    cr_expect_eq(cons, 0);
}

Test(ring_bytes, producer_survives_a_lying_consumer, .init = attached)
{
    const uint32_t lies[] = {4, 17, 0x80000000, UINT32_MAX - 13};

    ring_bytes_write(&producer, "abc", 3);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        cons = lies[i]; /* more than was written, or too long ago */
        cr_expect_eq(ring_bytes_write(&producer, "x", 1), -EPROTO, "%#x",
                     lies[i]);
        cr_expect_eq(ring_bytes_room(&producer), -EPROTO);
        cr_expect_eq(prod, 3);
    }
    cons = 0;
    cr_expect_eq(ring_bytes_write(&producer, "x", 1), 1);
}

Test(ring_bytes, consumer_survives_a_lying_producer, .init = attached)
{
    const uint32_t lies[] = {17, 1000, 0x80000000, UINT32_MAX};
    char buf[64];

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        prod = lies[i];
        cr_expect_eq(ring_bytes_read(&consumer, buf, sizeof buf), -EPROTO,
                     "%#x", lies[i]);
        cr_expect_eq(ring_bytes_pending(&consumer), -EPROTO);
        cr_expect_eq(cons, 0);
    }
}

Test(ring_bytes, each_end_trusts_only_itself_with_its_counter, .init = attached)
{
    ring_bytes_write(&producer, "abc", 3);
    prod = 12; /* scribbled on by the consumer */
    cr_expect_eq(ring_bytes_room(&producer), SIZE - 3);
    cr_expect_eq(ring_bytes_write(&producer, "d", 1), 1);
    cr_expect_eq(prod, 4);
    expect_read("abcd");
}

Test(ring_bytes, attaches_to_a_stream_in_use, .init = attached)
{
    ring_bytes_write(&producer, "abc", 3);
    ring_bytes_attach_producer(&producer, data, SIZE, &prod, &cons);
    ring_bytes_attach_consumer(&consumer, data, SIZE, &prod, &cons);
    ring_bytes_write(&producer, "d", 1);
    expect_read("abcd");
}
