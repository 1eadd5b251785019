/*
 * host/backend/disk_file.c: a path becomes a disk, or a sentence says why not.
 */
#include "host/backend/disk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/log.h"
#include "host/memory.h"

static const char *remedy(int error, bool readonly)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return "give the path of a raw image file or a block device";
    case EACCES:
    case EPERM:
        return readonly ? "make it readable for this user"
                        : "make it writable for this user, or attach it "
                          "read-only (mode r)";
    case EROFS:
        return "attach it read-only (mode r)";
    case EISDIR:
        return "give the path of a file in it";
    default:
        return "check the path";
    }
}

/*
 * O_NONBLOCK keeps a FIFO from waiting for its writer, and must go afterwards:
 * io_uring would answer -EAGAIN in place of waiting for the disk. O_NOATIME,
 * which only the owner may have: nobody asks when an image was read, and the
 * kernel would note it with each request.
 */
static int open_nonblocking(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    flags &= ~O_ACCMODE;
    if (fcntl(fd, F_SETFL, flags | O_NOATIME) && fcntl(fd, F_SETFL, flags)) {
        int rc = -errno;

        close(fd);
        return rc;
    }
    return fd;
}

static int open_path(struct disk_file *disk, const struct disk_config *config)
{
    int flags = config->readonly ? O_RDONLY : O_RDWR;
    int fd = -EINVAL;

    if (config->direct_io_safe) {
        fd = open_nonblocking(config->target, flags | O_DIRECT);
        if (fd == -EINVAL)
            log_warning("disk %s: the file system of %s has no direct I/O: "
                        "the page cache is used",
                        config->vdev, config->target);
    }
    disk->direct = fd >= 0;
    if (fd == -EINVAL)
        fd = open_nonblocking(config->target, flags);
    if (fd < 0) {
        log_error("disk %s: cannot open %s: %s: %s", config->vdev,
                  config->target, strerror(-fd), remedy(-fd, config->readonly));
        return fd;
    }
    disk->fd = fd;
    return 0;
}

/* Largest power of two up to (size), from a sector to a page. */
static uint32_t sane_sector_size(uint64_t size)
{
    uint32_t sane = SECTOR_SIZE;

    while (sane < PAGE_SIZE && sane <= size / 2)
        sane *= 2;
    return sane;
}

/*
 * What direct I/O to a file must be aligned to. Where the kernel does not say,
 * a page always is enough.
 */
static uint32_t direct_alignment(int fd)
{
#ifdef STATX_DIOALIGN
    struct statx st;

    if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) &&
        (st.stx_mask & STATX_DIOALIGN) && st.stx_dio_offset_align) {
        uint32_t align = st.stx_dio_offset_align > st.stx_dio_mem_align
                             ? st.stx_dio_offset_align
                             : st.stx_dio_mem_align;

        return align < SECTOR_SIZE ? SECTOR_SIZE : align;
    }
#endif
    (void)fd;
    return PAGE_SIZE;
}

/* Punching a hole past the end, keeping the size, changes nothing. */
static bool can_punch(int fd, off_t size)
{
    return !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size,
                      PAGE_SIZE);
}

static uint64_t judge_regular(struct disk_file *disk, const struct stat *st)
{
    disk->sector_size = disk->direct ? direct_alignment(disk->fd) : SECTOR_SIZE;
    disk->physical_sector_size = sane_sector_size((uint64_t)st->st_blksize);
    disk->discard = !disk->readonly && can_punch(disk->fd, st->st_size);
    return (uint64_t)st->st_size;
}

static int judge_device(struct disk_file *disk, const struct stat *st,
                        uint64_t *size)
{
    int logical = 0, locked = 0;
    unsigned physical = 0;

    if (ioctl(disk->fd, BLKGETSIZE64, size) ||
        ioctl(disk->fd, BLKSSZGET, &logical) ||
        ioctl(disk->fd, BLKPBSZGET, &physical) ||
        ioctl(disk->fd, BLKROGET, &locked))
        return -errno;
    if (locked && !disk->readonly)
        return -EROFS;
    disk->is_device = true;
    disk->device = st->st_rdev;
    disk->sector_size = disk->direct ? (uint32_t)logical : SECTOR_SIZE;
    disk->physical_sector_size = sane_sector_size(physical);
    disk->discard = !disk->readonly; /* else told at the first request */
    return 0;
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a directory"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a character device";
}

