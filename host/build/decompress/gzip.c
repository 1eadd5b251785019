#define ZLIB_CONST
#include <zlib.h>

#include "host/build/decompress/decompress.h"

#define GZIP_ONLY 16 /* added to the window's size: no raw deflate, no zlib */

static enum unpack_result judge(int rc, const z_stream *z)
{
    switch (rc) {
    case Z_STREAM_END:
        return UNPACK_DONE;
    case Z_MEM_ERROR:
        return UNPACK_NO_MEMORY;
    case Z_OK:
    case Z_BUF_ERROR:
        return z->avail_out == 0 ? UNPACK_FULL : UNPACK_TRUNCATED;
    default:
        return UNPACK_CORRUPT;
    }
}

enum unpack_result unpack_gzip(struct unpacking *u)
{
    z_stream z = {
        .next_in = u->in,
        .avail_in = (uInt)u->in_size,
        .next_out = u->out,
        .avail_out = (uInt)u->out_size,
    };
    int rc;

    if (inflateInit2(&z, GZIP_ONLY + MAX_WBITS) != Z_OK)
        return UNPACK_NO_MEMORY;
    rc = inflate(&z, Z_FINISH);
    u->in_used = u->in_size - z.avail_in;
    u->out_used = u->out_size - z.avail_out;
    inflateEnd(&z);
    return judge(rc, &z);
}
