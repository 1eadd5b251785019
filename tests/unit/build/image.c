/* Kernel images: what is believed of them and what is refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <xen/elfnote.h>

#include "host/build/image.h"
#include "tests/unit/build/refusal.h"
#include "tests/unit/build/test_elf.h"

static struct test_elf elf;
static struct image *image;

static void make(void)
{
    test_elf_init(&elf);
}

static void forget(void)
{
    image_close(image);
    image = NULL;
}

TestSuite(image, .init = make, .fini = forget);

static void open_good(void)
{
    if (image_open(test_elf_write(&elf, sizeof elf), &image))
        abort(); /* it said why */
}

static const char *refusal(void)
{
    return refusal_of(test_elf_write(&elf, sizeof elf));
}

#define expect_refusal(words)                                                  \
    do {                                                                       \
        const char *said_ = refusal();                                         \
        cr_expect(strstr(said_, words), "expected '%s' in: %s", words, said_); \
    } while (0)

#define expect_no_pv(words)                                                 \
    do {                                                                    \
        open_good();                                                        \
        cr_expect(!image->offers_pv);                                       \
        cr_expect(strstr(image->pv_refusal, words), "expected '%s' in: %s", \
                  words, image->pv_refusal);                                \
    } while (0)

Test(image, a_good_one_is_understood)
{
    open_good();
    cr_expect(image->offers_pv, "%s", image->pv_refusal);
    cr_expect(!image->offers_pvh);
    cr_expect_eq(image->pv_entry, KERNEL_ENTRY);
    cr_expect_eq(image->virt_start, KERNEL_PADDR);
    cr_expect_eq(image->virt_end, KERNEL_PADDR + KERNEL_PAGES * 4096);
    cr_expect_eq(image->nr_segments, 1);
    cr_expect_eq(image->segments[0].file_offset,
                 offsetof(struct test_elf, code));
    cr_expect_str_eq(image->notes.loader, "generic");
}

Test(image, what_is_no_file_is_refused)
{
    cr_expect(strstr(refusal_of("/no/such/file"), "No such file"));
    cr_expect(strstr(refusal_of("/"), "directory"));
    cr_expect(strstr(refusal_of("/dev/null"), "not a regular file"));
    cr_expect(strstr(refusal_of(test_elf_write(&elf, 0)), "empty"));
}

Test(image, what_is_no_elf_file_is_refused)
{
    memcpy(&elf, "#!/bin/sh\n", 10);
    expect_refusal("not an ELF file");
    memset(&elf, 0, sizeof elf);
    expect_refusal("not an ELF file");
}

Test(image, other_classes_machines_and_types_are_refused)
{
    test_elf_narrow(&elf);
    elf.header.e_machine = EM_X86_64; /* where both kinds have it */
    expect_refusal("32-bit ELF file for another machine");
    make();
    elf.header.e_ident[EI_CLASS] = 7;
    expect_refusal("class 7");
    make();
    elf.header.e_ident[EI_DATA] = ELFDATA2MSB;
    expect_refusal("little-endian");
    make();
    elf.header.e_machine = EM_AARCH64;
    expect_refusal("another machine");
    make();
    elf.header.e_type = ET_DYN;
    expect_refusal("-no-pie");
    elf.header.e_type = ET_REL;
    expect_refusal("not an executable");
    make();
    elf.header.e_version = 2;
    expect_refusal("ELF version 2");
    make();
    elf.segments[SEG_SPARE].p_type = PT_INTERP;
    elf.header.e_phnum = 3;
    expect_refusal("dynamically linked");
}

/* A file may end anywhere: each prefix is refused or holds all that counts. */
Test(image, truncated_at_any_byte_is_refused)
{
    test_elf_add_symbols(&elf);
    for (size_t size = 1; size < sizeof elf; size += size < 512 ? 1 : 37) {
        const char *path = test_elf_write(&elf, size);
        int fd = atoi(strrchr(path, '/') + 1);

        cr_expect(*refusal_of(path));
        close(fd);
    }
    open_good();
}

