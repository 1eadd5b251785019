#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/build/elf.h"
#include "host/build/elf32.h"
#include "host/log.h"

#define MAX_PROGRAM_HEADERS 128

/* Headers, notes, symbols: nothing that is read into memory is longer. */
#define MAX_PART (UINT64_C(64) << 20)

static bool lies_in_file(const struct image *image, uint64_t offset,
                         uint64_t size)
{
    return offset <= image->size && size <= image->size - offset;
}

int elf_read_part(const struct image *image, const char *what, uint64_t offset,
                  uint64_t size, void **bytes)
{
    char *copy;
    int rc;

    *bytes = NULL;
    if (!lies_in_file(image, offset, size)) {
        image_refuse(image,
                     "the %s (%#lx bytes at %#lx) lies outside the file of "
                     "%#lx bytes: it is truncated or corrupt, build or copy it "
                     "again",
                     what, size, offset, image->size);
        return -ENOEXEC;
    }
    if (size > MAX_PART) {
        image_refuse(image,
                     "the %s has %lu bytes: it is corrupt, build or copy it "
                     "again",
                     what, size);
        return -ENOEXEC;
    }
    copy = malloc(size + 1);
    if (!copy) {
        log_error("no memory for the %s of %s", what, image->path);
        return -ENOMEM;
    }
    rc = image_read(image, offset, copy, size);
    if (rc) {
        free(copy);
        return rc;
    }
    copy[size] = '\0';
    *bytes = copy;
    return 0;
}

static int check_magic(const struct image *image,
                       const struct file_start *start)
{
    if (start->size < SELFMAG || memcmp(start->bytes, ELFMAG, SELFMAG) != 0)
        return image_refuse(image, "this is not an ELF file: give a 64-bit "
                                   "kernel image with Xen notes");
    if (start->size < sizeof(Elf64_Ehdr))
        return image_refuse(image, "the file ends inside the ELF header: it "
                                   "is truncated, build or copy it again");
    return 0;
}

static int check_class(const struct image *image, const uint8_t *ident)
{
    if (ident[EI_CLASS] != ELFCLASS64 && ident[EI_CLASS] != ELFCLASS32)
        return image_refuse(image,
                            "ELF class %u is unknown: the file is "
                            "corrupt, build or copy it again",
                            ident[EI_CLASS]);
    if (ident[EI_DATA] != ELFDATA2LSB)
        return image_refuse(image, "this is not a little-endian ELF file: "
                                   "build the guest for x86-64");
    return 0;
}

static int check_identity(const struct image *image, const struct elf *elf)
{
    const Elf64_Ehdr *header = &elf->header;

    if (header->e_machine != (elf->is_32bit ? EM_386 : EM_X86_64))
        return image_refuse(image,
                            "this is a %d-bit ELF file for another machine "
                            "(ELF machine %u): build the guest for x86-64",
                            elf->is_32bit ? 32 : 64, header->e_machine);
    if (header->e_type == ET_DYN)
        return image_refuse(image, "this is a position-independent program or "
                                   "a library: link the guest at a fixed "
                                   "address (-static -no-pie)");
    if (header->e_type != ET_EXEC)
        return image_refuse(image,
                            "this is not an executable (ELF type %u): "
                            "give the linked image",
                            header->e_type);
    if (header->e_ident[EI_VERSION] != EV_CURRENT ||
        header->e_version != EV_CURRENT)
        return image_refuse(image,
                            "ELF version %u is unknown: the file is "
                            "corrupt, build or copy it again",
                            header->e_version);
    return 0;
}

static size_t segment_size(const struct elf *elf)
{
    return elf->is_32bit ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
}

static size_t section_size(const struct elf *elf)
{
    return elf->is_32bit ? sizeof(Elf32_Shdr) : sizeof(Elf64_Shdr);
}

static int check_tables(const struct image *image, const struct elf *elf)
{
    const Elf64_Ehdr *header = &elf->header;

    if (header->e_phnum == 0)
        return image_refuse(image, "it has no program headers: give the "
                                   "linked image, not an object file");
    if (header->e_phentsize != segment_size(elf))
        return image_refuse(image,
                            "program headers of %u bytes instead of %zu: the "
                            "file is corrupt, build or copy it again",
                            header->e_phentsize, segment_size(elf));
    if (header->e_phnum > MAX_PROGRAM_HEADERS)
        return image_refuse(image,
                            "it has %u program headers, at most %d are "
                            "possible: link it with fewer segments",
                            header->e_phnum, MAX_PROGRAM_HEADERS);
    if (header->e_shnum != 0 && header->e_shentsize != section_size(elf))
        return image_refuse(image,
                            "section headers of %u bytes instead of %zu: the "
                            "file is corrupt, build or copy it again",
                            header->e_shentsize, section_size(elf));
    return 0;
}

