#include "host/lint/alternatives.h"

#include <stdlib.h>
#include <string.h>

/*
 * An entry of .altinstructions names, each relative to the field itself, the
 * code that is there and the code for its place; then come a CPU feature of 2
 * bytes, to which Linux 6.3 added 2 bytes of flags, and both lengths.
 */
#define ENTRY_SIZE     12u
#define ENTRY_SIZE_NEW 14u

#define MAX_SECTIONS 64

struct entry {
    uint64_t va;
    uint8_t length;
};

static struct entry read_entry(const uint8_t *bytes, uint64_t va, size_t size)
{
    int32_t offset;

    memcpy(&offset, bytes, sizeof offset);
    return (struct entry){va + (uint64_t)(int64_t)offset, bytes[size - 2]};
}

/* No kernel has more sections of code than are looked at. */
static bool is_code(const struct elf *elf, uint64_t va)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < elf->nr_sections && nr < MAX_SECTIONS; i++) {
        const Elf64_Shdr *s = &elf->sections[i];

        if (!(s->sh_flags & SHF_EXECINSTR))
            continue;
        if (va - s->sh_addr < s->sh_size)
            return true;
        nr++;
    }
    return false;
}

/* With the wrong size, offsets lead anywhere soon. */
static bool fits(const struct elf *elf, const uint8_t *bytes,
                 const Elf64_Shdr *list, size_t size)
{
    if (list->sh_size % size)
        return false;
    for (uint64_t at = 0; at < list->sh_size; at += size)
        if (!is_code(elf, read_entry(bytes + at, list->sh_addr + at, size).va))
            return false;
    return true;
}

static void place(struct lint *lint, uint64_t va, uint64_t size,
                  enum lint_place where)
{
    for (size_t i = lint_first_finding(lint, va);
         i < lint->nr_findings && lint->findings[i].va - va < size; i++)
        lint->findings[i].place = where;
}

static void place_replaced(const struct elf *elf, struct lint *lint,
                           const uint8_t *bytes, const Elf64_Shdr *list)
{
    size_t size = ENTRY_SIZE;

    if (!fits(elf, bytes, list, size))
        size = ENTRY_SIZE_NEW;
    if (!fits(elf, bytes, list, size))
        return; /* of a kind not known: what is found stays plain */
    lint->patches_itself = true;
    for (uint64_t at = 0; at < list->sh_size; at += size) {
        const struct entry entry =
            read_entry(bytes + at, list->sh_addr + at, size);

        place(lint, entry.va, entry.length, LINT_REPLACED);
    }
}

int lint_place_findings(const struct image *image, const struct elf *elf,
                        struct lint *lint)
{
    const Elf64_Shdr *section;
    void *bytes;
    int rc;

    rc = elf_find_section(image, elf, ".altinstructions", &section);
    if (rc || !section || section->sh_type == SHT_NOBITS)
        return rc;
    rc = elf_read_part(image, "section .altinstructions", section->sh_offset,
                       section->sh_size, &bytes);
    if (rc)
        return rc;
    place_replaced(elf, lint, bytes, section);
    free(bytes);
    rc = elf_find_section(image, elf, ".altinstr_replacement", &section);
    if (!rc && section)
        place(lint, section->sh_addr, section->sh_size, LINT_REPLACEMENT);
    return rc;
}