Test(image, headers_outside_the_file_are_refused)
{
    elf.header.e_phoff = sizeof elf - 1;
    expect_refusal("program header table");
    elf.header.e_phoff = UINT64_MAX - 8;
    expect_refusal("program header table");
    make();
    elf.header.e_phnum = 0;
    expect_refusal("no program headers");
    elf.header.e_phnum = 0xffff;
    expect_refusal("65535 program headers");
    make();
    elf.header.e_phentsize = 32;
    expect_refusal("program headers of 32 bytes");
    make();
    elf.header.e_shnum = 1;
    elf.header.e_shentsize = 1;
    expect_refusal("section headers of 1 bytes");
    elf.header.e_shentsize = sizeof(Elf64_Shdr);
    elf.header.e_shoff = UINT64_MAX;
    expect_refusal("section header table");
}

Test(image, segments_outside_the_file_or_the_address_space_are_refused)
{
    Elf64_Phdr *load = &elf.segments[SEG_LOAD];

    load->p_offset = sizeof elf;
    expect_refusal("outside the file");
    load->p_offset = UINT64_MAX;
    expect_refusal("outside the file");
    make();
    load->p_filesz = load->p_memsz = UINT64_MAX;
    expect_refusal("outside the file");
    make();
    load->p_memsz = load->p_filesz - 1;
    expect_refusal("only 0xfff in memory");
    make();
    load->p_paddr = UINT64_MAX - 4096;
    expect_refusal("wraps");
    make();
    load->p_vaddr = UINT64_MAX - 4096;
    expect_refusal("wraps");
    make();
    load->p_type = PT_NULL;
    expect_refusal("no segment to load");
}

Test(image, overlapping_segments_are_refused)
{
    elf.header.e_phnum = 3;
    elf.segments[SEG_SPARE] = elf.segments[SEG_LOAD];
    elf.segments[SEG_SPARE].p_paddr += KERNEL_PAGES * 4096 - 1;
    expect_refusal("overlap");
    elf.segments[SEG_SPARE].p_paddr -= KERNEL_PAGES * 4096 - 2 + 4096;
    expect_refusal("overlap");
    elf.segments[SEG_SPARE].p_paddr = KERNEL_PADDR + KERNEL_PAGES * 4096;
    open_good();
    cr_expect_eq(image->nr_segments, 2);
    cr_expect_eq(image->virt_end, KERNEL_PADDR + 2 * KERNEL_PAGES * 4096);
}

Test(image, without_xen_notes_it_is_refused)
{
    test_elf_clear_notes(&elf);
    expect_refusal("no Xen notes");
    test_elf_add_note(&elf, "GNU", XEN_ELFNOTE_LOADER, "generic", 8);
    test_elf_add_note(&elf, "Xen!", XEN_ELFNOTE_LOADER, "generic", 8);
    expect_refusal("no Xen notes");
}

Test(image, broken_notes_are_refused)
{
    Elf64_Nhdr note = {.n_namesz = UINT32_MAX, .n_descsz = UINT32_MAX};

    elf.segments[SEG_NOTE].p_filesz -= 5;
    expect_refusal("ends outside its section");
    make();
    memcpy(elf.notes, &note, sizeof note);
    expect_refusal("ends outside its section");
    make();
    elf.segments[SEG_NOTE].p_filesz += 4;
    expect_refusal("inside a header");
    make();
    test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_ENTRY, "abc", 3);
    expect_refusal("number of 3 bytes");
    make();
    elf.segments[SEG_NOTE].p_offset = sizeof elf;
    expect_refusal("note segment");
}

Test(image, numbers_may_have_1_2_4_or_8_bytes)
{
    static const size_t sizes[] = {1, 2, 4, 8};
    const uint64_t value = UINT64_C(0x8877665544332211);

    for (int i = 0; i < 4; i++) {
        make();
        test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_HV_START_LOW, &value,
                          sizes[i]);
        open_good();
        cr_expect_eq(image->notes.hv_start_low,
                     value & (UINT64_MAX >> (64 - 8 * sizes[i])));
        forget();
    }
}

Test(image, strings_may_lack_their_nul_and_be_long)
{
    char text[300];

    memset(text, 'x', sizeof text);
    test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_GUEST_OS, "myos", 4);
    test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_FEATURES, text, sizeof text);
    test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_GUEST_VERSION, "", 0);
    open_good();
    cr_expect_eq(strcmp(image->notes.guest_os, "myos"), 0);
    cr_expect_eq(strlen(image->notes.features),
                 sizeof image->notes.features - 1);
    cr_expect_str_eq(image->notes.guest_version, "");
}

