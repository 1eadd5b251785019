/*
 * host/build/bzimage.h: Linux's boot image for x86: a boot sector, real-mode
 * code, and behind it the packed kernel, which is all that interests here.
 */
#ifndef HOST_BUILD_BZIMAGE_H
#define HOST_BUILD_BZIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/build/image.h"

struct bzimage {
    unsigned protocol; /* of the boot header: 0x020f is 2.15 */
    char version[80];  /* of the kernel, as it says; may be empty */
    uint64_t payload, payload_size; /* where in the file; checked */
};

/* Does a file with these first (size) bytes want to be one? */
bool bzimage_begins(const uint8_t *start, size_t size);

/*
 * Find the payload of (image), whose first (size) bytes are (start): 0, or
 * -errno with a sentence logged.
 */
int bzimage_read(const struct image *image, const uint8_t *start, size_t size,
                 struct bzimage *bzimage);

#endif
