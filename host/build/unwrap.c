#include "host/build/unwrap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/build/bzimage.h"
#include "host/build/decompress/decompress.h"
#include "host/build/elf.h"
#include "host/log.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; older ones answer -EINVAL */
#define MADV_POPULATE_WRITE 23
#endif

#define TRAILER_SIZE 4 /* of a packed kernel: its unpacked size */

/* A packed kernel on its way out. */
struct packed {
    const struct image *image;
    const struct compression *how;
    uint64_t offset, size; /* of the stream in the file */
    uint64_t promised;     /* bytes that shall come out */
    int fd;                /* where to: a memfd */
};

/* The one format in which whole files are accepted. */
static bool is_gzip(const struct compression *how)
{
    return how && !strcmp(how->name, "gzip");
}

bool unwrap_wanted(const uint8_t *start, size_t size)
{
    return bzimage_begins(start, size) || is_gzip(compression_of(start, size));
}

/* How the payload is packed, by its first bytes; NULL with a sentence. */
static const struct compression *recognise(const struct packed *p)
{
    uint8_t magic[sizeof p->how->magic];
    const struct compression *how;

    if (p->size <= sizeof magic + TRAILER_SIZE) {
        image_refuse(p->image,
                     "a payload of %lu bytes holds no kernel: the file is "
                     "truncated or corrupt, build or copy it again",
                     p->size);
        return NULL;
    }
    if (image_read(p->image, p->offset, magic, sizeof magic))
        return NULL;
    how = compression_of(magic, sizeof magic);
    if (!how) {
        image_refuse(p->image,
                     "its payload begins with %02x %02x %02x %02x, which is no "
                     "way of packing known here: repack it, or give its "
                     "vmlinux",
                     magic[0], magic[1], magic[2], magic[3]);
    } else if (!how->unpack) {
        image_refuse(p->image,
                     "it is packed by %s, and this paravane was built without "
                     "%s: build it with that library, or give an image that is "
                     "unpacked",
                     how->name, how->library);
        how = NULL;
    }
    return how;
}

/*
 * The last 4 bytes tell the unpacked size: those of gzip's own format, and
 * where a format has no such thing, what Linux's build puts behind the stream.
 */
static int read_promise(struct packed *p, uint64_t max)
{
    const uint64_t end = p->offset + p->size;
    uint32_t promised;
    int rc;

    rc = image_read(p->image, end - TRAILER_SIZE, &promised, sizeof promised);
    if (rc)
        return rc;
    p->promised = promised;
    if (!is_gzip(p->how))
        p->size -= TRAILER_SIZE;
    if (p->promised == 0 || p->promised > max || p->size > max)
        return image_refuse(p->image,
                            "it promises to unpack %lu bytes to %lu: no kernel "
                            "has more than %lu, the file is corrupt",
                            p->size, p->promised, max);
    return 0;
}

static int find_packed(struct image *image, const uint8_t *start, size_t size,
                       uint64_t max, struct packed *p)
{
    struct bzimage bzimage = {.payload_size = image->size};
    int rc = 0;

    if (bzimage_begins(start, size))
        rc = bzimage_read(image, start, size, &bzimage);
    if (rc)
        return rc;
    *p = (struct packed){
        .image = image,
        .offset = bzimage.payload,
        .size = bzimage.payload_size,
    };
    p->how = recognise(p);
    rc = p->how ? read_promise(p, max) : -ENOEXEC;
    if (rc)
        return rc;
    image->wrapper = (struct image_wrapper){
        .boot_protocol = bzimage.protocol,
        .packed_size = p->size,
    };
    memcpy(image->wrapper.version, bzimage.version, sizeof bzimage.version);
    return 0;
}

static int no_memory(const struct packed *p)
{
    log_error("%s: no memory to unpack %lu bytes by %s: free some",
              p->image->path, p->promised, p->how->name);
    return -ENOMEM;
}

