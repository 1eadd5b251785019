/* The ELF file of an image: what is believed of it and what is refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/unit/build/image_fixture.h"

TestSuite(elf, .init = image_make, .fini = image_forget);

Test(elf, what_is_no_file_is_refused)
{
    cr_expect(strstr(refusal_of("/no/such/file"), "No such file"));
    cr_expect(strstr(refusal_of("/"), "directory"));
    cr_expect(strstr(refusal_of("/dev/null"), "not a regular file"));
    cr_expect(strstr(refusal_of(test_elf_write(&elf, 0)), "empty"));
}

Test(elf, what_is_no_elf_file_is_refused)
{
    memcpy(&elf, "#!/bin/sh\n", 10);
    expect_refusal("not an ELF file");
    memset(&elf, 0, sizeof elf);
    expect_refusal("not an ELF file");
}

Test(elf, other_classes_machines_and_types_are_refused)
{
    test_elf_narrow(&elf);
    elf.header.e_machine = EM_X86_64; /* where both kinds have it */
    expect_refusal("32-bit ELF file for another machine");
    image_make();
    elf.header.e_ident[EI_CLASS] = 7;
    expect_refusal("class 7");
    image_make();
    elf.header.e_ident[EI_DATA] = ELFDATA2MSB;
    expect_refusal("little-endian");
    image_make();
    elf.header.e_machine = EM_AARCH64;
    expect_refusal("another machine");
    image_make();
    elf.header.e_type = ET_DYN;
    expect_refusal("-no-pie");
    elf.header.e_type = ET_REL;
    expect_refusal("not an executable");
    image_make();
    elf.header.e_version = 2;
    expect_refusal("ELF version 2");
    image_make();
    elf.segments[SEG_SPARE].p_type = PT_INTERP;
    elf.header.e_phnum = 3;
    expect_refusal("dynamically linked");
}

/* A file may end anywhere: each prefix is refused or holds all that counts. */
Test(elf, truncated_at_any_byte_is_refused)
{
    test_elf_add_symbols(&elf);
    for (size_t size = 1; size < sizeof elf; size += size < 512 ? 1 : 37) {
        const char *path = test_elf_write(&elf, size);
        int fd = atoi(strrchr(path, '/') + 1);

        cr_expect(*refusal_of(path));
        close(fd);
    }
    image_open_good();
}

Test(elf, headers_outside_the_file_are_refused)
{
    elf.header.e_phoff = sizeof elf - 1;
    expect_refusal("program header table");
    elf.header.e_phoff = UINT64_MAX - 8;
    expect_refusal("program header table");
    image_make();
    elf.header.e_phnum = 0;
    expect_refusal("no program headers");
    elf.header.e_phnum = 0xffff;
    expect_refusal("65535 program headers");
    image_make();
    elf.header.e_phentsize = 32;
    expect_refusal("program headers of 32 bytes");
    image_make();
    elf.header.e_shnum = 1;
    elf.header.e_shentsize = 1;
    expect_refusal("section headers of 1 bytes");
    elf.header.e_shentsize = sizeof(Elf64_Shdr);
    elf.header.e_shoff = UINT64_MAX;
    expect_refusal("section header table");
}

Test(elf, segments_outside_the_file_or_the_address_space_are_refused)
{
    Elf64_Phdr *load = &elf.segments[SEG_LOAD];

    load->p_offset = sizeof elf;
    expect_refusal("outside the file");
    load->p_offset = UINT64_MAX;
    expect_refusal("outside the file");
    image_make();
    load->p_filesz = load->p_memsz = UINT64_MAX;
    expect_refusal("outside the file");
    image_make();
    load->p_memsz = load->p_filesz - 1;
    expect_refusal("only 0xfff in memory");
    image_make();
    load->p_paddr = UINT64_MAX - 4096;
    expect_refusal("wraps");
    image_make();
    load->p_vaddr = UINT64_MAX - 4096;
    expect_refusal("wraps");
    image_make();
    load->p_type = PT_NULL;
    expect_refusal("no segment to load");
}

