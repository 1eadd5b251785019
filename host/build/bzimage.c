#include "host/build/bzimage.h"

#include <asm/bootparam.h>
#include <string.h>

#include "host/build/elf.h"

#define HEADER_OFFSET offsetof(struct boot_params, hdr)
#define MAGIC_OFFSET  (HEADER_OFFSET + offsetof(struct setup_header, header))
#define MAGIC         "HdrS"
#define MAGIC_SIZE    4

#define BOOT_FLAG        0xaa55
#define PROTOCOL_PAYLOAD 0x0208 /* the first whose header tells the payload */
#define SECTOR           512
#define DEFAULT_SECTORS  4 /* a header with 0 means this */

#define VERSION_BASE 0x200 /* what kernel_version counts from */

bool bzimage_begins(const uint8_t *start, size_t size)
{
    return size >= MAGIC_OFFSET + MAGIC_SIZE &&
           !memcmp(start + MAGIC_OFFSET, MAGIC, MAGIC_SIZE);
}

static int check_header(const struct image *image,
                        const struct setup_header *header)
{
    if (header->boot_flag != BOOT_FLAG)
        return image_refuse(image,
                            "its boot header has the flag %#x instead of %#x: "
                            "the bzImage is corrupt, build or copy it again",
                            header->boot_flag, BOOT_FLAG);
    if (header->version < PROTOCOL_PAYLOAD)
        return image_refuse(image,
                            "this bzImage is of boot protocol %u.%02u, which "
                            "does not tell where the kernel in it lies: take "
                            "one of 2.08 or newer (Linux 2.6.26), or its "
                            "vmlinux",
                            header->version >> 8, header->version & 0xff);
    return 0;
}

static uint64_t setup_size(const struct setup_header *header)
{
    const uint64_t sectors =
        header->setup_sects ? header->setup_sects : DEFAULT_SECTORS;

    return (sectors + 1) * SECTOR;
}

/* The text lies in the real-mode part; without one it stays empty. */
static int read_version(const struct image *image,
                        const struct setup_header *header,
                        struct bzimage *bzimage)
{
    const uint64_t offset = header->kernel_version + VERSION_BASE;
    uint64_t end = setup_size(header), len;

    if (end > image->size)
        end = image->size;
    if (!header->kernel_version || offset >= end)
        return 0;
    len = end - offset;
    if (len >= sizeof bzimage->version)
        len = sizeof bzimage->version - 1;
    return image_read(image, offset, bzimage->version, len);
}

int bzimage_read(const struct image *image, const uint8_t *start, size_t size,
                 struct bzimage *bzimage)
{
    struct setup_header header;
    int rc;

    *bzimage = (struct bzimage){0};
    if (size < HEADER_OFFSET + sizeof header)
        return image_refuse(image, "the file ends inside the boot header of a "
                                   "bzImage: it is truncated, copy it again");
    memcpy(&header, start + HEADER_OFFSET, sizeof header);
    rc = check_header(image, &header);
    if (rc)
        return rc;
    bzimage->protocol = header.version;
    bzimage->payload = setup_size(&header) + header.payload_offset;
    bzimage->payload_size = header.payload_length;
    if (bzimage->payload > image->size ||
        bzimage->payload_size > image->size - bzimage->payload)
        return image_refuse(image,
                            "its payload (%#lx bytes at %#lx) lies outside the "
                            "file of %#lx bytes: the bzImage is truncated or "
                            "corrupt, build or copy it again",
                            bzimage->payload_size, bzimage->payload,
                            image->size);
    return read_version(image, &header, bzimage);
}
