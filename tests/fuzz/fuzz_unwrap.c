/*
 * Any file as a packed kernel: it is refused, or what came out of it is as long
 * as it promised, no longer than allowed, and sealed.
 *
 * An input beginning with an odd byte is the file itself; else the rest is a
 * stream in a bzImage without faults: the byte says which format's magic it
 * begins with, the next two what it promises.
 */
#include "input.h"

#include <asm/bootparam.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/build/decompress/decompress.h"
#include "host/build/unwrap.h"

#define MAX_CONTENT (64 << 10)
#define MAX_FILE    (64 << 10)
#define PAYLOAD     (5 * 512)

static uint8_t file[MAX_FILE];

static size_t make_bzimage(struct input *in, unsigned how)
{
    const uint32_t promise = input_u16(in);
    const size_t len = input_left(in);
    const struct setup_header header = {
        .setup_sects = 4,
        .boot_flag = 0xaa55,
        .header = 0x53726448, /* HdrS */
        .version = 0x20f,
        .payload_length = (uint32_t)(len + sizeof promise),
    };

    if (len > sizeof file - PAYLOAD - sizeof promise)
        return 0;
    memcpy(file + offsetof(struct boot_params, hdr), &header, sizeof header);
    input_take(in, file + PAYLOAD, len);
    if (how < NR_COMPRESSIONS && len > compressions[how].magic_size)
        memcpy(file + PAYLOAD, compressions[how].magic,
               compressions[how].magic_size);
    memcpy(file + PAYLOAD + len, &promise, sizeof promise);
    return PAYLOAD + len + sizeof promise;
}

static size_t make_file(struct input *in)
{
    const unsigned how = input_u8(in);
    size_t len;

    memset(file, 0, sizeof file);
    if (how % 2 == 0)
        return make_bzimage(in, how / 2);
    len = input_left(in) < sizeof file ? input_left(in) : sizeof file;
    input_take(in, file, len);
    return len;
}

static void check(const struct image *image, int rc, int fd)
{
    struct stat st;

    if (rc) {
        PROMISE(image->fd == fd);
        return;
    }
    PROMISE(image->wrapper.compression);
    PROMISE(image->size > 0 && image->size <= MAX_CONTENT);
    PROMISE(!fstat(image->fd, &st) && (uint64_t)st.st_size == image->size);
    PROMISE(pwrite(image->fd, "", 1, 0) < 0);
    PROMISE(memchr(image->wrapper.version, 0, sizeof image->wrapper.version));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const size_t len = make_file(&in);
    const int fd = memfd_create("image", MFD_CLOEXEC);
    struct image image = {.path = "image", .fd = fd, .size = len};

    PROMISE(fd >= 0 && write(fd, file, len) == (ssize_t)len);
    if (unwrap_wanted(file, len))
        check(&image, unwrap(&image, file, len, MAX_CONTENT), fd);
    close(image.fd);
    return 0;
}