Test(image, note_segments_at_file_offset_0_are_skipped)
{
    elf.header.e_phnum = 3;
    elf.segments[SEG_SPARE] = (Elf64_Phdr){.p_type = PT_NOTE, .p_filesz = 7};
    open_good();
    cr_expect(image->offers_pv);
}

Test(image, note_sections_count_where_there_is_no_segment)
{
    test_elf_add_symbols(&elf);
    elf.segments[SEG_NOTE].p_type = PT_NULL;
    expect_refusal("no Xen notes");
    elf.sections[SEC_SPARE] = (Elf64_Shdr){
        .sh_type = SHT_NOTE,
        .sh_offset = elf.segments[SEG_NOTE].p_offset,
        .sh_size = elf.segments[SEG_NOTE].p_filesz,
    };
    open_good();
    cr_expect(image->offers_pv);
}

static void make_legacy(const char *text)
{
    make();
    test_elf_add_symbols(&elf);
    elf.segments[SEG_NOTE].p_type = PT_NULL;
    memset(elf.notes, 0, sizeof elf.notes);
    memcpy(elf.notes, text, strlen(text));
    elf.sections[SEC_SPARE] = (Elf64_Shdr){
        .sh_name = 1, /* __xen_guest */
        .sh_type = SHT_PROGBITS,
        .sh_offset = offsetof(struct test_elf, notes),
        .sh_size = strlen(text),
    };
}

Test(image, the_older_section_counts_where_there_is_no_note)
{
    make_legacy("GUEST_OS=Mini-OS,XEN_VER=xen-3.0,VIRT_BASE=0x0,"
                "ELF_PADDR_OFFSET=0x0,HYPERCALL_PAGE=0x102,LOADER=generic,"
                "PAE=yes,FEATURES=writable_page_tables,NEW_KEY=1");
    open_good();
    cr_expect(image->notes.legacy);
    cr_expect(image->offers_pv, "%s", image->pv_refusal);
    cr_expect_str_eq(image->notes.guest_os, "Mini-OS");
    cr_expect_eq(image->notes.hypercall_page, 0x102000);
    cr_expect_eq(image->pv_entry, KERNEL_ENTRY);
}

Test(image, in_the_older_section_the_offset_defaults_to_virt_base)
{
    make_legacy("XEN_VER=xen-3.0,LOADER=generic,VIRT_BASE=0x100000,"
                "HYPERCALL_PAGE=0x2");
    open_good();
    cr_expect(image->offers_pv, "%s", image->pv_refusal);
    cr_expect_eq(image->notes.paddr_offset, 0x100000);
    cr_expect_eq(image->notes.hypercall_page, 0x102000);
    cr_expect_eq(image->virt_start, KERNEL_PADDR);
}

Test(image, nonsense_in_the_older_section_is_refused)
{
    make_legacy("XEN_VER=xen-3.0,VIRT_BASE=zero");
    expect_refusal("VIRT_BASE=zero");
    make_legacy("HYPERCALL_PAGE=0xffffffffffffffff");
    expect_refusal("no page number");
    make_legacy("VIRT_BASE=0x1ffffffffffffffff");
    expect_refusal("VIRT_BASE");
}

Test(image, only_pv_kernels_offer_pv)
{
    test_elf_add_string(&elf, XEN_ELFNOTE_XEN_VERSION, "xen-2.0");
    expect_no_pv("XEN_VERSION is \"xen-2.0\"");
    forget();
    make();
    test_elf_add_string(&elf, XEN_ELFNOTE_LOADER, "Generic");
    expect_no_pv("LOADER is \"Generic\"");
    forget();
    test_elf_add_string(&elf, XEN_ELFNOTE_GUEST_OS, "linux");
    open_good();
    cr_expect(image->offers_pv);
}

Test(image, features_it_must_have_are_known)
{
    test_elf_add_string(&elf, XEN_ELFNOTE_FEATURES,
                        "!writable_page_tables|pae_pgdir_above_4gb|teleport");
    open_good();
    cr_expect(image->offers_pv);
    forget();
    test_elf_add_string(&elf, XEN_ELFNOTE_FEATURES, "dom0|!teleport");
    expect_no_pv("unknown feature teleport");
    forget();
    test_elf_add_string(&elf, XEN_ELFNOTE_FEATURES, "!auto_translated_physmap");
    expect_no_pv("auto_translated_physmap");
    forget();
    test_elf_add_string(&elf, XEN_ELFNOTE_FEATURES, "||!|");
    expect_no_pv("unknown feature");
}

