/* host/backend/block.h: what the kernel gives up for no fault of the disk's. */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fake_disk.h"
#include "host/backend/block_private.h"

#define DATA 64 /* the page; those below are for rings */

struct block_request *__real_block_io_take(struct block_io *io, int *res);
struct block_request *__wrap_block_io_take(struct block_io *io, int *res);

static int given_up;     /* the result of what the kernel gives up */
static unsigned nr_left; /* how many of the next are */

TestSuite(block_again, .init = disk_attach, .fini = disk_detach);

struct block_request *__wrap_block_io_take(struct block_io *io, int *res)
{
    struct block_request *req = __real_block_io_take(io, res);

    if (req && nr_left > 0) {
        nr_left--;
        *res = given_up;
    }
    return req;
}

static int write_a_page(void)
{
    const grant_ref_t ref = fake_grant(DATA, true);
    const struct blkif_request req = disk_request(BLKIF_OP_WRITE, 8, &ref, 1);

    memset(fake_page(DATA), 0xa5, PAGE_SIZE);
    return disk_do(&req);
}

Test(block_again, asks_again)
{
    static const int results[] = {-EINTR, -EAGAIN, -ECANCELED};
    uint8_t byte = 0;

    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        given_up = results[i];
        nr_left = 3;
        cr_expect_eq(write_a_page(), BLKIF_RSP_OKAY, "%s", strerror(-given_up));
        cr_expect_eq(nr_left, 0);
    }
    cr_assert_eq(pread(disk_fd, &byte, 1, 8 * 512), 1);
    cr_expect_eq(byte, 0xa5);
}

Test(block_again, but_not_for_ever)
{
    given_up = -ECANCELED;
    nr_left = 1000;
    cr_expect_eq(write_a_page(), BLKIF_RSP_ERROR);
    cr_expect_gt(nr_left, 0);
}