static int judge(struct disk_file *disk, const struct disk_config *config)
{
    const char *vdev = config->vdev, *path = config->target;
    uint64_t size = 0;
    struct stat st;
    int rc = 0;

    if (fstat(disk->fd, &st)) {
        rc = -errno;
    } else if (S_ISREG(st.st_mode)) {
        size = judge_regular(disk, &st);
    } else if (S_ISBLK(st.st_mode)) {
        rc = judge_device(disk, &st, &size);
    } else {
        log_error("disk %s: %s is %s: give the path of a raw image file or a "
                  "block device",
                  vdev, path, kind_of(st.st_mode));
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    }
    if (rc) {
        log_error("disk %s: cannot use %s: %s: %s", vdev, path, strerror(-rc),
                  remedy(-rc, disk->readonly));
        return rc;
    }
    if (disk->sector_size > PAGE_SIZE) {
        log_error("disk %s: direct I/O to %s must be aligned to %u bytes, "
                  "more than a page: leave out direct-io-safe",
                  vdev, path, disk->sector_size);
        return -EINVAL;
    }
    disk->sectors =
        size / disk->sector_size * (disk->sector_size / SECTOR_SIZE);
    if (!disk->sectors) {
        log_error("disk %s: %s has %llu bytes, less than one sector of %u: "
                  "make it larger, for example with truncate -s 64M",
                  vdev, path, (unsigned long long)size, disk->sector_size);
        return -EINVAL;
    }
    if (disk->physical_sector_size < disk->sector_size)
        disk->physical_sector_size = disk->sector_size;
    if (size % disk->sector_size)
        log_warning("disk %s: %s has %llu bytes, not a multiple of %u: the "
                    "last %llu bytes are left out",
                    vdev, path, (unsigned long long)size, disk->sector_size,
                    (unsigned long long)(size % disk->sector_size));
    return 0;
}

static bool same_file(int a, int b)
{
    struct stat first, other;

    return !fstat(a, &first) && !fstat(b, &other) &&
           first.st_dev == other.st_dev && first.st_ino == other.st_ino;
}

/* Readers may share; a writer is alone. Not all file systems know locks. */
static int lock(struct disk_file *disk, const struct disk_config *config)
{
    struct flock whole = {
        .l_type = disk->readonly ? F_RDLCK : F_WRLCK,
        .l_whence = SEEK_SET,
    };
    int fd =
        open_nonblocking(config->target, disk->readonly ? O_RDONLY : O_RDWR);

    disk->lock_fd = fd < 0 ? -1 : fd;
    if (fd < 0 || !same_file(fd, disk->fd)) {
        log_error("disk %s: %s was replaced while it was being opened: start "
                  "again",
                  config->vdev, config->target);
        return -ESTALE;
    }
    if (!fcntl(fd, F_OFD_SETLK, &whole))
        return 0;
    if (errno == EAGAIN || errno == EACCES) {
        log_error("disk %s: %s is in use as another guest's or this guest's "
                  "disk, and one of them may write: attach it once, or all "
                  "read-only (mode r)",
                  config->vdev, config->target);
        return -EBUSY;
    }
    log_info("disk %s: %s cannot be locked (%s): nothing keeps others from "
             "writing to it",
             config->vdev, config->target, strerror(errno));
    return 0;
}

int disk_file_open(struct disk_file *disk, const struct disk_config *config)
{
    int rc;

    *disk = (struct disk_file){
        .fd = -1, .lock_fd = -1, .readonly = config->readonly};
    rc = open_path(disk, config);
    if (!rc)
        rc = judge(disk, config);
    if (!rc)
        rc = lock(disk, config);
    if (rc)
        disk_file_close(disk);
    return rc;
}

void disk_file_close(struct disk_file *disk)
{
    if (disk->fd >= 0)
        close(disk->fd);
    if (disk->lock_fd >= 0)
        close(disk->lock_fd);
    disk->fd = disk->lock_fd = -1;
}