Test(image, entry_and_hypercall_page_must_lie_in_the_kernel)
{
    test_elf_add_number(&elf, XEN_ELFNOTE_ENTRY, KERNEL_PADDR - 1);
    expect_no_pv("entry point");
    forget();
    make();
    test_elf_add_number(&elf, XEN_ELFNOTE_HYPERCALL_PAGE,
                        KERNEL_PADDR + KERNEL_PAGES * 4096);
    expect_no_pv("hypercall page");
    forget();
    make();
    test_elf_add_number(&elf, XEN_ELFNOTE_HYPERCALL_PAGE, KERNEL_PADDR + 8);
    expect_no_pv("hypercall page");
}

Test(image, without_a_note_the_entry_is_that_of_the_elf_header)
{
    test_elf_clear_notes(&elf);
    test_elf_add_string(&elf, XEN_ELFNOTE_LOADER, "generic");
    test_elf_add_string(&elf, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    elf.header.e_entry = KERNEL_ENTRY + 1;
    open_good();
    cr_expect_eq(image->pv_entry, KERNEL_ENTRY + 1);
}

Test(image, the_range_comes_from_physical_addresses)
{
    const uint64_t base = UINT64_C(0xffffffff80000000);

    elf.segments[SEG_LOAD].p_vaddr = 0x1234;
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE, base);
    test_elf_add_number(&elf, XEN_ELFNOTE_PADDR_OFFSET, 0x1000);
    test_elf_add_number(&elf, XEN_ELFNOTE_ENTRY, base + KERNEL_PADDR);
    open_good();
    cr_expect(image->offers_pv, "%s", image->pv_refusal);
    cr_expect_eq(image->virt_start, base + KERNEL_PADDR - 0x1000);
}

Test(image, impossible_ranges_are_no_pv)
{
    test_elf_add_number(&elf, XEN_ELFNOTE_PADDR_OFFSET, 0x1000);
    expect_no_pv("PADDR_OFFSET without VIRT_BASE");
    forget();
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE, 0x1001);
    expect_no_pv("page boundary");
    forget();
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE, 0);
    test_elf_add_number(&elf, XEN_ELFNOTE_PADDR_OFFSET, KERNEL_PADDR + 1);
    expect_no_pv("below its PADDR_OFFSET");
    forget();
    make();
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE,
                        UINT64_C(0xffff800000000000));
    expect_no_pv("Xen keeps for itself");
    forget();
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE,
                        UINT64_C(0x00007ffffff00000));
    expect_no_pv("Xen keeps for itself");
    forget();
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE,
                        UINT64_C(0xfffffffffff00000));
    expect_no_pv("beyond the address space");
    forget();
    make();
    test_elf_add_number(&elf, XEN_ELFNOTE_INIT_P2M, KERNEL_PADDR);
    expect_no_pv("overlaps the kernel");
}

static void expect_no_pvh(const char *why)
{
    open_good();
    cr_expect_not(image->offers_pvh);
    cr_expect(strstr(image->pvh_refusal, why), "%s", image->pvh_refusal);
}

Test(image, a_pvh_entry_lies_in_a_segment)
{
    test_elf_add_number(&elf, XEN_ELFNOTE_PHYS32_ENTRY, KERNEL_PADDR - 1);
    expect_no_pvh("lies in none of its segments");
    forget();
    make();
    test_elf_add_number(&elf, XEN_ELFNOTE_PHYS32_ENTRY,
                        KERNEL_PADDR + KERNEL_PAGES * 4096);
    expect_no_pvh("lies in none of its segments");
    forget();
    make();
    test_elf_add_number(&elf, XEN_ELFNOTE_PHYS32_ENTRY, UINT64_MAX);
    expect_no_pvh("lies in none of its segments");
}

Test(image, a_pvh_kernel_lies_below_4_gib)
{
    test_elf_add_number(&elf, XEN_ELFNOTE_PHYS32_ENTRY, KERNEL_PADDR);
    elf.segments[SEG_LOAD].p_paddr = 0xfbfff000;
    expect_no_pvh("link it lower");
}

Test(image, phys32_entry_offers_pvh)
{
    test_elf_add_number(&elf, XEN_ELFNOTE_PHYS32_ENTRY, 0x100040);
    open_good();
    cr_expect(image->offers_pvh);
    cr_expect_eq(image->notes.phys32_entry, 0x100040);
}

