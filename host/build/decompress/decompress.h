/*
 * host/build/decompress/decompress.h: the formats that kernels are packed in.
 *
 * Each is the work of a library that may have been missing when paravane was
 * built; then its name is still known, for the sentence that says so.
 */
#ifndef HOST_BUILD_DECOMPRESS_H
#define HOST_BUILD_DECOMPRESS_H

#include <stddef.h>
#include <stdint.h>

/* A whole stream in memory, and where its content goes. */
struct unpacking {
    uint8_t *in; /* a private copy: nobody else writes it */
    size_t in_size;
    uint8_t *out;
    size_t out_size; /* room, of which a good stream leaves at least a byte */

    size_t in_used, out_used; /* set with UNPACK_DONE */
};

enum unpack_result {
    UNPACK_DONE,
    UNPACK_CORRUPT,
    UNPACK_TRUNCATED, /* (in) ends before the stream does */
    UNPACK_FULL,      /* (out) ends before the content does */
    UNPACK_UNSUPPORTED,
    UNPACK_NO_MEMORY,
};

typedef enum unpack_result unpack_fn(struct unpacking *unpacking);

unpack_fn unpack_bzip2, unpack_gzip, unpack_lz4, unpack_lzma, unpack_lzo,
    unpack_xz, unpack_zstd;

struct compression {
    char name[8];
    char library[16]; /* that unpacks it */
    uint8_t magic[6];
    uint8_t magic_size;
    unpack_fn *unpack; /* NULL: built without the library */
};

#define NR_COMPRESSIONS 7
extern const struct compression compressions[NR_COMPRESSIONS];

/* By the first bytes of a stream; NULL when none begins so. */
const struct compression *compression_of(const uint8_t *start, size_t size);

#endif
