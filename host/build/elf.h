/*
 * host/build/elf.h: the ELF container of a kernel image: which parts of the
 * file are segments, notes and symbols. Knows nothing of what notes say.
 */
#ifndef HOST_BUILD_ELF_H
#define HOST_BUILD_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/build/image.h"

/*
 * The headers, copied once and checked against the file's size; those of a
 * 32-bit file as if they were of a 64-bit one.
 */
struct elf {
    bool is_32bit;
    Elf64_Ehdr header;
    Elf64_Phdr *segments;
    unsigned nr_segments;
    Elf64_Shdr *sections; /* NULL: none */
    unsigned nr_sections;
};

/*
 * Say once, as "IMAGE: sentence", why the image cannot be used. Returns
 * -ENOEXEC.
 */
int image_refuse(const struct image *image, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Copy the part of the file [offset, offset + size) to fresh memory, with a NUL
 * behind it; (what) names it in the sentence if it lies outside the file.
 */
int elf_read_part(const struct image *image, const char *what, uint64_t offset,
                  uint64_t size, void **bytes);

/* As many bytes of a file as tell what kind it is. */
#define FILE_START_SIZE 0x290 /* to the end of a bzImage's boot header */

struct file_start {
    size_t size; /* less than the whole where the file is so short */
    uint8_t bytes[FILE_START_SIZE];
};

/*
 * Read and check the headers of (image), which begins with (start): 0, or
 * -errno with a sentence.
 */
int elf_open(struct image *image, const struct file_start *start,
             struct elf *elf);

/* The same for an image that was opened before. */
int elf_reopen(struct image *image, struct elf *elf);
void elf_close(struct elf *elf);

/* Fill image->segments: 0, or -ENOEXEC with a sentence. */
int elf_load_segments(struct image *image, const struct elf *elf);

/*
 * Find the symbols for backtraces: 0, or -ENOEXEC with a sentence. Those of
 * 32-bit files are not looked for.
 */
int elf_find_symbols(struct image *image, const struct elf *elf);

/*
 * *section is the one called (name), or NULL: 0, or -errno with a sentence if
 * the names cannot be read.
 */
int elf_find_section(const struct image *image, const struct elf *elf,
                     const char *name, const Elf64_Shdr **section);

#endif
