#include <bzlib.h>

#include "host/build/decompress/decompress.h"

static enum unpack_result judge(int rc, const bz_stream *bz)
{
    switch (rc) {
    case BZ_STREAM_END:
        return UNPACK_DONE;
    case BZ_OK: /* it can go on only with more of one or the other */
        return bz->avail_out == 0 ? UNPACK_FULL : UNPACK_TRUNCATED;
    case BZ_MEM_ERROR:
        return UNPACK_NO_MEMORY;
    default:
        return UNPACK_CORRUPT;
    }
}

enum unpack_result unpack_bzip2(struct unpacking *u)
{
    bz_stream bz = {
        .next_in = (char *)u->in,
        .avail_in = (unsigned)u->in_size,
        .next_out = (char *)u->out,
        .avail_out = (unsigned)u->out_size,
    };
    int rc;

    if (BZ2_bzDecompressInit(&bz, 0, 0) != BZ_OK)
        return UNPACK_NO_MEMORY;
    rc = BZ2_bzDecompress(&bz);
    u->in_used = u->in_size - bz.avail_in;
    u->out_used = u->out_size - bz.avail_out;
    BZ2_bzDecompressEnd(&bz);
    return judge(rc, &bz);
}
