#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/elfnote.h>
#include <xen/features.h>

#include "host/build/notes.h"

#define NOTE_NAME "Xen"

/* A descriptor as the file has it: any length, any alignment. */
struct descriptor {
    const uint8_t *bytes;
    size_t size;
};

static int explain(char why[NOTES_WHY_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int explain(char why[NOTES_WHY_SIZE], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, NOTES_WHY_SIZE, format, args);
    va_end(args);
    return -EINVAL;
}

static bool take_number(struct descriptor desc, uint64_t *value)
{
    if (desc.size != 1 && desc.size != 2 && desc.size != 4 && desc.size != 8)
        return false;
    *value = 0;
    memcpy(value, desc.bytes, desc.size);
    return true;
}

/* Up to the NUL, or to the end where there is none; cut to (size). */
static void take_string(struct descriptor desc, char *text, size_t size)
{
    size_t len = strnlen((const char *)desc.bytes, desc.size);

    if (len >= size)
        len = size - 1;
    memcpy(text, desc.bytes, len);
    text[len] = '\0';
}

/*
 * L1_MFN_VALID: a mask and the value that the masked entry then has. More such
 * pairs may follow; the first one speaks for 64-bit tables.
 */
static bool take_pair(struct descriptor desc, uint64_t *mask, uint64_t *value)
{
    if (desc.size == 0 || desc.size % (2 * sizeof *mask))
        return false;
    memcpy(mask, desc.bytes, sizeof *mask);
    memcpy(value, desc.bytes + sizeof *mask, sizeof *value);
    return true;
}

/* Returns false if the descriptor is not what (type) calls for. */
static bool take_note(struct image_notes *notes, uint32_t type,
                      struct descriptor desc)
{
    switch (type) {
    case XEN_ELFNOTE_ENTRY:
        return notes->has_entry = take_number(desc, &notes->entry);
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        return notes->has_hypercall_page =
                   take_number(desc, &notes->hypercall_page);
    case XEN_ELFNOTE_VIRT_BASE:
        return notes->has_virt_base = take_number(desc, &notes->virt_base);
    case XEN_ELFNOTE_PADDR_OFFSET:
        return notes->has_paddr_offset =
                   take_number(desc, &notes->paddr_offset);
    case XEN_ELFNOTE_INIT_P2M:
        return notes->has_init_p2m = take_number(desc, &notes->init_p2m);
    case XEN_ELFNOTE_PHYS32_ENTRY:
        return notes->has_phys32_entry =
                   take_number(desc, &notes->phys32_entry);
    case XEN_ELFNOTE_MOD_START_PFN:
        return take_number(desc, &notes->mod_start_pfn);
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        return take_number(desc, &notes->supported_features);
    case XEN_ELFNOTE_HV_START_LOW:
        return take_number(desc, &notes->hv_start_low);
    case XEN_ELFNOTE_SUSPEND_CANCEL:
        return take_number(desc, &notes->suspend_cancel);
    case XEN_ELFNOTE_L1_MFN_VALID:
        return take_pair(desc, &notes->l1_mfn_valid_mask,
                         &notes->l1_mfn_valid_value);
    case XEN_ELFNOTE_GUEST_OS:
        take_string(desc, notes->guest_os, sizeof notes->guest_os);
        return true;
    case XEN_ELFNOTE_GUEST_VERSION:
        take_string(desc, notes->guest_version, sizeof notes->guest_version);
        return true;
    case XEN_ELFNOTE_XEN_VERSION:
        take_string(desc, notes->xen_version, sizeof notes->xen_version);
        return true;
    case XEN_ELFNOTE_LOADER:
        take_string(desc, notes->loader, sizeof notes->loader);
        return true;
    case XEN_ELFNOTE_FEATURES:
        take_string(desc, notes->features, sizeof notes->features);
        return true;
    case XEN_ELFNOTE_PAE_MODE:
        take_string(desc, notes->pae_mode, sizeof notes->pae_mode);
        return true;
    case XEN_ELFNOTE_BSD_SYMTAB:
        take_string(desc, notes->bsd_symtab, sizeof notes->bsd_symtab);
        return true;
    default:
        return true; /* of a later Xen */
    }
}

/* Cut the next (size) bytes, padded to a multiple of 4, off (bytes). */
static bool cut(struct descriptor *rest, size_t size, struct descriptor *part)
{
    size_t padded = (size + 3) & ~(size_t)3;

    if (size > rest->size)
        return false;
    *part = (struct descriptor){rest->bytes, size};
    if (padded > rest->size)
        padded = rest->size; /* the last one may lack its padding */
    rest->bytes += padded;
    rest->size -= padded;
    return true;
}

int notes_parse(struct image_notes *notes, const uint8_t *bytes, size_t size,
                char why[NOTES_WHY_SIZE])
{
    struct descriptor rest = {bytes, size};

    while (rest.size > 0) {
        struct descriptor header, name, desc;
        Elf64_Nhdr note;

        if (!cut(&rest, sizeof note, &header))
            return explain(why, "its notes end inside a header");
        memcpy(&note, header.bytes, sizeof note);
        if (!cut(&rest, note.n_namesz, &name) ||
            !cut(&rest, note.n_descsz, &desc))
            return explain(why, "a note of type %u ends outside its section",
                           note.n_type);
        if (name.size != sizeof NOTE_NAME ||
            memcmp(name.bytes, NOTE_NAME, sizeof NOTE_NAME) != 0)
            continue;
        notes->any = true;
        if (!take_note(notes, note.n_type, desc))
            return explain(why,
                           "its Xen note of type %u has a number of %u bytes",
                           note.n_type, note.n_descsz);
    }
    return 0;
}

static bool parse_number(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

struct legacy_key {
    const char *name;
    bool (*take)(struct image_notes *notes, const char *value);
};

#define STRING_KEY(field)                                                  \
    static bool take_##field(struct image_notes *notes, const char *value) \
    {                                                                      \
        snprintf(notes->field, sizeof notes->field, "%s", value);          \
        return true;                                                       \
    }

#define NUMBER_KEY(field)                                                  \
    static bool take_##field(struct image_notes *notes, const char *value) \
    {                                                                      \
        return notes->has_##field = parse_number(value, &notes->field);    \
    }

STRING_KEY(guest_os)
STRING_KEY(guest_version)
STRING_KEY(xen_version)
STRING_KEY(loader)
STRING_KEY(features)
STRING_KEY(pae_mode)
STRING_KEY(bsd_symtab)
NUMBER_KEY(virt_base)
NUMBER_KEY(entry)
NUMBER_KEY(paddr_offset)
NUMBER_KEY(hypercall_page)

static const struct legacy_key legacy_keys[] = {
    {"GUEST_OS", take_guest_os},
    {"GUEST_VER", take_guest_version},
    {"XEN_VER", take_xen_version},
    {"LOADER", take_loader},
    {"FEATURES", take_features},
    {"PAE", take_pae_mode},
    {"BSD_SYMTAB", take_bsd_symtab},
    {"VIRT_BASE", take_virt_base},
    {"VIRT_ENTRY", take_entry},
    {"ELF_PADDR_OFFSET", take_paddr_offset},
    {"HYPERCALL_PAGE", take_hypercall_page},
};

static bool take_legacy(struct image_notes *notes, const char *key,
                        const char *value)
{
    for (size_t i = 0; i < sizeof legacy_keys / sizeof *legacy_keys; i++)
        if (!strcmp(key, legacy_keys[i].name))
            return legacy_keys[i].take(notes, value);
    return true;
}

/* What notes say by address, this form says by page number and by default. */
static int complete_legacy(struct image_notes *notes, char *why)
{
    if (notes->has_hypercall_page) {
        uint64_t page = notes->hypercall_page;

        if (page > UINT64_MAX >> 12 ||
            page << 12 > UINT64_MAX - notes->virt_base)
            return explain(why, "its HYPERCALL_PAGE %#lx is no page number",
                           page);
        notes->hypercall_page = notes->virt_base + (page << 12);
    }
    if (!notes->has_paddr_offset) {
        notes->paddr_offset = notes->virt_base;
        notes->has_paddr_offset = notes->has_virt_base;
    }
    return 0;
}

int notes_parse_legacy(struct image_notes *notes, const char *text, size_t size,
                       char why[NOTES_WHY_SIZE])
{
    char *copy = strndup(text, size), *rest = copy, *pair;
    int rc = 0;

    if (!copy)
        return explain(why, "there is no memory to read its notes");
    notes->any = notes->legacy = true;
    while (!rc && (pair = strsep(&rest, ","))) {
        char *value = strchr(pair, '=');

        if (value)
            *value++ = '\0';
        else
            value = pair + strlen(pair);
        if (!take_legacy(notes, pair, value))
            rc = explain(why, "its __xen_guest section has %.32s=%.32s", pair,
                         value);
    }
    free(copy);
    return rc ? rc : complete_legacy(notes, why);
}

static const struct {
    const char *name;
    unsigned bit;
} feature_names[] = {
    {"writable_page_tables", XENFEAT_writable_page_tables},
    {"writable_descriptor_tables", XENFEAT_writable_descriptor_tables},
    {"auto_translated_physmap", XENFEAT_auto_translated_physmap},
    {"supervisor_mode_kernel", XENFEAT_supervisor_mode_kernel},
    {"pae_pgdir_above_4gb", XENFEAT_pae_pgdir_above_4gb},
    {"hvm_callback_vector", XENFEAT_hvm_callback_vector},
    {"dom0", XENFEAT_dom0},
};

static uint64_t feature_bit(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof feature_names / sizeof *feature_names; i++)
        if (strlen(feature_names[i].name) == len &&
            !memcmp(feature_names[i].name, name, len))
            return UINT64_C(1) << feature_names[i].bit;
    return 0;
}

int notes_parse_features(const char *list, uint64_t *supported,
                         uint64_t *required, char why[NOTES_WHY_SIZE])
{
    *supported = *required = 0;
    while (*list) {
        size_t len = strcspn(list, "|");
        bool must = *list == '!';
        uint64_t bit = feature_bit(list + must, len - must);

        if (must && !bit)
            return explain(why, "it requires the unknown feature %.*s",
                           (int)(len - 1 < 64 ? len - 1 : 64), list + 1);
        *supported |= bit;
        if (must)
            *required |= bit;
        list += len;
        if (*list == '|')
            list++;
    }
    return 0;
}