static int judge(const struct packed *p, enum unpack_result result,
                 const struct unpacking *u)
{
    const char *name = p->how->name;

    if (result == UNPACK_DONE && u->out_used > p->promised)
        result = UNPACK_FULL;
    switch (result) {
    case UNPACK_DONE:
        break;
    case UNPACK_CORRUPT:
        return image_refuse(p->image,
                            "its %s payload is corrupt: build or copy it again",
                            name);
    case UNPACK_TRUNCATED:
        return image_refuse(p->image,
                            "its %s payload ends too early: it is truncated or "
                            "corrupt, build or copy it again",
                            name);
    case UNPACK_FULL:
        return image_refuse(p->image,
                            "its %s payload unpacks to more than the %lu bytes "
                            "that it promises: it is corrupt, build or copy it "
                            "again",
                            name, p->promised);
    case UNPACK_UNSUPPORTED:
        return image_refuse(p->image,
                            "its %s payload is of a kind that %s does not "
                            "unpack: repack it, or give its vmlinux",
                            name, p->how->library);
    case UNPACK_NO_MEMORY:
        return no_memory(p);
    }
    if (u->in_used != u->in_size)
        return image_refuse(p->image,
                            "%lu bytes follow the end of its %s payload: it is "
                            "corrupt, build or copy it again",
                            u->in_size - u->in_used, name);
    if (u->out_used != p->promised)
        return image_refuse(p->image,
                            "its %s payload unpacks to %lu bytes where it "
                            "promises %lu: it is corrupt, build or copy it "
                            "again",
                            name, u->out_used, p->promised);
    return 0;
}

/*
 * A byte more than was promised, for streams that break the promise. That the
 * pages are there before they are written saves a fault for each, and tells
 * here, not by SIGBUS, when there are none.
 */
static int make_room(const struct packed *p, struct unpacking *u)
{
    u->out_size = p->promised + 1;
    if (p->fd < 0 || ftruncate(p->fd, (off_t)u->out_size))
        return no_memory(p);
    u->out =
        mmap(NULL, u->out_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
    if (u->out == MAP_FAILED)
        return no_memory(p);
    if (madvise(u->out, u->out_size, MADV_POPULATE_WRITE) && errno != EINVAL) {
        munmap(u->out, u->out_size);
        return no_memory(p);
    }
    return 0;
}

static int unpack_to(const struct packed *p, struct unpacking *u)
{
    int rc = make_room(p, u);

    if (rc)
        return rc;
    rc = judge(p, p->how->unpack(u), u);
    munmap(u->out, u->out_size);
    return rc;
}

/* From a copy of the stream, which nobody can change meanwhile. */
static int unpack(const struct packed *p)
{
    struct unpacking u = {.in_size = p->size};
    int rc;

    u.in = mmap(NULL, u.in_size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (u.in == MAP_FAILED)
        return no_memory(p);
    rc = image_read(p->image, p->offset, u.in, u.in_size);
    if (!rc)
        rc = unpack_to(p, &u);
    munmap(u.in, u.in_size);
    return rc;
}

/* Cut the room to what came, and let nobody write it again. */
static int seal(const struct packed *p)
{
    if (ftruncate(p->fd, (off_t)p->promised) ||
        fcntl(p->fd, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)) {
        const int rc = -errno;

        log_error("%s: cannot keep what was unpacked: %s", p->image->path,
                  strerror(-rc));
        return rc;
    }
    return 0;
}

static void replace_file(struct image *image, const struct packed *p)
{
    close(image->fd);
    image->fd = p->fd;
    image->size = p->promised;
    image->wrapper.compression = p->how->name;
    log_info("%s: unpacked %lu bytes of %s to %lu", image->path, p->size,
             p->how->name, p->promised);
}

int unwrap(struct image *image, const uint8_t *start, size_t size, uint64_t max)
{
    struct packed p;
    int rc;

    rc = find_packed(image, start, size, max, &p);
    if (rc)
        return rc;
    signal(SIGXFSZ, SIG_IGN); /* a limit on files shall be an error's cause */
    p.fd = memfd_create("kernel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    rc = unpack(&p);
    if (!rc)
        rc = seal(&p);
    if (!rc)
        replace_file(image, &p);
    else if (p.fd >= 0)
        close(p.fd);
    return rc;
}
