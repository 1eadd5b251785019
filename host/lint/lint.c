#include "host/lint/lint.h"

#include <errno.h>
#include <stdlib.h>

#include "host/build/elf.h"
#include "host/lint/alternatives.h"
#include "host/lint/lines.h"
#include "host/lint/symbols.h"
#include "host/log.h"

static int look_at(const struct image *image, struct lint *lint,
                   const char *what, uint64_t offset, uint64_t size,
                   uint64_t va)
{
    void *bytes;
    int rc;

    if (size > UINT64_MAX - va)
        return image_refuse(image,
                            "a %s of %#lx bytes at %#lx wraps around the end "
                            "of the address space: correct the linker script",
                            what, size, va);
    rc = elf_read_part(image, what, offset, size, &bytes);
    if (rc)
        return rc;
    rc = lint_code(lint, bytes, size, va) ? 0 : -ENOMEM;
    free(bytes);
    return rc;
}

static bool is_code(const Elf64_Shdr *section)
{
    const uint64_t wanted = SHF_ALLOC | SHF_EXECINSTR;

    return section->sh_type == SHT_PROGBITS &&
           (section->sh_flags & wanted) == wanted;
}

/*
 * False in *any: there are none. Sections that lie in the file beside each
 * other are together no longer than it; more would keep us for ever.
 */
static int look_at_sections(const struct image *image, const struct elf *elf,
                            struct lint *lint, bool *any)
{
    uint64_t left = image->size;
    int rc = 0;

    for (unsigned i = 0; i < elf->nr_sections && !rc; i++) {
        const Elf64_Shdr *s = &elf->sections[i];

        if (!is_code(s))
            continue;
        *any = true;
        if (s->sh_size > left)
            return image_refuse(image, "its sections of code overlap, or lie "
                                       "outside the file: it is corrupt, "
                                       "build or copy it again");
        left -= s->sh_size;
        rc = look_at(image, lint, "section of code", s->sh_offset, s->sh_size,
                     s->sh_addr);
    }
    return rc;
}

static int look_at_segments(const struct image *image, struct lint *lint)
{
    int rc = 0;

    for (unsigned i = 0; i < image->nr_segments && !rc; i++) {
        const struct image_segment *s = &image->segments[i];

        if (s->flags & PF_X)
            rc = look_at(image, lint, "segment of code", s->file_offset,
                         s->file_size, s->vaddr);
    }
    return rc;
}

/* The note has a physical address, symbols have virtual ones. */
static uint64_t pvh_entry_va(const struct image *image)
{
    const uint64_t entry = image->notes.phys32_entry;

    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *s = &image->segments[i];

        if (image->notes.has_phys32_entry && entry - s->paddr < s->mem_size)
            return s->vaddr + (entry - s->paddr);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct lint_finding *x = a, *y = b;

    return x->va < y->va ? -1 : x->va > y->va;
}

static int look_at_all(const struct image *image, const struct elf *elf,
                       struct lint *lint)
{
    bool any = false;
    int rc;

    lint->pvh_entry = pvh_entry_va(image);
    rc = lint_read_symbols(image, lint);
    if (!rc)
        rc = look_at_sections(image, elf, lint, &any);
    if (!rc && !any)
        rc = look_at_segments(image, lint);
    if (rc)
        return rc;
    if (lint->nr_findings)
        qsort(lint->findings, lint->nr_findings, sizeof *lint->findings,
              compare);
    lint_name_functions(lint);
    rc = lint_place_findings(image, elf, lint);
    if (!rc)
        rc = lint_find_lines(image, elf, lint);
    return rc;
}

int lint_image(struct image *image, struct lint *lint)
{
    struct elf elf;
    int rc;

    *lint = (struct lint){0};
    rc = elf_reopen(image, &elf);
    if (rc)
        return rc;
    rc = look_at_all(image, &elf, lint);
    elf_close(&elf);
    return rc;
}

void lint_destroy(struct lint *lint)
{
    for (size_t i = 0; i < lint->nr_findings; i++)
        free(lint->findings[i].file);
    free(lint->findings);
    free(lint->symbols);
    free(lint->strings);
    *lint = (struct lint){0};
}
