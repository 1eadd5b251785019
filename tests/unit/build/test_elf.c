#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/elfnote.h>

#include "tests/unit/build/test_elf.h"

void test_elf_init(struct test_elf *elf)
{
    *elf = (struct test_elf){
        .header =
            {
                .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB,
                            EV_CURRENT},
                .e_type = ET_EXEC,
                .e_machine = EM_X86_64,
                .e_version = EV_CURRENT,
                .e_entry = KERNEL_ENTRY,
                .e_phoff = offsetof(struct test_elf, segments),
                .e_ehsize = sizeof(Elf64_Ehdr),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = 2,
                .e_shentsize = sizeof(Elf64_Shdr),
            },
    };
    elf->segments[SEG_LOAD] = (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_W | PF_X,
        .p_offset = offsetof(struct test_elf, code),
        .p_vaddr = KERNEL_PADDR,
        .p_paddr = KERNEL_PADDR,
        .p_filesz = sizeof elf->code,
        .p_memsz = UINT64_C(4096) * KERNEL_PAGES,
    };
    elf->segments[SEG_NOTE] = (Elf64_Phdr){
        .p_type = PT_NOTE,
        .p_offset = offsetof(struct test_elf, notes),
    };
    memset(elf->code, 0x90, sizeof elf->code);
    test_elf_add_string(elf, XEN_ELFNOTE_LOADER, "generic");
    test_elf_add_string(elf, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    test_elf_add_number(elf, XEN_ELFNOTE_ENTRY, KERNEL_ENTRY);
}

void test_elf_clear_notes(struct test_elf *elf)
{
    memset(elf->notes, 0, sizeof elf->notes);
    elf->segments[SEG_NOTE].p_filesz = 0;
}

static void append(struct test_elf *elf, const void *bytes, size_t size)
{
    Elf64_Phdr *segment = &elf->segments[SEG_NOTE];

    if (segment->p_filesz + size > sizeof elf->notes)
        abort(); /* the test wants too much */
    memcpy(elf->notes + segment->p_filesz, bytes, size);
    segment->p_filesz = (segment->p_filesz + size + 3) & ~3u;
}

void test_elf_add_note(struct test_elf *elf, const char *name, uint32_t type,
                       const void *desc, size_t size)
{
    const Elf64_Nhdr note = {
        .n_namesz = (uint32_t)strlen(name) + 1,
        .n_descsz = (uint32_t)size,
        .n_type = type,
    };

    append(elf, &note, sizeof note);
    append(elf, name, note.n_namesz);
    append(elf, desc, size);
}

void test_elf_add_string(struct test_elf *elf, uint32_t type, const char *text)
{
    test_elf_add_note(elf, "Xen", type, text, strlen(text) + 1);
}

void test_elf_add_number(struct test_elf *elf, uint32_t type, uint64_t value)
{
    test_elf_add_note(elf, "Xen", type, &value, sizeof value);
}

void test_elf_add_symbols(struct test_elf *elf)
{
    static const char strings[] = "\0start\0loop\0tail";
    static const char names[] = "\0__xen_guest";

    memcpy(elf->strings, strings, sizeof strings);
    memcpy(elf->section_names, names, sizeof names);
    elf->symbols[1] = (Elf64_Sym){
        .st_name = 1,
        .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE),
        .st_shndx = 1,
        .st_value = KERNEL_PADDR,
    };
    elf->symbols[2] = (Elf64_Sym){
        .st_name = 7,
        .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
        .st_shndx = 1,
        .st_value = KERNEL_PADDR + 0x40,
        .st_size = 0x20,
    };
    elf->symbols[3] = (Elf64_Sym){
        .st_name = 12,
        .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
        .st_shndx = 1,
        .st_value = KERNEL_PADDR + 0x80,
        .st_size = 0x10,
    };
    elf->sections[SEC_SYMTAB] = (Elf64_Shdr){
        .sh_type = SHT_SYMTAB,
        .sh_offset = offsetof(struct test_elf, symbols),
        .sh_size = sizeof elf->symbols,
        .sh_link = SEC_STRTAB,
        .sh_entsize = sizeof(Elf64_Sym),
    };
    elf->sections[SEC_STRTAB] = (Elf64_Shdr){
        .sh_type = SHT_STRTAB,
        .sh_offset = offsetof(struct test_elf, strings),
        .sh_size = sizeof elf->strings,
    };
    elf->sections[SEC_NAMES] = (Elf64_Shdr){
        .sh_type = SHT_STRTAB,
        .sh_offset = offsetof(struct test_elf, section_names),
        .sh_size = sizeof elf->section_names,
    };
    elf->header.e_shoff = offsetof(struct test_elf, sections);
    elf->header.e_shnum = NR_SECTIONS;
    elf->header.e_shstrndx = SEC_NAMES;
}

static void narrow_segments(struct test_elf *elf)
{
    Elf32_Phdr narrow[NR_SEGMENTS];

    for (unsigned i = 0; i < NR_SEGMENTS; i++) {
        const Elf64_Phdr *from = &elf->segments[i];

        narrow[i] = (Elf32_Phdr){
            .p_type = from->p_type,
            .p_offset = (Elf32_Off)from->p_offset,
            .p_vaddr = (Elf32_Addr)from->p_vaddr,
            .p_paddr = (Elf32_Addr)from->p_paddr,
            .p_filesz = (Elf32_Word)from->p_filesz,
            .p_memsz = (Elf32_Word)from->p_memsz,
            .p_flags = from->p_flags,
        };
    }
    memcpy(elf->segments, narrow, sizeof narrow);
}

static void narrow_sections(struct test_elf *elf)
{
    Elf32_Shdr narrow[NR_SECTIONS];

    for (unsigned i = 0; i < NR_SECTIONS; i++) {
        const Elf64_Shdr *from = &elf->sections[i];

        narrow[i] = (Elf32_Shdr){
            .sh_name = from->sh_name,
            .sh_type = from->sh_type,
            .sh_offset = (Elf32_Off)from->sh_offset,
            .sh_size = (Elf32_Word)from->sh_size,
            .sh_link = from->sh_link,
            .sh_entsize = (Elf32_Word)from->sh_entsize,
        };
    }
    memcpy(elf->sections, narrow, sizeof narrow);
}

void test_elf_narrow(struct test_elf *elf)
{
    const Elf64_Ehdr *from = &elf->header;
    const Elf32_Ehdr narrow = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
        .e_type = from->e_type,
        .e_machine = EM_386,
        .e_version = from->e_version,
        .e_entry = (Elf32_Addr)from->e_entry,
        .e_phoff = (Elf32_Off)from->e_phoff,
        .e_shoff = (Elf32_Off)from->e_shoff,
        .e_ehsize = sizeof(Elf32_Ehdr),
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = from->e_phnum,
        .e_shentsize = sizeof(Elf32_Shdr),
        .e_shnum = from->e_shnum,
        .e_shstrndx = from->e_shstrndx,
    };

    narrow_segments(elf);
    narrow_sections(elf);
    memcpy(&elf->header, &narrow, sizeof narrow);
}

const char *test_elf_write(const struct test_elf *elf, size_t size)
{
    static char path[64];
    int fd = memfd_create("image", 0);

    if (fd < 0 || write(fd, elf, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}
