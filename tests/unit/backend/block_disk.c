/*
 * host/backend/block.h: what a well-behaved frontend is promised of the disk
 * behind its device, and when either side comes and goes.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fake_disk.h"
#include "host/backend/block.h"

TestSuite(block_disk, .init = disk_attach, .fini = disk_detach);
TestSuite(block_disk_made, .init = disk_make, .fini = disk_detach);

Test(block_disk, serves_again_after_a_reconnect)
{
    const grant_ref_t ref = fake_grant(FIRST_DATA, false);
    struct blkif_request req = disk_request(BLKIF_OP_READ, 8, &ref, 1);

    fake_disconnect();
    cr_expect_not(fake_bound);
    cr_assert_eq(disk_connect(0), 0);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_page(FIRST_DATA, 8);
}

/* The frontend need not wait for us: what it wrote before is served. */
Test(block_disk, serves_requests_older_than_the_connection)
{
    const grant_ref_t ref = fake_grant(FIRST_DATA, false);
    const struct blkif_request req = disk_request(BLKIF_OP_READ, 8, &ref, 1);

    fake_disconnect();
    disk_put(&req);
    ring_front_publish(&disk_ring);
    cr_assert_eq(fake_connect(), 0);
    cr_expect_eq(disk_answer(req.id), BLKIF_RSP_OKAY);
}

Test(block_disk_made, does_not_write_to_a_readonly_disk)
{
    grant_ref_t ref;
    struct blkif_request req;
    struct blkif_request_discard drop = disk_discard(0, 8);

    disk->readonly = true;
    disk_open();
    cr_expect_str_eq(fake_back_key("mode"), "r");
    cr_expect_str_eq(fake_back_key("feature-discard"), "");
    cr_assert_eq(disk_connect(0), 0);
    cr_expect_str_eq(fake_back_key("info"), "4");
    ref = fake_grant(FIRST_DATA, false);
    req = disk_request(BLKIF_OP_WRITE, 0, &ref, 1);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_ERROR);
    req = disk_request(BLKIF_OP_WRITE_BARRIER, 0, &ref, 1);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_ERROR);
    cr_expect_eq(disk_do_discard(&drop), BLKIF_RSP_EOPNOTSUPP);
    req = disk_request(BLKIF_OP_FLUSH_DISKCACHE, 0, NULL, 0);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    req = disk_request(BLKIF_OP_READ, 0, &ref, 1);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_file(0, disk_byte(0), 512);
}

/* Past the page cache: whole device sectors only, whatever their size is. */
Test(block_disk_made, does_direct_io)
{
    grant_ref_t ref;
    struct blkif_request req;

    disk->direct_io_safe = true;
    disk_open();
    cr_assert_eq(disk_connect(0), 0);
    ref = fake_grant(FIRST_DATA, false);
    req = disk_request(BLKIF_OP_READ, 64, &ref, 1);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_page(FIRST_DATA, 64);
    memset(fake_page(FIRST_DATA), 0x99, PAGE_SIZE);
    req = disk_request(BLKIF_OP_WRITE, 8, &ref, 1);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_file(8, 0x99, PAGE_SIZE);

    req = disk_request(BLKIF_OP_READ, 64, &ref, 1);
    req.seg[0].last_sect = 0;
    cr_expect_eq(disk_do(&req), strcmp(fake_back_key("sector-size"), "512")
                                    ? BLKIF_RSP_ERROR
                                    : BLKIF_RSP_OKAY);
}

/* A disk that shrinks: an error beyond its end, never invented zeroes. */
Test(block_disk, reports_the_missing_part_of_a_disk_that_shrank)
{
    const grant_ref_t refs[] = {fake_grant(FIRST_DATA, false),
                                fake_grant(FIRST_DATA + 1, false)};
    struct blkif_request req = disk_request(BLKIF_OP_READ, 96, refs, 2);

    cr_assert_eq(ftruncate(disk_fd, 100 * 512), 0);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_ERROR);
    req = disk_request(BLKIF_OP_READ, 200, refs, 1);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_ERROR);
    req = disk_request(BLKIF_OP_READ, 80, refs, 1);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY, "what is there still works");
    disk_expect_page(FIRST_DATA, 80);
}

