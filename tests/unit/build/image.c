/* What an image's notes say, and which doors it offers by them. */
#include <string.h>

#include <criterion/criterion.h>
#include <xen/elfnote.h>

#include "tests/unit/build/image_fixture.h"

TestSuite(image, .init = image_make, .fini = image_forget);

#define expect_no_pv(words)                                                 \
    do {                                                                    \
        image_open_good();                                                  \
        cr_expect(!image->offers_pv);                                       \
        cr_expect(strstr(image->pv_refusal, words), "expected '%s' in: %s", \
                  words, image->pv_refusal);                                \
    } while (0)

Test(image, a_good_one_is_understood)
{
    image_open_good();
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
    image_make();
    memcpy(elf.notes, &note, sizeof note);
    expect_refusal("ends outside its section");
    image_make();
    elf.segments[SEG_NOTE].p_filesz += 4;
    expect_refusal("inside a header");
    image_make();
    test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_ENTRY, "abc", 3);
    expect_refusal("number of 3 bytes");
    image_make();
    elf.segments[SEG_NOTE].p_offset = sizeof elf;
    expect_refusal("note segment");
}

Test(image, numbers_may_have_1_2_4_or_8_bytes)
{
    static const size_t sizes[] = {1, 2, 4, 8};
    const uint64_t value = UINT64_C(0x8877665544332211);

    for (int i = 0; i < 4; i++) {
        image_make();
        test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_HV_START_LOW, &value,
                          sizes[i]);
        image_open_good();
        cr_expect_eq(image->notes.hv_start_low,
                     value & (UINT64_MAX >> (64 - 8 * sizes[i])));
        image_forget();
    }
}

Test(image, strings_may_lack_their_nul_and_be_long)
{
    char text[300];

    memset(text, 'x', sizeof text);
    test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_GUEST_OS, "myos", 4);
    test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_FEATURES, text, sizeof text);
    test_elf_add_note(&elf, "Xen", XEN_ELFNOTE_GUEST_VERSION, "", 0);
    image_open_good();
    cr_expect_eq(strcmp(image->notes.guest_os, "myos"), 0);
    cr_expect_eq(strlen(image->notes.features),
                 sizeof image->notes.features - 1);
    cr_expect_str_eq(image->notes.guest_version, "");
}

Test(image, note_segments_at_file_offset_0_are_skipped)
{
    elf.header.e_phnum = 3;
    elf.segments[SEG_SPARE] = (Elf64_Phdr){.p_type = PT_NOTE, .p_filesz = 7};
    image_open_good();
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
    image_open_good();
    cr_expect(image->offers_pv);
}

static void make_legacy(const char *text)
{
    image_make();
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
    image_open_good();
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
    image_open_good();
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
    image_forget();
    image_make();
    test_elf_add_string(&elf, XEN_ELFNOTE_LOADER, "Generic");
    expect_no_pv("LOADER is \"Generic\"");
    image_forget();
    test_elf_add_string(&elf, XEN_ELFNOTE_GUEST_OS, "linux");
    image_open_good();
    cr_expect(image->offers_pv);
}

Test(image, features_it_must_have_are_known)
{
    test_elf_add_string(&elf, XEN_ELFNOTE_FEATURES,
                        "!writable_page_tables|pae_pgdir_above_4gb|teleport");
    image_open_good();
    cr_expect(image->offers_pv);
    image_forget();
    test_elf_add_string(&elf, XEN_ELFNOTE_FEATURES, "dom0|!teleport");
    expect_no_pv("unknown feature teleport");
    image_forget();
    test_elf_add_string(&elf, XEN_ELFNOTE_FEATURES, "!auto_translated_physmap");
    expect_no_pv("auto_translated_physmap");
    image_forget();
    test_elf_add_string(&elf, XEN_ELFNOTE_FEATURES, "||!|");
    expect_no_pv("unknown feature");
}

Test(image, entry_and_hypercall_page_must_lie_in_the_kernel)
{
    test_elf_add_number(&elf, XEN_ELFNOTE_ENTRY, KERNEL_PADDR - 1);
    expect_no_pv("entry point");
    image_forget();
    image_make();
    test_elf_add_number(&elf, XEN_ELFNOTE_HYPERCALL_PAGE,
                        KERNEL_PADDR + KERNEL_PAGES * 4096);
    expect_no_pv("hypercall page");
    image_forget();
    image_make();
    test_elf_add_number(&elf, XEN_ELFNOTE_HYPERCALL_PAGE, KERNEL_PADDR + 8);
    expect_no_pv("hypercall page");
}

Test(image, without_a_note_the_entry_is_that_of_the_elf_header)
{
    test_elf_clear_notes(&elf);
    test_elf_add_string(&elf, XEN_ELFNOTE_LOADER, "generic");
    test_elf_add_string(&elf, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    elf.header.e_entry = KERNEL_ENTRY + 1;
    image_open_good();
    cr_expect_eq(image->pv_entry, KERNEL_ENTRY + 1);
}

Test(image, the_range_comes_from_physical_addresses)
{
    const uint64_t base = UINT64_C(0xffffffff80000000);

    elf.segments[SEG_LOAD].p_vaddr = 0x1234;
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE, base);
    test_elf_add_number(&elf, XEN_ELFNOTE_PADDR_OFFSET, 0x1000);
    test_elf_add_number(&elf, XEN_ELFNOTE_ENTRY, base + KERNEL_PADDR);
    image_open_good();
    cr_expect(image->offers_pv, "%s", image->pv_refusal);
    cr_expect_eq(image->virt_start, base + KERNEL_PADDR - 0x1000);
}

Test(image, impossible_ranges_are_no_pv)
{
    test_elf_add_number(&elf, XEN_ELFNOTE_PADDR_OFFSET, 0x1000);
    expect_no_pv("PADDR_OFFSET without VIRT_BASE");
    image_forget();
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE, 0x1001);
    expect_no_pv("page boundary");
    image_forget();
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE, 0);
    test_elf_add_number(&elf, XEN_ELFNOTE_PADDR_OFFSET, KERNEL_PADDR + 1);
    expect_no_pv("below its PADDR_OFFSET");
    image_forget();
    image_make();
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE,
                        UINT64_C(0xffff800000000000));
    expect_no_pv("Xen keeps for itself");
    image_forget();
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE,
                        UINT64_C(0x00007ffffff00000));
    expect_no_pv("Xen keeps for itself");
    image_forget();
    test_elf_add_number(&elf, XEN_ELFNOTE_VIRT_BASE,
                        UINT64_C(0xfffffffffff00000));
    expect_no_pv("beyond the address space");
    image_forget();
    image_make();
    test_elf_add_number(&elf, XEN_ELFNOTE_INIT_P2M, KERNEL_PADDR);
    expect_no_pv("overlaps the kernel");
}

static void expect_no_pvh(const char *why)
{
    image_open_good();
    cr_expect_not(image->offers_pvh);
    cr_expect(strstr(image->pvh_refusal, why), "%s", image->pvh_refusal);
}

Test(image, a_pvh_entry_lies_in_a_segment)
{
    test_elf_add_number(&elf, XEN_ELFNOTE_PHYS32_ENTRY, KERNEL_PADDR - 1);
    expect_no_pvh("lies in none of its segments");
    image_forget();
    image_make();
    test_elf_add_number(&elf, XEN_ELFNOTE_PHYS32_ENTRY,
                        KERNEL_PADDR + KERNEL_PAGES * 4096);
    expect_no_pvh("lies in none of its segments");
    image_forget();
    image_make();
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
    image_open_good();
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
    image_open_good();
    cr_expect(image->offers_pvh);
}