static int read_header(const struct image *image,
                       const struct file_start *start, struct elf *elf)
{
    int rc = check_magic(image, start);

    if (rc)
        return rc;
    rc = check_class(image, start->bytes);
    if (rc)
        return rc;
    memcpy(&elf->header, start->bytes, sizeof elf->header);
    elf->is_32bit = start->bytes[EI_CLASS] == ELFCLASS32;
    if (elf->is_32bit) {
        Elf32_Ehdr narrow;

        memcpy(&narrow, start->bytes, sizeof narrow);
        elf->header = elf32_header(&narrow);
    }
    rc = check_identity(image, elf);
    if (!rc)
        rc = check_tables(image, elf);
    return rc;
}

/* (nr) program headers as read from a 32-bit file, which it frees. */
static int widen_segments(struct elf *elf, void *narrow, unsigned nr)
{
    const Elf32_Phdr *from = narrow;

    elf->segments = calloc(nr, sizeof *elf->segments);
    for (unsigned i = 0; elf->segments && i < nr; i++)
        elf->segments[i] = elf32_segment(&from[i]);
    free(narrow);
    return elf->segments ? 0 : -ENOMEM;
}

static int widen_sections(struct elf *elf, void *narrow, unsigned nr)
{
    const Elf32_Shdr *from = narrow;

    elf->sections = calloc(nr, sizeof *elf->sections);
    for (unsigned i = 0; elf->sections && i < nr; i++)
        elf->sections[i] = elf32_section(&from[i]);
    free(narrow);
    return elf->sections ? 0 : -ENOMEM;
}

static int read_segments(const struct image *image, struct elf *elf)
{
    const unsigned nr = elf->header.e_phnum;
    void *bytes;
    int rc;

    rc = elf_read_part(image, "program header table", elf->header.e_phoff,
                       nr * segment_size(elf), &bytes);
    if (rc)
        return rc;
    if (elf->is_32bit)
        rc = widen_segments(elf, bytes, nr);
    else
        elf->segments = bytes;
    if (!rc)
        elf->nr_segments = nr;
    return rc;
}

static int read_sections(const struct image *image, struct elf *elf)
{
    const unsigned nr = elf->header.e_shnum;
    void *bytes;
    int rc;

    if (nr == 0)
        return 0;
    rc = elf_read_part(image, "section header table", elf->header.e_shoff,
                       nr * section_size(elf), &bytes);
    if (rc)
        return rc;
    if (elf->is_32bit)
        rc = widen_sections(elf, bytes, nr);
    else
        elf->sections = bytes;
    if (!rc)
        elf->nr_sections = nr;
    return rc;
}

int elf_open(struct image *image, const struct file_start *start,
             struct elf *elf)
{
    int rc;

    *elf = (struct elf){0};
    rc = read_header(image, start, elf);
    if (!rc)
        rc = read_segments(image, elf);
    if (!rc)
        rc = read_sections(image, elf);
    if (rc)
        elf_close(elf);
    return rc;
}

void elf_close(struct elf *elf)
{
    free(elf->segments);
    free(elf->sections);
    *elf = (struct elf){0};
}

static int check_segment(const struct image *image, unsigned nr,
                         const Elf64_Phdr *segment)
{
    if (!lies_in_file(image, segment->p_offset, segment->p_filesz))
        return image_refuse(image,
                            "segment %u (%#lx bytes at %#lx) lies outside the "
                            "file of %#lx bytes: it is truncated or corrupt, "
                            "build or copy it again",
                            nr, segment->p_filesz, segment->p_offset,
                            image->size);
    if (segment->p_filesz > segment->p_memsz)
        return image_refuse(image,
                            "segment %u has %#lx bytes in the file but only "
                            "%#lx in memory: the file is corrupt, build or "
                            "copy it again",
                            nr, segment->p_filesz, segment->p_memsz);
    if (segment->p_memsz > UINT64_MAX - segment->p_paddr ||
        segment->p_memsz > UINT64_MAX - segment->p_vaddr)
        return image_refuse(image,
                            "segment %u (%#lx bytes at %#lx) wraps around the "
                            "end of the address space: correct the linker "
                            "script",
                            nr, segment->p_memsz, segment->p_paddr);
    return 0;
}

