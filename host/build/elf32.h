/*
 * host/build/elf32.h: the headers of a 32-bit ELF file as those of a 64-bit
 * one, so that nobody else has to know that there are two kinds. An image for
 * PVH may be such a file: it is entered in 32-bit mode.
 */
#ifndef HOST_BUILD_ELF32_H
#define HOST_BUILD_ELF32_H

#include <elf.h>

/* Sizes of table entries (e_phentsize and the like) stay those of the file. */
Elf64_Ehdr elf32_header(const Elf32_Ehdr *from);
Elf64_Phdr elf32_segment(const Elf32_Phdr *from);
Elf64_Shdr elf32_section(const Elf32_Shdr *from);

#endif