Test(image, of_32_bits_it_offers_pvh_alone)
{
    const uint32_t entry = KERNEL_ENTRY;

    test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_PHYS32_ENTRY, &entry,
                      sizeof entry);
    test_elf_add_symbols(&elf);
    test_elf_narrow(&elf);
    expect_no_pv("32-bit");
    cr_expect(image->is_32bit && image->offers_pvh);
    cr_expect_eq(image->elf_entry, KERNEL_ENTRY);
    cr_expect_eq(image->notes.phys32_entry, entry);
    cr_expect_eq(image->nr_segments, 1);
    cr_expect_eq(image->segments[0].paddr, KERNEL_PADDR);
    cr_expect_eq(image->segments[0].file_offset,
                 offsetof(struct test_elf, code));
    cr_expect_eq(image->segments[0].file_size, sizeof elf.code);
    cr_expect_eq(image->segments[0].mem_size, UINT64_C(4096) * KERNEL_PAGES);
    cr_expect_eq(image->nr_symbols, 0);
}

Test(image, of_32_bits_its_note_sections_count_too)
{
    const uint32_t entry = KERNEL_ENTRY;

    test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_PHYS32_ENTRY, &entry,
                      sizeof entry);
    test_elf_add_symbols(&elf);
    elf.sections[SEC_SPARE] = (Elf64_Shdr){
        .sh_type = SHT_NOTE,
        .sh_offset = offsetof(struct test_elf, notes),
        .sh_size = elf.segments[SEG_NOTE].p_filesz,
    };
    elf.segments[SEG_NOTE].p_type = PT_NULL;
    test_elf_narrow(&elf);
    open_good();
    cr_expect(image->offers_pvh);
}

Test(image, of_32_bits_headers_outside_the_file_are_refused)
{
    test_elf_narrow(&elf);
    ((Elf32_Ehdr *)(void *)&elf)->e_phoff = sizeof elf - 1;
    expect_refusal("program header table");
    make();
    test_elf_add_symbols(&elf);
    test_elf_narrow(&elf);
    ((Elf32_Ehdr *)(void *)&elf)->e_shoff = UINT32_MAX;
    expect_refusal("section header table");
    make();
    test_elf_narrow(&elf);
    ((Elf32_Ehdr *)(void *)&elf)->e_phentsize = sizeof(Elf64_Phdr);
    expect_refusal("program headers of 56 bytes instead of 32");
    make();
    test_elf_narrow(&elf);
    ((Elf32_Phdr *)(void *)elf.segments)->p_filesz = UINT32_MAX;
    expect_refusal("lies outside the file");
}

Test(image, symbols_name_code_and_offset)
{
    const char *name;
    uint64_t offset;

    test_elf_add_symbols(&elf);
    open_good();
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

Test(image, stripped_it_has_no_names)
{
    const char *name;
    uint64_t offset;

    open_good();
    cr_expect_eq(image_symbol(image, KERNEL_ENTRY, &name, &offset), -ENOENT);
}

Test(image, broken_symbol_tables_are_refused_or_harmless)
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
    open_good();
    cr_expect_eq(image_symbol(image, KERNEL_PADDR, &name, &offset), -ENOENT);
}

Test(image, names_may_run_to_the_end_of_their_table)
{
    const char *name;
    uint64_t offset;

    test_elf_add_symbols(&elf);
    memset(elf.strings, 'x', sizeof elf.strings); /* no NUL at all */
    elf.symbols[2].st_name = sizeof elf.strings - 3;
    open_good();
    cr_assert_eq(image_symbol(image, KERNEL_PADDR + 0x40, &name, &offset), 0);
    cr_expect_str_eq(name, "xxx");
}

Test(image, a_file_cut_after_it_was_judged_is_an_error)
{
    const char *name;
    uint64_t offset;
    char byte;

    test_elf_add_symbols(&elf);
    open_good();
    cr_assert_eq(ftruncate(atoi(strrchr(image->path, '/') + 1), 0), 0);
    cr_expect_lt(image_read(image, offsetof(struct test_elf, code), &byte, 1),
                 0);
    cr_expect_eq(image_symbol(image, KERNEL_PADDR, &name, &offset), -ENOENT);
}
