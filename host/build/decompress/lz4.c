/*
 * The legacy frame of LZ4, which Linux uses: a magic number, then blocks, each
 * behind its packed size as 4 little-endian bytes. Nothing marks the end.
 */
#include <lz4.h>
#include <string.h>

#include "host/build/decompress/decompress.h"

#define HEADER_SIZE 4
#define BLOCK_SIZE  (8 << 20) /* unpacked; the last one may be shorter */

/* Is the block broken, or only longer than the room left for it? */
static enum unpack_result why_not(const char *block, int size, char *out,
                                  int room)
{
    if (room < BLOCK_SIZE &&
        LZ4_decompress_safe_partial(block, out, size, room, room) == room)
        return UNPACK_FULL;
    return UNPACK_CORRUPT;
}

static enum unpack_result unpack_block(struct unpacking *u, uint32_t size)
{
    const size_t left = u->out_size - u->out_used;
    const int room = left < BLOCK_SIZE ? (int)left : BLOCK_SIZE;
    const char *block = (const char *)u->in + u->in_used;
    char *out = (char *)u->out + u->out_used;
    int len;

    if (size > (uint32_t)LZ4_compressBound(BLOCK_SIZE))
        return UNPACK_CORRUPT;
    if (size > u->in_size - u->in_used)
        return UNPACK_TRUNCATED;
    len = LZ4_decompress_safe(block, out, (int)size, room);
    if (len < 0)
        return why_not(block, (int)size, out, room);
    u->in_used += size;
    u->out_used += (size_t)len;
    return UNPACK_DONE;
}

enum unpack_result unpack_lz4(struct unpacking *u)
{
    enum unpack_result result = UNPACK_DONE;

    u->in_used = HEADER_SIZE;
    u->out_used = 0;
    while (result == UNPACK_DONE && u->in_used < u->in_size) {
        uint32_t size;

        if (u->in_size - u->in_used < sizeof size)
            return UNPACK_TRUNCATED;
        memcpy(&size, u->in + u->in_used, sizeof size);
        u->in_used += sizeof size;
        result = unpack_block(u, size);
    }
    return result;
}
