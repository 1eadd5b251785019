#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/features.h>

#include "host/build/elf.h"
#include "host/build/file.h"
#include "host/build/notes.h"
#include "host/build/unwrap.h"
#include "host/log.h"
#include "host/memory.h"
#include "host/pvh/physmap.h"

#define HOLE_START UINT64_C(0xffff800000000000) /* Xen's own addresses */
#define HOLE_END   UINT64_C(0xffff880000000000)
#define PVH_END    ((uint64_t)PHYSMAP_LOW_END << PAGE_SHIFT)
#define LOW_END    UINT64_C(0x0000800000000000) /* the lower canonical half */

int image_refuse(const struct image *image, const char *format, ...)
{
    char sentence[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (image->wrapper.compression)
        log_error("%s (unpacked by %s): %s", image->path,
                  image->wrapper.compression, sentence);
    else
        log_error("%s: %s", image->path, sentence);
    return -ENOEXEC;
}

int image_read(const struct image *image, uint64_t offset, void *to,
               uint64_t len)
{
    return file_read(image->path, image->fd, offset, to, len);
}

static int take_notes_at(struct image *image, const char *what, uint64_t offset,
                         uint64_t size)
{
    char why[NOTES_WHY_SIZE];
    void *bytes;
    int rc;

    rc = elf_read_part(image, what, offset, size, &bytes);
    if (rc)
        return rc;
    rc = notes_parse(&image->notes, bytes, size, why);
    free(bytes);
    if (rc)
        return image_refuse(image, "%s: it is corrupt, build or copy it again",
                            why);
    return 0;
}

static int take_note_segments(struct image *image, const struct elf *elf)
{
    for (unsigned i = 0; i < elf->nr_segments; i++) {
        const Elf64_Phdr *segment = &elf->segments[i];
        int rc;

        /* some linkers leave an empty PT_NOTE that points at the header */
        if (segment->p_type != PT_NOTE || segment->p_offset == 0)
            continue;
        rc = take_notes_at(image, "note segment", segment->p_offset,
                           segment->p_filesz);
        if (rc)
            return rc;
    }
    return 0;
}

static int take_note_sections(struct image *image, const struct elf *elf)
{
    for (unsigned i = 0; i < elf->nr_sections; i++) {
        const Elf64_Shdr *section = &elf->sections[i];
        int rc;

        if (section->sh_type != SHT_NOTE)
            continue;
        rc = take_notes_at(image, "note section", section->sh_offset,
                           section->sh_size);
        if (rc)
            return rc;
    }
    return 0;
}

static int take_legacy_section(struct image *image, const struct elf *elf)
{
    const Elf64_Shdr *section;
    char why[NOTES_WHY_SIZE];
    void *text;
    int rc;

    rc = elf_find_section(image, elf, "__xen_guest", &section);
    if (rc || !section)
        return rc;
    rc = elf_read_part(image, "section __xen_guest", section->sh_offset,
                       section->sh_size, &text);
    if (rc)
        return rc;
    rc = notes_parse_legacy(&image->notes, text, section->sh_size, why);
    free(text);
    if (rc)
        return image_refuse(image, "%s: correct it where it is made", why);
    return 0;
}

/* Each form is looked for only when the one before it said nothing. */
static int take_notes(struct image *image, const struct elf *elf)
{
    int rc;

    rc = take_note_segments(image, elf);
    if (!rc && !image->notes.any)
        rc = take_note_sections(image, elf);
    if (!rc && !image->notes.any)
        rc = take_legacy_section(image, elf);
    if (!rc && !image->notes.any && !image->may_lack_notes)
        rc = image_refuse(image, "it carries no Xen notes, so it is not made "
                                 "to run on Xen: link it with a guest library "
                                 "that adds them");
    return rc;
}

static bool starts_with(const char *text, const char *start)
{
    return !strncmp(text, start, strlen(start));
}

static bool refuse_pv(struct image *image, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse_pv(struct image *image, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(image->pv_refusal, sizeof image->pv_refusal, format, args);
    va_end(args);
    return false;
}

static bool class_is_acceptable(struct image *image)
{
    if (image->is_32bit)
        return refuse_pv(image, "it is a 32-bit ELF file, and PV kernels are "
                                "64-bit here");
    return true;
}

static bool names_are_acceptable(struct image *image)
{
    const struct image_notes *notes = &image->notes;

    if (!notes->any)
        return refuse_pv(image, "it carries no Xen notes");
    if (!starts_with(notes->xen_version, "xen-3.0"))
        return refuse_pv(image, "its note XEN_VERSION is \"%s\", not xen-3.0",
                         notes->xen_version);
    if (!starts_with(notes->loader, "generic") &&
        !starts_with(notes->guest_os, "linux"))
        return refuse_pv(image,
                         "its note LOADER is \"%s\", not generic, and "
                         "GUEST_OS is \"%s\", not linux",
                         notes->loader, notes->guest_os);
    return true;
}

static bool features_are_acceptable(struct image *image)
{
    uint64_t supported, required;
    char why[NOTES_WHY_SIZE];

    if (notes_parse_features(image->notes.features, &supported, &required, why))
        return refuse_pv(image, "%s", why);
    if (required & UINT64_C(1) << XENFEAT_auto_translated_physmap)
        return refuse_pv(image, "it requires auto_translated_physmap, which "
                                "a PV domain does not have");
    return true;
}

/* The kernel's range of virtual addresses, from p_paddr (not p_vaddr). */
static bool find_range(struct image *image)
{
    const struct image_notes *notes = &image->notes;
    uint64_t low = UINT64_MAX, high = 0, offset = notes->paddr_offset;
    const uint64_t mask = PAGE_SIZE - 1;

    if (notes->has_paddr_offset && !notes->has_virt_base)
        return refuse_pv(image, "it has the note PADDR_OFFSET without "
                                "VIRT_BASE");
    if (notes->virt_base & mask)
        return refuse_pv(image, "its VIRT_BASE %#lx is not on a page boundary",
                         notes->virt_base);

    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *segment = &image->segments[i];

        if (segment->paddr < low)
            low = segment->paddr;
        if (segment->paddr + segment->mem_size > high)
            high = segment->paddr + segment->mem_size;
    }
    if (low < offset)
        return refuse_pv(image,
                         "a segment at %#lx lies below its PADDR_OFFSET %#lx",
                         low, offset);
    low -= offset;
    high -= offset;
    if (high > UINT64_MAX - mask - notes->virt_base)
        return refuse_pv(image, "its segments end beyond the address space");
    image->virt_start = (notes->virt_base + low) & ~mask;
    image->virt_end = (notes->virt_base + high + mask) & ~mask;
    return true;
}

static bool range_is_acceptable(struct image *image)
{
    uint64_t base = image->notes.virt_base, end = image->virt_end;
    bool low = end <= LOW_END;
    bool high = base >= HOLE_END && end > base;

    if (!low && !high)
        return refuse_pv(image,
                         "its addresses %#lx-%#lx touch those that Xen keeps "
                         "for itself or that no CPU has",
                         base, end);
    return true;
}

static bool in_kernel(const struct image *image, uint64_t va)
{
    return va >= image->virt_start && va < image->virt_end;
}

static bool doors_are_acceptable(struct image *image)
{
    const struct image_notes *notes = &image->notes;

    image->pv_entry = notes->has_entry ? notes->entry : image->elf_entry;
    if (!in_kernel(image, image->pv_entry))
        return refuse_pv(image,
                         "its entry point %#lx lies outside the kernel at "
                         "%#lx-%#lx",
                         image->pv_entry, image->virt_start, image->virt_end);
    if (notes->has_hypercall_page &&
        (!in_kernel(image, notes->hypercall_page) ||
         notes->hypercall_page % PAGE_SIZE))
        return refuse_pv(image,
                         "its hypercall page %#lx is not a page of the kernel "
                         "at %#lx-%#lx",
                         notes->hypercall_page, image->virt_start,
                         image->virt_end);
    if (notes->has_init_p2m && notes->init_p2m >= image->virt_start &&
        notes->init_p2m < image->virt_end)
        return refuse_pv(image, "its INIT_P2M %#lx overlaps the kernel",
                         notes->init_p2m);
    return true;
}

static bool refuse_pvh(struct image *image, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse_pvh(struct image *image, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(image->pvh_refusal, sizeof image->pvh_refusal, format, args);
    va_end(args);
    return false;
}

/* The entry is a physical address, and segments lie at theirs. */
static bool pvh_is_acceptable(struct image *image)
{
    const uint64_t entry = image->notes.phys32_entry;
    bool found = false;

    if (!image->notes.has_phys32_entry)
        return refuse_pvh(image, "it has no note PHYS32_ENTRY");
    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *segment = &image->segments[i];

        if (segment->paddr + segment->mem_size > PVH_END)
            return refuse_pvh(image,
                              "its segment at %#lx ends beyond %#lx, where "
                              "the memory below 4 GiB ends: link it lower",
                              segment->paddr, PVH_END);
        found |= entry - segment->paddr < segment->mem_size;
    }
    if (!found)
        return refuse_pvh(
            image, "its PHYS32_ENTRY %#lx lies in none of its segments", entry);
    return true;
}

static void judge(struct image *image)
{
    image->offers_pv =
        class_is_acceptable(image) && names_are_acceptable(image) &&
        features_are_acceptable(image) && find_range(image) &&
        range_is_acceptable(image) && doors_are_acceptable(image);
    image->offers_pvh = pvh_is_acceptable(image);
}

static int read_start(const struct image *image, struct file_start *start)
{
    start->size =
        image->size < sizeof start->bytes ? image->size : sizeof start->bytes;
    return image_read(image, 0, start->bytes, start->size);
}

/* Open the ELF file: the one given, or the one packed in it. */
static int open_elf(struct image *image, struct elf *elf)
{
    struct file_start start;
    int rc;

    rc = read_start(image, &start);
    if (!rc && unwrap_wanted(start.bytes, start.size)) {
        rc = unwrap(image, start.bytes, start.size, UNWRAP_MAX);
        if (!rc)
            rc = read_start(image, &start);
    }
    return rc ? rc : elf_open(image, &start, elf);
}

int elf_reopen(struct image *image, struct elf *elf)
{
    struct file_start start;
    const int rc = read_start(image, &start);

    return rc ? rc : elf_open(image, &start, elf);
}

static int read_image(struct image *image)
{
    struct elf elf;
    int rc;

    rc = file_open(image->path, "the image", &image->fd, &image->size);
    if (!rc)
        rc = open_elf(image, &elf);
    if (rc)
        return rc;

    image->is_32bit = elf.is_32bit;
    image->elf_entry = elf.header.e_entry;
    rc = elf_load_segments(image, &elf);
    if (!rc)
        rc = take_notes(image, &elf);
    if (!rc)
        rc = elf_find_symbols(image, &elf);
    if (!rc)
        judge(image);
    elf_close(&elf);
    return rc;
}

static int open_image(const char *path, bool may_lack_notes, struct image **out)
{
    struct image *image = calloc(1, sizeof *image);
    int rc;

    if (!image) {
        log_error("no memory to look at the image %s", path);
        return -ENOMEM;
    }
    image->path = path;
    image->may_lack_notes = may_lack_notes;
    image->fd = -1;
    rc = read_image(image);
    if (rc) {
        image_close(image);
        return rc;
    }
    *out = image;
    return 0;
}

int image_open(const char *path, struct image **out)
{
    return open_image(path, false, out);
}

int image_open_unmarked(const char *path, struct image **out)
{
    return open_image(path, true, out);
}

bool image_keep_symbols(struct image *image)
{
    if (image->nr_symbols == 0 && image->fd >= 0) {
        close(image->fd);
        image->fd = -1;
    }
    return image->fd >= 0;
}

void image_close(struct image *image)
{
    if (!image)
        return;
    if (image->fd >= 0)
        close(image->fd);
    free(image);
}
