/* Frames over a socket whose other end may do anything. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/config.h"
#include "host/link/link.h"

static const struct net_config config = {.kind = NET_CONNECT};
static struct link *stream;
static int peer;

static void make(void)
{
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    stream = stream_create(&config, pair[0]);
    peer = pair[1];
    cr_assert(stream);
}

static void unmake(void)
{
    link_close(stream);
    close(peer);
}

TestSuite(stream, .init = make, .fini = unmake);

static void peer_says(const void *bytes, size_t len)
{
    cr_assert_eq(write(peer, bytes, len), (ssize_t)len);
}

static void peer_sends(const void *bytes, uint32_t len)
{
    const uint32_t length = htonl(len);

    peer_says(&length, sizeof length);
    peer_says(bytes, len);
}

static ssize_t receive(uint8_t **bytes)
{
    struct offload work;

    return stream->ops->receive(stream, bytes, &work);
}

static int send_one(const void *bytes, size_t len)
{
    const struct offload work = {0};
    uint8_t copy[FRAME_MAX];
    struct iovec parts[] = {{copy, len / 2}, {copy + len / 2, len - len / 2}};

    memcpy(copy, bytes, len);
    return stream->ops->send(stream, parts, 2, &work);
}

Test(stream, carries_frames_both_ways)
{
    static const char text[] = "a frame of some bytes";
    char got[64];
    uint8_t *bytes;

    peer_sends(text, sizeof text);
    cr_assert_eq(receive(&bytes), sizeof text);
    cr_expect_arr_eq(bytes, text, sizeof text);
    cr_expect_eq(receive(&bytes), 0);

    cr_assert_eq(send_one(text, sizeof text), 0);
    stream->ops->flush(stream);
    cr_assert_eq(read(peer, got, sizeof got), 4 + sizeof text);
    cr_expect_eq(got[3], sizeof text);
    cr_expect_arr_eq(got + 4, text, sizeof text);
}

Test(stream, waits_for_the_rest_of_a_frame)
{
    uint8_t *bytes;

    peer_says("\0\0", 2);
    cr_expect_eq(receive(&bytes), 0);
    peer_says("\0\x10"
              "0123456789",
              12);
    cr_expect_eq(receive(&bytes), 0);
    peer_says("abcdef", 6);
    cr_assert_eq(receive(&bytes), 16);
    cr_expect_arr_eq(bytes, "0123456789abcdef", 16);
}

Test(stream, takes_many_frames_apart)
{
    uint8_t frame[1500], *bytes;

    for (unsigned i = 0; i < 40; i++) {
        memset(frame, (int)i, sizeof frame);
        peer_sends(frame, 14 + 13 * i);
    }
    for (unsigned i = 0; i < 40; i++) {
        cr_assert_eq(receive(&bytes), 14 + 13 * i);
        cr_expect_eq(bytes[13 + 13 * i], i);
    }
    cr_expect_eq(receive(&bytes), 0);
}

Test(stream, carries_the_longest_frame)
{
    static uint8_t frame[FRAME_MAX], got[4 + FRAME_MAX];
    uint8_t *bytes;
    size_t len = 0;

    memset(frame, 0x5a, sizeof frame);
    cr_assert_eq(send_one(frame, sizeof frame), 0);
    stream->ops->flush(stream);
    while (len < sizeof got) {
        ssize_t some = read(peer, got + len, sizeof got - len);

        cr_assert_gt(some, 0);
        len += (size_t)some;
        stream->ops->flush(stream);
    }
    peer_says(got, sizeof got);
    cr_expect_eq(receive(&bytes), FRAME_MAX);
}

Test(stream, goes_down_when_the_length_is_impossible)
{
    static const char *const lengths[] = {"\0\0\0\0", "\0\0\0\x0d",
                                          "\xff\xff\xff\xff", "\0\1\0\x0f"};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint8_t *bytes;

        peer_says(lengths[i], 4);
        cr_expect_eq(receive(&bytes), -EIO);
        cr_expect_not(stream->up);
        cr_expect_eq(stream->fd, -1);
        cr_expect_eq(send_one("0123456789abcdef", 16), -EIO);
        unmake();
        make();
    }
}

Test(stream, goes_down_with_its_peer)
{
    uint8_t *bytes;

    close(peer);
    peer = -1;
    cr_expect_eq(receive(&bytes), -EIO);
    cr_expect_not(stream->up);
    cr_expect_eq(receive(&bytes), -EIO, "and stays so");
    stream->ops->flush(stream);
}

Test(stream, says_when_it_takes_no_more_and_loses_nothing)
{
    static uint8_t frame[60000], got[65536];
    size_t sent = 0, len = 0;

    while (send_one(frame, sizeof frame) == 0)
        sent += 4 + sizeof frame;
    cr_assert_gt(sent, 0);
    stream->ops->flush(stream);
    cr_expect(stream->wants_out);
    while (len < sent) {
        ssize_t some = read(peer, got, sizeof got);

        cr_assert_gt(some, 0);
        len += (size_t)some;
        stream->ops->flush(stream);
    }
    cr_expect_eq(len, sent);
    cr_expect_not(stream->wants_out);
    cr_expect_eq(send_one(frame, sizeof frame), 0);
}