/* A file system with less room than the disk has holes. */
static void mount_small(void)
{
    if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
        cr_skip("mounting is not permitted here");
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    if (mount("none", "/tmp", "tmpfs", 0, "size=64k"))
        cr_skip("a tmpfs cannot be mounted here");
}

/*
 * Given a disk with holes on a file system that gets full,
 * when the guest writes into a hole,
 * then that write fails, and what was written before can still be read.
 */
Test(block_full, tells_the_guest_that_there_is_no_room)
{
    grant_ref_t ref;
    unsigned failed = 0;

    mount_small();
    strcpy(disk_path, "/tmp/paravane-full");
    disk_fd = open(disk_path, O_RDWR | O_CREAT, 0600);
    cr_assert_eq(ftruncate(disk_fd, DISK_SECTORS * 512), 0);
    *disk = (struct disk_config){.target = disk_path, .vdev = "xvda"};
    fake_config.nr_disks = 1;
    fake_domain_create(false);
    disk_open();
    cr_assert_eq(disk_connect(0), 0);

    ref = fake_grant(FIRST_DATA, false);
    memset(fake_page(FIRST_DATA), 0x42, PAGE_SIZE);
    for (unsigned i = 0; i < 64; i++) {
        const struct blkif_request req =
            disk_request(BLKIF_OP_WRITE, 8 * i, &ref, 1);

        failed += disk_do(&req) == BLKIF_RSP_ERROR;
    }
    cr_expect(failed > 0 && failed < 64, "%u of 64 failed", failed);
    disk_expect_file(0, 0x42, PAGE_SIZE);
    cr_expect_eq(fake_failures, 0);
    disk_detach();
}

/* Deleting the file takes nothing from the guest. */
Test(block_disk, survives_the_file_being_deleted)
{
    const grant_ref_t ref = fake_grant(FIRST_DATA, false);
    const struct blkif_request req = disk_request(BLKIF_OP_READ, 8, &ref, 1);

    unlink(disk_path);
    cr_expect_eq(disk_do(&req), BLKIF_RSP_OKAY);
    disk_expect_page(FIRST_DATA, 8);
}

/* Leaving with writes in flight: all of them are in the file afterwards. */
Test(block_disk, finishes_what_is_in_flight_before_it_goes)
{
    const grant_ref_t ref = fake_grant(FIRST_DATA, true);

    memset(fake_page(FIRST_DATA), 0x77, PAGE_SIZE);
    for (unsigned i = 0; i < 32; i++) {
        const struct blkif_request req =
            disk_request(BLKIF_OP_WRITE, 8 * i, &ref, 1);

        disk_put(&req);
    }
    disk_publish();
    block_settle_all(&fake_dom);
    disk_expect_file(0, 0x77, 32 * PAGE_SIZE);
}

/* A page under I/O cannot be given back to the host. */
Test(block_disk, holds_the_pages_of_its_ring)
{
    cr_expect_eq(memory_release(&fake_dom.mem, fake_mfn(0)), -EBUSY);
    fake_disconnect();
    cr_expect_eq(memory_release(&fake_dom.mem, fake_mfn(0)), 0);
}

Test(block_none, does_without_a_disk)
{
    memset(&fake_config, 0, sizeof fake_config);
    fake_domain_create(false);
    cr_expect_eq(block_create_all(&fake_dom), 0);
    block_poll_all(&fake_dom);
    block_settle_all(&fake_dom);
    block_destroy_all(&fake_dom);
    fake_domain_destroy();
}

Test(block_disk, is_unplugged_by_its_name)
{
    cr_expect_eq(block_unplug(&fake_dom, "xvdb"), -ENOENT);
    cr_expect_eq(block_unplug(&fake_dom, ""), -ENOENT);
    cr_expect_str_eq(fake_back_key("online"), "");
    cr_expect_eq(block_unplug(&fake_dom, disk->vdev), 0);
    cr_expect_str_eq(fake_back_key("online"), "0");
}
