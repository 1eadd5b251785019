/*
 * host/build/notes.h: what a kernel says about itself to Xen: ELF notes named
 * "Xen" (xen/elfnote.h), or the text of the older __xen_guest section.
 */
#ifndef HOST_BUILD_NOTES_H
#define HOST_BUILD_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "host/build/image.h"

#define NOTES_WHY_SIZE 160

/*
 * Take the notes in (bytes) into (notes); those of other names are skipped, of
 * a repeated one the last counts. 0, or -EINVAL with a sentence in (why).
 */
int notes_parse(struct image_notes *notes, const uint8_t *bytes, size_t size,
                char why[NOTES_WHY_SIZE]);

/* The same from a __xen_guest section: KEY=VALUE,KEY=VALUE. */
int notes_parse_legacy(struct image_notes *notes, const char *text, size_t size,
                       char why[NOTES_WHY_SIZE]);

/*
 * Read a FEATURES list, "!name|name": bits of xen/features.h that the kernel
 * can use and those it must have. 0, or -EINVAL with a sentence in (why) when
 * an unknown one is required.
 */
int notes_parse_features(const char *list, uint64_t *supported,
                         uint64_t *required, char why[NOTES_WHY_SIZE]);

#endif
