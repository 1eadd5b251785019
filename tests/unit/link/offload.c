/* Headers that are what they should be, and all kinds that are not. */
#include <criterion/criterion.h>
#include <string.h>

#include "host/link/offload.h"

/* Ethernet, IPv4, UDP "hi", whose checksum is that of RFC 768. */
static const uint8_t udp4[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00,
                               /* IPv4 */
                               0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0,
                               0, 1, 10, 0, 0, 2,
                               /* UDP */
                               0x12, 0x34, 0x56, 0x78, 0, 10, 0, 0, 'h', 'i'};

static const uint8_t tcp6[] = {
    2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd,
    /* IPv6 with a hop-by-hop header */
    0x60, 0, 0, 0, 0, 28, 0, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
    /* hop by hop: 8 bytes, then TCP */
    6, 0, 5, 2, 0, 0, 1, 0,
    /* TCP */
    0, 80, 1, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0, 0, 0, 0, 0};

static bool find(const uint8_t *frame, size_t len, struct offload *work)
{
    *work = (struct offload){0};
    return offload_find_checksum(frame, len, len, work);
}

/* What a receiver checks: the sum of all 16-bit words, with the header made of
 * addresses, protocol and length before it. */
static uint32_t verify(const uint8_t *bytes, size_t len, uint32_t pseudo)
{
    uint32_t sum = pseudo;

    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

Test(offload, finds_udp_in_ipv4)
{
    struct offload work;

    cr_assert(find(udp4, sizeof udp4, &work));
    cr_expect_eq(work.csum_start, 34);
    cr_expect_eq(work.csum_offset, 6);
    cr_expect_eq(work.header_len, 0);
}

Test(offload, finds_tcp_behind_ipv6_extensions)
{
    struct offload work;

    cr_assert(find(tcp6, sizeof tcp6, &work));
    cr_expect_eq(work.csum_start, 62);
    cr_expect_eq(work.csum_offset, 16);
    cr_expect_eq(work.header_len, 82);
}

Test(offload, finds_it_behind_vlan_tags)
{
    static const uint8_t tag[] = {0x81, 0, 0, 7};
    uint8_t frame[sizeof udp4 + sizeof tag];
    struct offload work;

    memcpy(frame, udp4, 12);
    memcpy(frame + 12, tag, sizeof tag);
    memcpy(frame + 16, udp4 + 12, sizeof udp4 - 12);
    cr_assert(find(frame, sizeof frame, &work));
    cr_expect_eq(work.csum_start, 38);
}

Test(offload, finds_nothing_in_less_than_all_headers)
{
    struct offload work;

    for (size_t len = 0; len < sizeof udp4 - 2; len++)
        cr_expect_not(find(udp4, len, &work), "%zu bytes", len);
    for (size_t len = 0; len < sizeof tcp6; len++)
        cr_expect_not(find(tcp6, len, &work), "%zu bytes", len);
}

Test(offload, finds_nothing_in_other_packets)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } changes[] = {
        {13, 6, "ARP"},        {14, 0x65, "version 6"},
        {14, 0x44, "short"},   {14, 0x4f, "options beyond the end"},
        {23, 1, "ICMP"},       {20, 0x20, "more fragments"},
        {21, 1, "a fragment"},
    };

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t frame[sizeof udp4];
        struct offload work;

        memcpy(frame, udp4, sizeof frame);
        frame[changes[i].at] = changes[i].value;
        cr_expect_not(find(frame, sizeof frame, &work), "%s", changes[i].what);
    }
}

Test(offload, refuses_a_tcp_header_that_is_too_short_or_too_long)
{
    uint8_t frame[sizeof tcp6];
    struct offload work;

    memcpy(frame, tcp6, sizeof frame);
    frame[62 + 12] = 0x40;
    cr_expect_not(find(frame, sizeof frame, &work));
    frame[62 + 12] = 0xf0;
    cr_expect_not(find(frame, sizeof frame, &work));
}

Test(offload, ends_in_a_circle_of_extensions)
{
    uint8_t frame[14 + 40 + 16 * 8] = {[12] = 0x86, [13] = 0xdd, [14] = 0x60};
    struct offload work;

    cr_expect_not(find(frame, sizeof frame, &work));
}

/* However the frame is cut, the sum is the same, and right. */
Test(offload, completes_a_checksum)
{
    const uint32_t pseudo = 0x0a00 + 1 + 0x0a00 + 2 + 17 + 10;

    for (size_t cut = 42; cut <= sizeof udp4; cut++) {
        uint8_t head[sizeof udp4], tail[sizeof udp4];
        struct iovec parts[] = {
            {head, cut}, {NULL, 0}, {tail, sizeof udp4 - cut}};
        struct offload work;
        uint32_t folded = (pseudo & 0xffff) + (pseudo >> 16);

        memcpy(head, udp4, sizeof head);
        memcpy(tail, udp4 + cut, sizeof udp4 - cut);
        head[40] = (uint8_t)(folded >> 8); /* as csum_blank has it */
        head[41] = (uint8_t)folded;
        cr_assert(find(head, sizeof udp4, &work));
        work.partial = true;
        offload_complete(&work, parts, 3);
        memcpy(head + cut, tail, sizeof udp4 - cut);
        cr_expect_eq(verify(head + 34, 10, pseudo), 0xffff, "cut at %zu", cut);
        cr_expect(work.verified && !work.partial);
    }
}

Test(offload, completes_over_odd_parts)
{
    enum { LEN = 42 + 1000 };
    uint8_t whole[LEN], pieces[LEN];
    struct iovec one = {whole, LEN}, parts[64];
    struct offload work;
    unsigned nr = 0;

    memcpy(whole, udp4, 42);
    for (size_t i = 42; i < LEN; i++)
        whole[i] = (uint8_t)(i * 37 + i / 256);
    whole[24 - 7] = LEN - 14 - 256 * 4;
    memcpy(pieces, whole, LEN);
    for (size_t at = 0; at < LEN; nr++) {
        size_t len = nr == 0 ? 42 : 2 * nr + 1;

        if (len > LEN - at)
            len = LEN - at;
        parts[nr] = (struct iovec){pieces + at, len};
        at += len;
    }
    cr_assert(find(whole, LEN, &work));
    work.partial = true;
    offload_complete(&work, &one, 1);
    cr_assert(find(pieces, LEN, &work));
    work.partial = true;
    offload_complete(&work, parts, nr);
    cr_expect_arr_eq(whole, pieces, LEN);
}
