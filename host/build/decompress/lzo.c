/*
 * The container of lzop: a header, then blocks, each behind its unpacked and
 * its packed size and the checksums that the header announced; an unpacked size
 * of 0 ends it. All numbers are big-endian.
 */
#include <lzo/lzo1x.h>
#include <stdbool.h>
#include <string.h>

#include "host/build/decompress/decompress.h"

#define MAGIC_SIZE 9

/* From this version on, lzop writes more of a header. */
#define VERSION_LEVELS 0x940

/* Flags of the header. */
#define SUM_ADLER_UNPACKED 0x00000001u
#define SUM_ADLER_PACKED   0x00000002u
#define HAS_EXTRA_FIELD    0x00000040u
#define SUM_CRC_UNPACKED   0x00000100u
#define SUM_CRC_PACKED     0x00000200u
#define IS_MULTIPART       0x00000400u
#define HAS_FILTER         0x00000800u
#define HEADER_CRC         0x00001000u

#define METHOD_LAST 3 /* 1 to 3 are ways to pack LZO1X, unpacked alike */

#define START_ADLER 1
#define START_CRC   0

/* Reads (in) from in_used on; sticks at the end of it. */
struct reader {
    struct unpacking *u;
    bool ended;
};

static uint32_t take(struct reader *reader, unsigned nr_bytes)
{
    struct unpacking *u = reader->u;
    uint32_t value = 0;

    if (u->in_size - u->in_used < nr_bytes) {
        reader->ended = true;
        return 0;
    }
    while (nr_bytes--)
        value = value << 8 | u->in[u->in_used++];
    return value;
}

static void skip(struct reader *reader, uint32_t nr_bytes)
{
    struct unpacking *u = reader->u;

    if (u->in_size - u->in_used < nr_bytes)
        reader->ended = true;
    else
        u->in_used += nr_bytes;
}

static uint32_t sum_of(bool crc, const uint8_t *bytes, size_t len)
{
    return crc ? lzo_crc32(START_CRC, bytes, len)
               : lzo_adler32(START_ADLER, bytes, len);
}

static enum unpack_result read_header(struct reader *reader, uint32_t *flags)
{
    struct unpacking *u = reader->u;
    uint32_t version, method, sum;
    size_t summed;

    skip(reader, MAGIC_SIZE);
    version = take(reader, 2);
    skip(reader, version >= VERSION_LEVELS ? 4 : 2); /* library, needed */
    method = take(reader, 1);
    skip(reader, version >= VERSION_LEVELS ? 1 : 0); /* level */
    *flags = take(reader, 4);
    if (*flags & (HAS_FILTER | IS_MULTIPART | HAS_EXTRA_FIELD))
        return UNPACK_UNSUPPORTED;
    skip(reader, version >= VERSION_LEVELS ? 12 : 8); /* mode, time */
    skip(reader, take(reader, 1));                    /* name */
    if (reader->ended)
        return UNPACK_TRUNCATED;
    summed = u->in_used;
    sum = take(reader, 4);
    if (reader->ended)
        return UNPACK_TRUNCATED;
    if (sum !=
        sum_of(*flags & HEADER_CRC, u->in + MAGIC_SIZE, summed - MAGIC_SIZE))
        return UNPACK_CORRUPT;
    return method == 0 || method > METHOD_LAST ? UNPACK_UNSUPPORTED
                                               : UNPACK_DONE;
}

/* The sizes and checksums before a block's bytes. */
struct block {
    uint32_t unpacked, packed;
    uint32_t flags; /* which checksums there are */
    uint32_t adler_unpacked, crc_unpacked, adler_packed, crc_packed;
};

/* A block that packing would not make smaller is stored, and summed once. */
static bool is_stored(const struct block *block)
{
    return block->packed == block->unpacked;
}

static uint32_t take_sum(struct reader *reader, const struct block *block,
                         uint32_t flag)
{
    return block->flags & flag ? take(reader, 4) : 0;
}

static enum unpack_result read_block(struct reader *reader, struct block *block)
{
    block->packed = take(reader, 4);
    block->adler_unpacked = take_sum(reader, block, SUM_ADLER_UNPACKED);
    block->crc_unpacked = take_sum(reader, block, SUM_CRC_UNPACKED);
    if (is_stored(block))
        block->flags &= ~(SUM_ADLER_PACKED | SUM_CRC_PACKED);
    block->adler_packed = take_sum(reader, block, SUM_ADLER_PACKED);
    block->crc_packed = take_sum(reader, block, SUM_CRC_PACKED);
    if (reader->ended ||
        block->packed > reader->u->in_size - reader->u->in_used)
        return UNPACK_TRUNCATED;
    if (block->packed == 0 || block->packed > block->unpacked)
        return UNPACK_CORRUPT;
    if (block->unpacked > reader->u->out_size - reader->u->out_used)
        return UNPACK_FULL;
    return UNPACK_DONE;
}

static bool sums_match(const struct block *block, const uint8_t *packed,
                       const uint8_t *unpacked)
{
    const uint32_t flags = block->flags;

    return (!(flags & SUM_ADLER_PACKED) ||
            sum_of(false, packed, block->packed) == block->adler_packed) &&
           (!(flags & SUM_CRC_PACKED) ||
            sum_of(true, packed, block->packed) == block->crc_packed) &&
           (!(flags & SUM_ADLER_UNPACKED) ||
            sum_of(false, unpacked, block->unpacked) ==
                block->adler_unpacked) &&
           (!(flags & SUM_CRC_UNPACKED) ||
            sum_of(true, unpacked, block->unpacked) == block->crc_unpacked);
}

static enum unpack_result unpack_block(struct unpacking *u,
                                       const struct block *block)
{
    const uint8_t *packed = u->in + u->in_used;
    uint8_t *out = u->out + u->out_used;
    lzo_uint len = block->unpacked;

    if (is_stored(block))
        memcpy(out, packed, len);
    else if (lzo1x_decompress_safe(packed, block->packed, out, &len, NULL) !=
                 LZO_E_OK ||
             len != block->unpacked)
        return UNPACK_CORRUPT;
    if (!sums_match(block, packed, out))
        return UNPACK_CORRUPT;
    u->in_used += block->packed;
    u->out_used += len;
    return UNPACK_DONE;
}

enum unpack_result unpack_lzo(struct unpacking *u)
{
    struct reader reader = {.u = u};
    enum unpack_result result;
    uint32_t flags;

    u->in_used = u->out_used = 0;
    result = read_header(&reader, &flags);
    while (result == UNPACK_DONE) {
        struct block block = {.flags = flags};

        block.unpacked = take(&reader, 4);
        if (reader.ended)
            return UNPACK_TRUNCATED;
        if (block.unpacked == 0)
            break;
        result = read_block(&reader, &block);
        if (result == UNPACK_DONE)
            result = unpack_block(u, &block);
    }
    return result;
}
