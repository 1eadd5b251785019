/*
 * tests/unit/build/test_elf.h: kernel images made byte by byte: a file whose
 * every header a test may bend before it is written. Without Criterion, for the
 * fuzzers.
 */
#ifndef TESTS_UNIT_BUILD_TEST_ELF_H
#define TESTS_UNIT_BUILD_TEST_ELF_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_PADDR 0x100000u
#define KERNEL_ENTRY (KERNEL_PADDR + 0x10)
#define KERNEL_PAGES 4 /* in memory; one of them in the file */

enum { SEG_LOAD, SEG_NOTE, SEG_SPARE, NR_SEGMENTS };
enum { SEC_NULL, SEC_SYMTAB, SEC_STRTAB, SEC_NAMES, SEC_SPARE, NR_SECTIONS };

/* The file, from its first byte to its last. */
struct test_elf {
    Elf64_Ehdr header;
    Elf64_Phdr segments[NR_SEGMENTS];
    uint8_t code[4096];
    uint8_t notes[1024];
    Elf64_Sym symbols[4];
    char strings[64];
    char section_names[64];
    Elf64_Shdr sections[NR_SECTIONS];
};

/* A good PV kernel without symbols: LOADER, XEN_VERSION, ENTRY. */
void test_elf_init(struct test_elf *elf);

/* Forget all notes. */
void test_elf_clear_notes(struct test_elf *elf);
void test_elf_add_note(struct test_elf *elf, const char *name, uint32_t type,
                       const void *desc, size_t size);
void test_elf_add_string(struct test_elf *elf, uint32_t type, const char *text);
void test_elf_add_number(struct test_elf *elf, uint32_t type, uint64_t value);

/* Give it section headers, and the symbols start, loop and tail. */
void test_elf_add_symbols(struct test_elf *elf);

/* Turn its headers, made so far, into those of a 32-bit file for i386. */
void test_elf_narrow(struct test_elf *elf);

/*
 * The first (size) bytes of the file as a path that can be opened until the
 * test ends.
 */
const char *test_elf_write(const struct test_elf *elf, size_t size);

#endif
