/* Kernels inside something else: what is unpacked, and what is refused. */
#include <asm/bootparam.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "host/build/bzimage.h"
#include "host/build/decompress/decompress.h"
#include "host/build/image.h"
#include "tests/unit/build/image_fixture.h"
#include "tests/unit/build/test_pack.h"

#define PAYLOAD \
    (5 * 512) /* where it lies: behind 4 sectors and a boot sector */

/* A bzImage, of which a test may bend every byte before it is written. */
static uint8_t file[128 << 10];
static size_t file_size, stream_size;
static struct setup_header header;

static char path[64];
static int fd = -1;

static void forget(void)
{
    image_forget();
    if (fd >= 0)
        close(fd);
    fd = -1;
}

static void init(void)
{
    test_elf_init(&elf);
    test_elf_add_symbols(&elf);
}

TestSuite(unwrap, .init = init, .fini = forget);

static const char *write_file(const void *bytes, size_t size)
{
    forget();
    fd = memfd_create("image", 0);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static const char *write_bzimage(void)
{
    memcpy(file + offsetof(struct boot_params, hdr), &header, sizeof header);
    return write_file(file, file_size);
}

/* The payload ends after (size) bytes, and the file with it. */
static void end_payload(size_t size)
{
    header.payload_length = (uint32_t)size;
    file_size = PAYLOAD + size;
}

static void set_promise(uint32_t promise)
{
    memcpy(file + file_size - sizeof promise, &promise, sizeof promise);
}

/* Pack (content) by (name). False: that library is missing. */
static bool make(const char *name, const void *content, size_t len)
{
    memset(file, 0, sizeof file);
    header = (struct setup_header){
        .setup_sects = 4,
        .boot_flag = 0xaa55,
        .header = 0x53726448, /* HdrS */
        .version = 0x20f,
    };
    stream_size = test_pack(name, content, len, file + PAYLOAD,
                            sizeof file - PAYLOAD - sizeof(uint32_t));
    end_payload(stream_size + (strcmp(name, "gzip") ? sizeof(uint32_t) : 0));
    set_promise((uint32_t)len);
    return stream_size > 0;
}

static bool make_elf(const char *name)
{
    return make(name, &elf, sizeof elf);
}

#define expect_file_refusal(words) expect_refusal_of(write_bzimage(), words)

Test(unwrap, every_format_gives_back_the_elf_file)
{
    for (size_t i = 0; i < NR_COMPRESSIONS; i++) {
        const char *name = compressions[i].name;
        struct test_elf found;

        if (!make_elf(name))
            continue;
        cr_assert_eq(image_open(write_bzimage(), &image), 0, "%s", name);
        cr_expect(image->offers_pv, "%s", image->pv_refusal);
        cr_expect_str_eq(image->wrapper.compression, name);
        cr_expect_eq(image->wrapper.boot_protocol, 0x20f);
        cr_expect_eq(image->wrapper.packed_size, stream_size);
        cr_expect_eq(image->size, sizeof elf);
        cr_assert_eq(image_read(image, 0, &found, sizeof found), 0);
        cr_expect_arr_eq(&found, &elf, sizeof elf);
    }
}

Test(unwrap, whole_files_of_gzip_are_unpacked)
{
    if (!make_elf("gzip"))
        cr_skip("built without zlib");
    cr_assert_eq(image_open(write_file(file + PAYLOAD, stream_size), &image),
                 0);
    cr_expect(image->offers_pv);
    cr_expect_eq(image->wrapper.boot_protocol, 0);
    cr_expect_str_eq(image->wrapper.compression, "gzip");
}

Test(unwrap, what_was_unpacked_cannot_be_changed)
{
    if (!make_elf("gzip"))
        cr_skip("built without zlib");
    cr_assert_eq(image_open(write_bzimage(), &image), 0);
    cr_expect_eq(pwrite(image->fd, "", 1, 0), -1);
    cr_expect_neq(ftruncate(image->fd, 0), 0);
    cr_expect_eq(fcntl(image->fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

Test(unwrap, without_symbols_it_is_dropped_when_loaded)
{
    test_elf_init(&elf);
    if (!make_elf("gzip"))
        cr_skip("built without zlib");
    cr_assert_eq(image_open(write_bzimage(), &image), 0);
    cr_expect(!image_keep_symbols(image));
    cr_expect_eq(image->fd, -1);
    init();
    make_elf("gzip");
    cr_assert_eq(image_open(write_bzimage(), &image), 0);
    cr_expect(image_keep_symbols(image));
    cr_expect_geq(image->fd, 0);
}

Test(unwrap, a_stream_cut_anywhere_is_refused)
{
    for (size_t i = 0; i < NR_COMPRESSIONS; i++) {
        const char *name = compressions[i].name;

        if (!make_elf(name))
            continue;
        /* the last 4 bytes are put there again */
        for (size_t size = 0; size < stream_size - 4;
             size += size < 64 || size > stream_size - 64 ? 1 : 61) {
            make_elf(name);
            end_payload(size + sizeof(uint32_t));
            set_promise(sizeof elf);
            cr_expect(*refusal_of(write_bzimage()), "%s", name);
        }
    }
}

Test(unwrap, the_promised_size_must_be_kept)
{
    for (size_t i = 0; i < NR_COMPRESSIONS; i++) {
        const char *name = compressions[i].name;

        if (!make_elf(name))
            continue;
        set_promise(sizeof elf - 1);
        expect_file_refusal(strcmp(name, "gzip") ? "to more than" : "payload");
        set_promise(1);
        expect_file_refusal("payload");
        set_promise(0);
        expect_file_refusal("no kernel has more");
        set_promise((512 << 20) + 1);
        expect_file_refusal("no kernel has more");
        if (!strcmp(name, "gzip"))
            continue; /* it notices by itself */
        set_promise(sizeof elf + 1);
        expect_file_refusal("where it promises");
    }
}

Test(unwrap, bytes_behind_the_stream_are_refused)
{
    for (size_t i = 0; i < NR_COMPRESSIONS; i++) {
        const char *name = compressions[i].name;

        if (!make_elf(name))
            continue;
        memset(file + PAYLOAD + stream_size, 0xa5, 64);
        end_payload(stream_size + 64);
        set_promise(sizeof elf);
        expect_file_refusal(strcmp(name, "lz4") ? "follow the end"
                                                : "lz4 payload");
    }
}

/* Damage of any one bit ends in a verdict; xz has checksums over all. */
Test(unwrap, damage_anywhere_is_survived)
{
    for (size_t i = 0; i < NR_COMPRESSIONS; i++) {
        const char *name = compressions[i].name;
        unsigned nr_believed = 0;

        if (!make_elf(name))
            continue;
        for (size_t at = 0; at < stream_size; at += 3) {
            int out = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

            file[PAYLOAD + at] ^= (uint8_t)(1u << at % 8);
            dup2(null, STDERR_FILENO);
            nr_believed += !image_open(write_bzimage(), &image);
            dup2(out, STDERR_FILENO);
            close(out);
            close(null);
            file[PAYLOAD + at] ^= (uint8_t)(1u << at % 8);
        }
        if (!strcmp(name, "xz"))
            cr_expect_eq(nr_believed, 0, "%u", nr_believed);
    }
}

Test(unwrap, a_bomb_stays_within_its_promise)
{
    static uint8_t zeros[64 << 10];

    for (size_t i = 0; i < NR_COMPRESSIONS; i++) {
        const char *name = compressions[i].name;
        size_t len = strcmp(name, "lzo") ? sizeof zeros : sizeof zeros / 4;

        if (!make(name, zeros, len))
            continue;
        set_promise(4096);
        expect_file_refusal("to more than the 4096 bytes");
    }
}

Test(unwrap, headers_that_lie_are_refused)
{
    make("gzip", &elf, sizeof elf);
    header.boot_flag = 0;
    expect_file_refusal("flag");
    make("gzip", &elf, sizeof elf);
    header.version = 0x207;
    expect_file_refusal("boot protocol 2.07");
    make("gzip", &elf, sizeof elf);
    header.payload_offset = UINT32_MAX;
    expect_file_refusal("outside the file");
    make("gzip", &elf, sizeof elf);
    header.payload_length++;
    expect_file_refusal("outside the file");
    make("gzip", &elf, sizeof elf);
    header.setup_sects = 255;
    expect_file_refusal("outside the file");
    make("gzip", &elf, sizeof elf);
    file_size = offsetof(struct boot_params, hdr) + sizeof header - 1;
    expect_file_refusal("inside the boot header");
    make("gzip", &elf, sizeof elf);
    end_payload(10);
    expect_file_refusal("holds no kernel");
    make("gzip", &elf, sizeof elf);
    file[PAYLOAD] = 0x7f;
    expect_file_refusal("begins with 7f");
}

Test(unwrap, the_version_is_a_text_in_the_setup_part)
{
    if (!make_elf("gzip"))
        cr_skip("built without zlib");
    header.kernel_version = 0x300 - 0x200;
    strcpy((char *)file + 0x300, "6.1.0 (somebody)");
    cr_assert_eq(image_open(write_bzimage(), &image), 0);
    cr_expect_str_eq(image->wrapper.version, "6.1.0 (somebody)");

    /* without an end it is cut; outside of its part it is none */
    memset(file + 0x300, 'v', PAYLOAD - 0x300);
    cr_assert_eq(image_open(write_bzimage(), &image), 0);
    cr_expect_eq(strlen(image->wrapper.version),
                 sizeof image->wrapper.version - 1);
    header.kernel_version = PAYLOAD - 0x200 - 3;
    cr_assert_eq(image_open(write_bzimage(), &image), 0);
    cr_expect_str_eq(image->wrapper.version, "vvv");
    header.kernel_version = PAYLOAD - 0x200;
    cr_assert_eq(image_open(write_bzimage(), &image), 0);
    cr_expect_str_eq(image->wrapper.version, "");
}

Test(unwrap, what_is_unpacked_is_judged_like_any_file)
{
    if (!make("gzip", "no kernel at all", 16))
        cr_skip("built without zlib");
    expect_file_refusal("(unpacked by gzip): this is not an ELF file");
}

Test(unwrap, formats_are_told_apart_by_their_first_bytes)
{
    for (size_t i = 0; i < NR_COMPRESSIONS; i++) {
        const struct compression *c = &compressions[i];

        cr_expect_eq(compression_of(c->magic, c->magic_size), c);
        cr_expect_null(compression_of(c->magic, c->magic_size - 1u));
    }
    cr_expect_null(compression_of((const uint8_t *)"\x7f"
                                                   "ELF",
                                  4));
}
