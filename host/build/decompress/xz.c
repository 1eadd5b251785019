/* Both formats of liblzma: .xz, and the older .lzma without checksums. */
#include <lzma.h>

#include "host/build/decompress/crc64.h"
#include "host/build/decompress/decompress.h"

/* Linux packs itself with a dictionary of 32, lately 128 MiB. */
#define MEMORY_LIMIT (UINT64_C(256) << 20)

static enum unpack_result judge(lzma_ret rc, const lzma_stream *stream)
{
    switch (rc) {
    case LZMA_STREAM_END:
        return UNPACK_DONE;
    case LZMA_BUF_ERROR:
        return stream->avail_out == 0 ? UNPACK_FULL : UNPACK_TRUNCATED;
    case LZMA_MEM_ERROR:
    case LZMA_MEMLIMIT_ERROR:
        return UNPACK_NO_MEMORY;
    case LZMA_OPTIONS_ERROR:
        return UNPACK_UNSUPPORTED;
    default:
        return UNPACK_CORRUPT;
    }
}

static enum unpack_result run(struct unpacking *u, lzma_stream *stream)
{
    lzma_ret rc;

    stream->next_in = u->in;
    stream->avail_in = u->in_size;
    stream->next_out = u->out;
    stream->avail_out = u->out_size;
    do
        rc = lzma_code(stream, LZMA_FINISH);
    while (rc == LZMA_OK);
    u->in_used = u->in_size - stream->avail_in;
    u->out_used = u->out_size - stream->avail_out;
    lzma_end(stream);
    return judge(rc, stream);
}

enum unpack_result unpack_xz(struct unpacking *u)
{
    lzma_stream stream = LZMA_STREAM_INIT;

    crc64_prepare();
    if (lzma_stream_decoder(&stream, MEMORY_LIMIT, 0) != LZMA_OK)
        return UNPACK_NO_MEMORY;
    return run(u, &stream);
}

enum unpack_result unpack_lzma(struct unpacking *u)
{
    lzma_stream stream = LZMA_STREAM_INIT;

    if (lzma_alone_decoder(&stream, MEMORY_LIMIT) != LZMA_OK)
        return UNPACK_NO_MEMORY;
    return run(u, &stream);
}
