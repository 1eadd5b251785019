#include <stdlib.h>
#include <string.h>

#include "host/build/decompress/libraries.h"
#include "tests/unit/build/test_pack.h"

#if HAVE_BZIP2
#include <bzlib.h>
#endif
#if HAVE_LZ4
#include <lz4.h>
#endif
#if HAVE_LZMA
#include <lzma.h>
#endif
#if HAVE_LZO
#include <lzo/lzo1x.h>
#endif
#if HAVE_ZLIB
#include <zlib.h>
#endif
#if HAVE_ZSTD
#include <zstd.h>
#endif

/* All take the whole content and return the packed length. */
typedef size_t pack_fn(const void *content, size_t len, uint8_t *packed,
                       size_t size);

#define check(holds)                               \
    do {                                           \
        if (!(holds))                              \
            abort(); /* the test wants too much */ \
    } while (0)

#if HAVE_ZLIB
static size_t pack_gzip(const void *content, size_t len, uint8_t *packed,
                        size_t size)
{
    z_stream z = {
        .next_in = (Bytef *)(uintptr_t)content,
        .avail_in = (uInt)len,
        .next_out = packed,
        .avail_out = (uInt)size,
    };

    check(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, 0) == Z_OK);
    check(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}
#endif

#if HAVE_LZMA
static size_t pack_xz(const void *content, size_t len, uint8_t *packed,
                      size_t size)
{
    size_t at = 0;

    check(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, content, len,
                                  packed, &at, size) == LZMA_OK);
    return at;
}

static size_t pack_lzma(const void *content, size_t len, uint8_t *packed,
                        size_t size)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_options_lzma options;

    check(!lzma_lzma_preset(&options, 1));
    check(lzma_alone_encoder(&stream, &options) == LZMA_OK);
    stream.next_in = content;
    stream.avail_in = len;
    stream.next_out = packed;
    stream.avail_out = size;
    check(lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END);
    lzma_end(&stream);
    return size - stream.avail_out;
}
#endif

#if HAVE_LZ4
static size_t pack_lz4(const void *content, size_t len, uint8_t *packed,
                       size_t size)
{
    static const uint8_t magic[] = {0x02, 0x21, 0x4c, 0x18};
    int block;
    uint32_t header;

    memcpy(packed, magic, sizeof magic);
    block = LZ4_compress_default(content, (char *)packed + 8, (int)len,
                                 (int)size - 8);
    check(block > 0);
    header = (uint32_t)block;
    memcpy(packed + 4, &header, sizeof header);
    return 8 + header;
}
#endif

#if HAVE_ZSTD
static size_t pack_zstd(const void *content, size_t len, uint8_t *packed,
                        size_t size)
{
    size_t rc = ZSTD_compress(packed, size, content, len, 3);

    check(!ZSTD_isError(rc));
    return rc;
}
#endif

#if HAVE_BZIP2
static size_t pack_bzip2(const void *content, size_t len, uint8_t *packed,
                         size_t size)
{
    unsigned packed_len = (unsigned)size;

    check(BZ2_bzBuffToBuffCompress((char *)packed, &packed_len,
                                   (char *)(uintptr_t)content, (unsigned)len, 9,
                                   0, 0) == BZ_OK);
    return packed_len;
}
#endif

#if HAVE_LZO
static void put(uint8_t **at, uint32_t value, int nr_bytes)
{
    while (nr_bytes--)
        *(*at)++ = (uint8_t)(nr_bytes < 4 ? value >> 8 * nr_bytes : 0);
}

/* As lzop writes it, with every checksum there is. */
static size_t pack_lzo(const void *content, size_t len, uint8_t *packed,
                       size_t size)
{
    static uint8_t work[LZO1X_1_MEM_COMPRESS], block[64 << 10];
    static const uint8_t magic[] = {0x89, 'L',  'Z',  'O', 0,
                                    '\r', '\n', 0x1a, '\n'};
    lzo_uint block_len = sizeof block;
    uint8_t *at = packed + sizeof magic;

    memcpy(packed, magic, sizeof magic);
    put(&at, 0x1040, 2); /* version */
    put(&at, 0x20a0, 2);
    put(&at, 0x0940, 2);
    put(&at, 1, 1);          /* method */
    put(&at, 5, 1);          /* level */
    put(&at, 0x03000303, 4); /* checksums */
    put(&at, 0, 12);         /* mode and time */
    put(&at, 4, 1);
    memcpy(at, "name", 4);
    at += 4;
    put(&at,
        lzo_adler32(1, packed + sizeof magic,
                    (lzo_uint)(at - packed) - sizeof magic),
        4);
    check(len < sizeof block / 2 && size >= sizeof block);
    check(lzo1x_1_compress(content, len, block, &block_len, work) == LZO_E_OK);
    check(block_len < len); /* or there would be fewer checksums */
    put(&at, (uint32_t)len, 4);
    put(&at, (uint32_t)block_len, 4);
    put(&at, lzo_adler32(1, content, len), 4);
    put(&at, lzo_crc32(0, content, len), 4);
    put(&at, lzo_adler32(1, block, block_len), 4);
    put(&at, lzo_crc32(0, block, block_len), 4);
    memcpy(at, block, block_len);
    at += block_len;
    put(&at, 0, 4);
    return (size_t)(at - packed);
}
#endif

static const struct {
    const char *name;
    pack_fn *pack;
} packers[] = {
#if HAVE_ZLIB
    {"gzip", pack_gzip},
#endif
#if HAVE_LZMA
    {"xz", pack_xz},       {"lzma", pack_lzma},
#endif
#if HAVE_LZ4
    {"lz4", pack_lz4},
#endif
#if HAVE_ZSTD
    {"zstd", pack_zstd},
#endif
#if HAVE_BZIP2
    {"bzip2", pack_bzip2},
#endif
#if HAVE_LZO
    {"lzo", pack_lzo},
#endif
    {NULL, NULL},
};

size_t test_pack(const char *name, const void *content, size_t len,
                 uint8_t *packed, size_t size)
{
    for (size_t i = 0; packers[i].name; i++)
        if (!strcmp(packers[i].name, name))
            return packers[i].pack(content, len, packed, size);
    return 0;
}
