#include <string.h>

#include "host/build/decompress/decompress.h"
#include "host/build/decompress/libraries.h"

#if !HAVE_BZIP2
#define unpack_bzip2 NULL
#endif
#if !HAVE_ZLIB
#define unpack_gzip NULL
#endif
#if !HAVE_LZ4
#define unpack_lz4 NULL
#endif
#if !HAVE_LZMA
#define unpack_lzma NULL
#define unpack_xz   NULL
#endif
#if !HAVE_LZO
#define unpack_lzo NULL
#endif
#if !HAVE_ZSTD
#define unpack_zstd NULL
#endif

const struct compression compressions[NR_COMPRESSIONS] = {
    {"gzip", "zlib", {0x1f, 0x8b}, 2, unpack_gzip},
    {"xz", "liblzma", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, unpack_xz},
    {"lzma", "liblzma", {0x5d, 0}, 2, unpack_lzma},
    {"lz4", "liblz4", {0x02, 0x21, 0x4c, 0x18}, 4, unpack_lz4},
    {"zstd", "libzstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, unpack_zstd},
    {"bzip2", "libbz2", {'B', 'Z', 'h'}, 3, unpack_bzip2},
    {"lzo", "liblzo2", {0x89, 'L', 'Z', 'O', 0}, 5, unpack_lzo},
};

const struct compression *compression_of(const uint8_t *start, size_t size)
{
    for (size_t i = 0; i < NR_COMPRESSIONS; i++) {
        const struct compression *c = &compressions[i];

        if (size >= c->magic_size && !memcmp(start, c->magic, c->magic_size))
            return c;
    }
    return NULL;
}
