#include <zstd.h>
#include <zstd_errors.h>

#include "host/build/decompress/decompress.h"

static enum unpack_result judge(size_t rc)
{
    switch (ZSTD_getErrorCode(rc)) {
    case ZSTD_error_no_error:
        return UNPACK_DONE;
    case ZSTD_error_srcSize_wrong:
        return UNPACK_TRUNCATED;
    case ZSTD_error_dstSize_tooSmall:
        return UNPACK_FULL;
    case ZSTD_error_memory_allocation:
        return UNPACK_NO_MEMORY;
    case ZSTD_error_version_unsupported:
    case ZSTD_error_frameParameter_unsupported:
    case ZSTD_error_dictionary_wrong:
        return UNPACK_UNSUPPORTED;
    default:
        return UNPACK_CORRUPT;
    }
}

/* In one pass, which needs no window beside the output. */
enum unpack_result unpack_zstd(struct unpacking *u)
{
    const size_t frame = ZSTD_findFrameCompressedSize(u->in, u->in_size);
    size_t rc;

    if (ZSTD_isError(frame))
        return judge(frame);
    rc = ZSTD_decompress(u->out, u->out_size, u->in, frame);
    if (ZSTD_isError(rc))
        return judge(rc);
    u->in_used = frame;
    u->out_used = rc;
    return UNPACK_DONE;
}
