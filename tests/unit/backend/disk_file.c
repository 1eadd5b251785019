/*
 * host/backend/disk_file.h: which files are disks.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/backend/disk_file.h"

static char path[64];
static struct disk_config config;
static struct disk_file file, second;

static void make_file(void)
{
    int fd;

    snprintf(path, sizeof path, "/tmp/paravane-file-XXXXXX");
    fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(ftruncate(fd, 1 << 20), 0);
    close(fd);
    config = (struct disk_config){.target = path, .vdev = "xvdb"};
    file.fd = file.lock_fd = second.fd = second.lock_fd = -1;
}

static void remove_file(void)
{
    disk_file_close(&file);
    disk_file_close(&second);
    unlink(path);
}

TestSuite(disk_file, .init = make_file, .fini = remove_file);

static void expect_refused(int error)
{
    cr_expect_eq(disk_file_open(&file, &config), error);
    cr_expect_eq(file.fd, -1);
}

Test(disk_file, opens_a_raw_file)
{
    cr_assert_eq(disk_file_open(&file, &config), 0);
    cr_expect_eq(file.sectors, 2048);
    cr_expect_eq(file.sector_size, 512);
    cr_expect_geq(file.physical_sector_size, 512);
    cr_expect_not(file.readonly);
    cr_expect_not(file.is_device);
    cr_expect_not(fcntl(file.fd, F_GETFL) & O_NONBLOCK);
    cr_expect(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
}

Test(disk_file, leaves_out_a_partial_sector)
{
    truncate(path, 1000);
    cr_assert_eq(disk_file_open(&file, &config), 0);
    cr_expect_eq(file.sectors, 1);
}

Test(disk_file, needs_at_least_one_sector)
{
    truncate(path, 511);
    expect_refused(-EINVAL);
    truncate(path, 0);
    expect_refused(-EINVAL);
}

Test(disk_file, must_exist)
{
    char missing[] = "/nonexistent/disk.img";

    config.target = missing;
    expect_refused(-ENOENT);
    config.target = path;
}

Test(disk_file, must_be_a_file_or_a_block_device)
{
    char directory[] = "/tmp", character[] = "/dev/null";

    config.target = directory;
    expect_refused(-EISDIR);
    config.readonly = true;
    expect_refused(-EISDIR);
    config.target = character;
    expect_refused(-EINVAL);
    config.target = path;
}

/* Opening a FIFO would wait for its other end for ever. */
Test(disk_file, does_not_wait_for_a_pipe)
{
    unlink(path);
    cr_assert_eq(mkfifo(path, 0600), 0);
    config.readonly = true;
    expect_refused(-EINVAL);
}

Test(disk_file, must_be_permitted)
{
    if (getuid() == 0 && seteuid(65534))
        cr_skip("cannot become nobody");
    chmod(path, 0);
    expect_refused(-EACCES);
    cr_assert(getuid() != 0 || seteuid(0) == 0);
}

Test(disk_file, has_one_writer)
{
    cr_assert_eq(disk_file_open(&file, &config), 0);
    cr_expect_eq(disk_file_open(&second, &config), -EBUSY);
    config.readonly = true;
    cr_expect_eq(disk_file_open(&second, &config), -EBUSY);

    disk_file_close(&file);
    cr_expect_eq(disk_file_open(&second, &config), 0);
}

Test(disk_file, has_many_readers)
{
    config.readonly = true;
    cr_assert_eq(disk_file_open(&file, &config), 0);
    cr_expect_eq(disk_file_open(&second, &config), 0);
    cr_expect(file.readonly);
    cr_expect_not(file.discard);
}

Test(disk_file, knows_what_direct_io_needs)
{
    config.direct_io_safe = true;
    cr_assert_eq(disk_file_open(&file, &config), 0);
    if (!file.direct)
        cr_skip("no direct I/O in /tmp");
    cr_expect(fcntl(file.fd, F_GETFL) & O_DIRECT);
    cr_expect_geq(file.sector_size, 512);
    cr_expect_leq(file.sector_size, 4096);
    cr_expect_eq(file.sectors, 2048);
}
