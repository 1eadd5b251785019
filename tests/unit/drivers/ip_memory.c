/* lwIP's memory: which is in halves of pages, and which is malloc's. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pvguest/page.h>

#include "fake_guest.h"
#include "pvdrivers/ip/memory.h"

#define SEGMENT 1560 /* a packet buffer, headers and 1460 bytes */

TestSuite(ip_memory, .init = fake_guest_init);

static bool is_in_one_page(const void *bytes, size_t len)
{
    return (uintptr_t)bytes / PAGE_SIZE ==
           ((uintptr_t)bytes + len - 1) / PAGE_SIZE;
}

Test(ip_memory, keeps_a_segment_in_one_page)
{
    uint8_t *segments[100];

    fake.pages_free = 16 * 50;
    for (unsigned i = 0; i < 100; i++) {
        segments[i] = ip_malloc(i % 2 ? SEGMENT : 2048);
        memset(segments[i], (int)i, SEGMENT);
        cr_expect(is_in_one_page(segments[i], i % 2 ? SEGMENT : 2048));
    }
    cr_expect_eq(fake.pages_used, 50, "two in each");
    for (unsigned i = 0; i < 100; i++) {
        cr_expect_eq(segments[i][0], i);
        cr_expect_eq(segments[i][SEGMENT - 1], i);
        ip_free(segments[i]);
    }
}

Test(ip_memory, gives_first_what_was_used_last)
{
    void *one, *other;

    fake.pages_free = 16;
    one = ip_malloc(SEGMENT);
    other = ip_malloc(SEGMENT);
    ip_free(other);
    ip_free(one);
    cr_expect_eq(ip_malloc(SEGMENT), one);
    cr_expect_eq(ip_malloc(SEGMENT), other);
}

/* The sanitizer's malloc would tell if these went to the wrong one. */
Test(ip_memory, leaves_other_sizes_and_what_is_too_much_to_malloc)
{
    static const size_t sizes[] = {0, 1, 1024, 2049, 100000};
    void *segments[3];

    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        ip_free(ip_malloc(sizes[i]));
    cr_expect_eq(fake.pages_used, 0);
    fake.pages_free = 31; /* a sixteenth of that is one page */
    for (unsigned i = 0; i < 3; i++) {
        segments[i] = ip_malloc(SEGMENT);
        memset(segments[i], 1, SEGMENT);
    }
    cr_expect_eq(fake.pages_used, 1);
    cr_expect_eq((uintptr_t)segments[0] / PAGE_SIZE,
                 (uintptr_t)segments[1] / PAGE_SIZE);
    cr_expect_neq((uintptr_t)segments[0] / PAGE_SIZE,
                  (uintptr_t)segments[2] / PAGE_SIZE);
    for (unsigned i = 0; i < 3; i++)
        ip_free(segments[i]);
    ip_free(NULL);
    ip_free(calloc(1, SEGMENT)); /* as lwIP gets some */
}

Test(ip_memory, takes_no_pages_where_memory_is_short)
{
    void *segment;

    fake.pages_free = 15;
    segment = ip_malloc(SEGMENT);
    cr_assert_not_null(segment);
    cr_expect_eq(fake.pages_used, 0);
    ip_free(segment);
}