static int check_overlap(const struct image *image,
                         const struct image_segment *added)
{
    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *other = &image->segments[i];

        if (added->paddr < other->paddr + other->mem_size &&
            other->paddr < added->paddr + added->mem_size)
            return image_refuse(image,
                                "segments overlap: %#lx bytes at %#lx and "
                                "%#lx bytes at %#lx: correct the linker script",
                                other->mem_size, other->paddr, added->mem_size,
                                added->paddr);
    }
    return 0;
}

static int add_segment(struct image *image, const Elf64_Phdr *segment)
{
    const struct image_segment added = {
        .file_offset = segment->p_offset,
        .file_size = segment->p_filesz,
        .paddr = segment->p_paddr,
        .vaddr = segment->p_vaddr,
        .mem_size = segment->p_memsz,
        .flags = segment->p_flags,
    };
    int rc;

    if (image->nr_segments == IMAGE_MAX_SEGMENTS)
        return image_refuse(image,
                            "it has more than %d segments to load: link it "
                            "with fewer",
                            IMAGE_MAX_SEGMENTS);
    rc = check_overlap(image, &added);
    if (rc)
        return rc;
    image->segments[image->nr_segments++] = added;
    return 0;
}

int elf_load_segments(struct image *image, const struct elf *elf)
{
    for (unsigned i = 0; i < elf->nr_segments; i++) {
        const Elf64_Phdr *segment = &elf->segments[i];
        int rc;

        if (segment->p_type == PT_INTERP)
            return image_refuse(image, "this is a dynamically linked program: "
                                       "link the guest statically");
        if (segment->p_type != PT_LOAD)
            continue;
        rc = check_segment(image, i, segment);
        if (!rc && segment->p_memsz > 0)
            rc = add_segment(image, segment);
        if (rc)
            return rc;
    }
    if (image->nr_segments == 0)
        return image_refuse(image, "it has no segment to load: give the "
                                   "linked image");
    return 0;
}

static const Elf64_Shdr *find_symbol_table(const struct elf *elf)
{
    for (unsigned i = 0; i < elf->nr_sections; i++)
        if (elf->sections[i].sh_type == SHT_SYMTAB)
            return &elf->sections[i];
    return NULL;
}

int elf_find_symbols(struct image *image, const struct elf *elf)
{
    const Elf64_Shdr *table = find_symbol_table(elf), *strings;

    if (!table || elf->is_32bit)
        return 0;
    if (table->sh_entsize != sizeof(Elf64_Sym) ||
        table->sh_link >= elf->nr_sections)
        return image_refuse(image, "its symbol table is corrupt: build or "
                                   "copy it again");
    strings = &elf->sections[table->sh_link];
    if (!lies_in_file(image, table->sh_offset, table->sh_size) ||
        !lies_in_file(image, strings->sh_offset, strings->sh_size))
        return image_refuse(image,
                            "its symbol table lies outside the file of "
                            "%#lx bytes: it is truncated or corrupt, "
                            "build or copy it again",
                            image->size);
    image->symbols_offset = table->sh_offset;
    image->nr_symbols = table->sh_size / sizeof(Elf64_Sym);
    image->strings_offset = strings->sh_offset;
    image->strings_size = strings->sh_size;
    return 0;
}

static const Elf64_Shdr *match_section(const struct elf *elf, const char *names,
                                       uint64_t size, const char *name)
{
    for (unsigned i = 0; i < elf->nr_sections; i++) {
        uint32_t start = elf->sections[i].sh_name;

        if (start < size && !strcmp(names + start, name))
            return &elf->sections[i];
    }
    return NULL;
}

int elf_find_section(const struct image *image, const struct elf *elf,
                     const char *name, const Elf64_Shdr **section)
{
    unsigned index = elf->header.e_shstrndx;
    const Elf64_Shdr *names;
    void *bytes;
    int rc;

    *section = NULL;
    if (!elf->sections || index == SHN_UNDEF)
        return 0;
    if (index >= elf->nr_sections)
        return image_refuse(image,
                            "its section names are in section %u of %u: the "
                            "file is corrupt, build or copy it again",
                            index, elf->nr_sections);
    names = &elf->sections[index];
    rc = elf_read_part(image, "section name table", names->sh_offset,
                       names->sh_size, &bytes);
    if (!bytes)
        return rc;
    *section = match_section(elf, bytes, names->sh_size, name);
    free(bytes);
    return 0;
}