Test(elf, overlapping_segments_are_refused)
{
    elf.header.e_phnum = 3;
    elf.segments[SEG_SPARE] = elf.segments[SEG_LOAD];
    elf.segments[SEG_SPARE].p_paddr += KERNEL_PAGES * 4096 - 1;
    expect_refusal("overlap");
    elf.segments[SEG_SPARE].p_paddr -= KERNEL_PAGES * 4096 - 2 + 4096;
    expect_refusal("overlap");
    elf.segments[SEG_SPARE].p_paddr = KERNEL_PADDR + KERNEL_PAGES * 4096;
    image_open_good();
    cr_expect_eq(image->nr_segments, 2);
    cr_expect_eq(image->virt_end, KERNEL_PADDR + 2 * KERNEL_PAGES * 4096);
}

Test(elf, of_32_bits_headers_outside_the_file_are_refused)
{
    test_elf_narrow(&elf);
    ((Elf32_Ehdr *)(void *)&elf)->e_phoff = sizeof elf - 1;
    expect_refusal("program header table");
    image_make();
    test_elf_add_symbols(&elf);
    test_elf_narrow(&elf);
    ((Elf32_Ehdr *)(void *)&elf)->e_shoff = UINT32_MAX;
    expect_refusal("section header table");
    image_make();
    test_elf_narrow(&elf);
    ((Elf32_Ehdr *)(void *)&elf)->e_phentsize = sizeof(Elf64_Phdr);
    expect_refusal("program headers of 56 bytes instead of 32");
    image_make();
    test_elf_narrow(&elf);
    ((Elf32_Phdr *)(void *)elf.segments)->p_filesz = UINT32_MAX;
    expect_refusal("lies outside the file");
}

Test(elf, symbols_name_code_and_offset)
{
    const char *name;
    uint64_t offset;

    test_elf_add_symbols(&elf);
    image_open_good();
    cr_assert_eq(image_symbol(image, KERNEL_PADDR + 0x10, &name, &offset), 0);
    cr_expect_str_eq(name, "start");
    cr_expect_eq(offset, 0x10);
    cr_assert_eq(image_symbol(image, KERNEL_PADDR + 0x5f, &name, &offset), 0);
    cr_expect_str_eq(name, "loop");
    cr_expect_eq(offset, 0x1f);
    cr_expect_eq(image_symbol(image, KERNEL_PADDR - 1, &name, &offset),
                 -ENOENT);
    cr_expect_eq(image_symbol(image, UINT64_MAX, &name, &offset), -ENOENT);
}

Test(elf, stripped_it_has_no_names)
{
    const char *name;
    uint64_t offset;

    image_open_good();
    cr_expect_eq(image_symbol(image, KERNEL_ENTRY, &name, &offset), -ENOENT);
}

Test(elf, broken_symbol_tables_are_refused_or_harmless)
{
    const char *name;
    uint64_t offset;

    test_elf_add_symbols(&elf);
    elf.sections[SEC_SYMTAB].sh_link = NR_SECTIONS;
    expect_refusal("symbol table");
    elf.sections[SEC_SYMTAB].sh_link = SEC_STRTAB;
    elf.sections[SEC_SYMTAB].sh_entsize = 1;
    expect_refusal("symbol table");
    elf.sections[SEC_SYMTAB].sh_entsize = sizeof(Elf64_Sym);
    elf.sections[SEC_SYMTAB].sh_offset = sizeof elf;
    expect_refusal("symbol table");

    elf.sections[SEC_SYMTAB].sh_offset = offsetof(struct test_elf, symbols);
    for (int i = 1; i < 4; i++)
        elf.symbols[i].st_name = UINT32_MAX;
    image_open_good();
    cr_expect_eq(image_symbol(image, KERNEL_PADDR, &name, &offset), -ENOENT);
}

Test(elf, names_may_run_to_the_end_of_their_table)
{
    const char *name;
    uint64_t offset;

    test_elf_add_symbols(&elf);
    memset(elf.strings, 'x', sizeof elf.strings); /* no NUL at all */
    elf.symbols[2].st_name = sizeof elf.strings - 3;
    image_open_good();
    cr_assert_eq(image_symbol(image, KERNEL_PADDR + 0x40, &name, &offset), 0);
    cr_expect_str_eq(name, "xxx");
}

Test(elf, a_file_cut_after_it_was_judged_is_an_error)
{
    const char *name;
    uint64_t offset;
    char byte;

    test_elf_add_symbols(&elf);
    image_open_good();
    cr_assert_eq(ftruncate(atoi(strrchr(image->path, '/') + 1), 0), 0);
    cr_expect_lt(image_read(image, offsetof(struct test_elf, code), &byte, 1),
                 0);
    cr_expect_eq(image_symbol(image, KERNEL_PADDR, &name, &offset), -ENOENT);
}
