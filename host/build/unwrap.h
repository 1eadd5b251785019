/*
 * host/build/unwrap.h: kernels inside something else: a Linux bzImage, or a
 * file that gzip has packed as a whole.
 */
#ifndef HOST_BUILD_UNWRAP_H
#define HOST_BUILD_UNWRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/build/image.h"

/* Is there something to unwrap behind these first (size) bytes of a file? */
bool unwrap_wanted(const uint8_t *start, size_t size);

/*
 * Put what is packed in (image), whose first (size) bytes are (start), in the
 * place of its file: image->fd is then a sealed memfd, image->size its size,
 * image->wrapper tells what it came out of. 0, or -errno with a sentence
 * logged.
 *
 * What is unpacked is exactly as many bytes as the wrapper promises, and (max)
 * at most.
 */
int unwrap(struct image *image, const uint8_t *start, size_t size,
           uint64_t max);

/* Larger than any kernel that was ever built, smaller than a host. */
#define UNWRAP_MAX (UINT64_C(512) << 20)

#endif
