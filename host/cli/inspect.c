/* paravane inspect */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "host/build/image.h"
#include "host/build/pv_layout.h"
#include "host/cli/cli.h"
#include "host/cli/json.h"
#include "host/cli/lint.h"
#include "host/cli/print.h"
#include "host/engine/engine.h"

#define COMMAND "inspect"

static const char help[] =
    "usage: paravane inspect [--json] IMAGE\n"
    "       paravane inspect --lint [--abi ABI] [--except PATTERN]... "
    "[--json]\n"
    "                        IMAGE\n"
    "\n"
    "Prints what IMAGE says about itself: what it was unpacked from, its\n"
    "segments, its Xen notes, its entry points by ABI (PV, PVH), and which\n"
    "engines can run it here or why not.\n"
    "\n"
    "With --lint, what in its code a PV kernel cannot do, instruction by\n"
    "instruction, with function and line where the file tells them, and what\n"
    "to do instead. Exits with 3 if something is to be mended. IMAGE needs no\n"
    "Xen notes for that.\n"
    "\n"
    "  --lint            look at the code\n"
    "  --abi ABI         as pv, pvh, or auto (pv if the image offers it, or\n"
    "                    neither)\n"
    "  --except PATTERN  count but do not list what is in functions or source\n"
    "                    files whose name matches, as in '*/pvh/*'; may be\n"
    "                    given repeatedly\n"
    "  --json            as one JSON object\n"
    "  -h, --help        this text\n";

/* One note, as a number or as text; absent ones are left out. */
struct note {
    const char *name;
    const char *text; /* NULL: a number */
    uint64_t number;
    bool present;
};

#define NR_NOTES 17

static void list_notes(const struct image_notes *n, struct note notes[NR_NOTES])
{
    const struct note all[NR_NOTES] = {
        {"GUEST_OS", n->guest_os, 0, *n->guest_os},
        {"GUEST_VERSION", n->guest_version, 0, *n->guest_version},
        {"XEN_VERSION", n->xen_version, 0, *n->xen_version},
        {"LOADER", n->loader, 0, *n->loader},
        {"FEATURES", n->features, 0, *n->features},
        {"PAE_MODE", n->pae_mode, 0, *n->pae_mode},
        {"BSD_SYMTAB", n->bsd_symtab, 0, *n->bsd_symtab},
        {"ENTRY", NULL, n->entry, n->has_entry},
        {"HYPERCALL_PAGE", NULL, n->hypercall_page, n->has_hypercall_page},
        {"VIRT_BASE", NULL, n->virt_base, n->has_virt_base},
        {"PADDR_OFFSET", NULL, n->paddr_offset, n->has_paddr_offset},
        {"INIT_P2M", NULL, n->init_p2m, n->has_init_p2m},
        {"MOD_START_PFN", NULL, n->mod_start_pfn, n->mod_start_pfn},
        {"SUPPORTED_FEATURES", NULL, n->supported_features,
         n->supported_features},
        {"HV_START_LOW", NULL, n->hv_start_low, n->hv_start_low},
        {"SUSPEND_CANCEL", NULL, n->suspend_cancel, n->suspend_cancel},
        {"PHYS32_ENTRY", NULL, n->phys32_entry, n->has_phys32_entry},
    };

    memcpy(notes, all, sizeof all);
}

/* Can (engine) run it here? If not, (why) says what is missing. */
static bool can_run(const struct engine_ops *engine, const struct image *image,
                    char *why, size_t size)
{
    *why = '\0';
    if (engine->accepts(image, ABI_PV, why, size) &&
        (!image->offers_pvh || engine->accepts(image, ABI_PVH, why, size)))
        return false;
    *why = '\0';
    return !engine->probe(why, size);
}

static void print_segments(const struct image *image)
{
    printf("segments to load:\n  %-18s %-18s %10s %10s\n", "physical",
           "virtual", "in file", "in memory");
    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *s = &image->segments[i];

        printf("  0x%016lx 0x%016lx %10lu %10lu  %c%c%c\n", s->paddr, s->vaddr,
               s->file_size, s->mem_size, s->flags & PF_R ? 'r' : '-',
               s->flags & PF_W ? 'w' : '-', s->flags & PF_X ? 'x' : '-');
    }
}

static void print_notes(const struct image *image)
{
    struct note notes[NR_NOTES];

    list_notes(&image->notes, notes);
    printf("Xen notes%s:\n",
           image->notes.legacy ? " (section __xen_guest)" : "");
    for (unsigned i = 0; i < NR_NOTES; i++) {
        if (!notes[i].present)
            continue;
        printf("  %-18s ", notes[i].name);
        if (notes[i].text)
            print_text(notes[i].text);
        else
            printf("0x%lx", notes[i].number);
        putchar('\n');
    }
}

static void print_abis(const struct image *image)
{
    printf("ABIs offered:\n");
    if (image->offers_pv)
        printf("  PV   entry 0x%lx, kernel 0x%lx-0x%lx, at least %lu KiB\n",
               image->pv_entry, image->virt_start, image->virt_end,
               pv_layout_minimum(image, 0) * 4);
    else
        printf("  PV   no: %s\n", image->pv_refusal);
    if (image->offers_pvh)
        printf("  PVH  entry 0x%lx\n", image->notes.phys32_entry);
    else
        printf("  PVH  no: %s\n", image->pvh_refusal);
}

static void print_engines(const struct image *image)
{
    char why[256];

    printf("engines:\n");
    for (unsigned i = 0; engine_list[i]; i++) {
        const char *name = engine_list[i]->name;

        if (can_run(engine_list[i], image, why, sizeof why))
            printf("  %-8s can run it\n", name);
        else
            printf("  %-8s cannot: %s\n", name, why);
    }
}

static void print_wrapper(const struct image *image)
{
    const struct image_wrapper *w = &image->wrapper;

    if (!w->compression)
        return;
    printf("%s: ", image->path);
    if (w->boot_protocol)
        printf("Linux bzImage, boot protocol %u.%02u, ", w->boot_protocol >> 8,
               w->boot_protocol & 0xff);
    printf("%s, %lu bytes unpack to %lu\n", w->compression, w->packed_size,
           image->size);
    if (*w->version) {
        fputs("version ", stdout);
        print_text(w->version);
        putchar('\n');
    }
}

static void print_image(const struct image *image)
{
    print_wrapper(image);
    printf("%s: %s, entry 0x%lx, %s\n", image->path,
           image->is_32bit ? "32-bit ELF for i386" : "64-bit ELF for x86-64",
           image->elf_entry,
           image->nr_symbols ? "with symbols" : "without symbols");
    print_segments(image);
    print_notes(image);
    print_abis(image);
    print_engines(image);
}

static void json_segments(const struct image *image)
{
    json_open("segments", '[');
    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *s = &image->segments[i];

        json_open(NULL, '{');
        json_number("paddr", s->paddr);
        json_number("vaddr", s->vaddr);
        json_number("file_offset", s->file_offset);
        json_number("file_size", s->file_size);
        json_number("mem_size", s->mem_size);
        json_number("flags", s->flags);
        json_close('}');
    }
    json_close(']');
}

static void json_notes(const struct image *image)
{
    struct note notes[NR_NOTES];

    list_notes(&image->notes, notes);
    json_open("notes", '{');
    for (unsigned i = 0; i < NR_NOTES; i++) {
        if (notes[i].present && notes[i].text)
            json_string(notes[i].name, notes[i].text);
        else if (notes[i].present)
            json_number(notes[i].name, notes[i].number);
    }
    json_close('}');
}

static void json_abi(const char *name, bool offered, uint64_t entry,
                     const char *refusal)
{
    json_open(name, '{');
    json_bool("offered", offered);
    if (offered)
        json_number("entry", entry);
    else
        json_string("why_not", refusal);
    json_close('}');
}

static void json_engines(const struct image *image)
{
    char why[256];

    json_open("engines", '{');
    for (unsigned i = 0; engine_list[i]; i++) {
        bool usable = can_run(engine_list[i], image, why, sizeof why);

        json_open(engine_list[i]->name, '{');
        json_bool("can_run", usable);
        if (!usable)
            json_string("why_not", why);
        json_close('}');
    }
    json_close('}');
}

static void json_wrapper(const struct image *image)
{
    const struct image_wrapper *w = &image->wrapper;

    if (!w->compression)
        return;
    json_open("unpacked", '{');
    json_string("container", w->boot_protocol ? "bzImage" : "gzip file");
    if (w->boot_protocol)
        json_number("boot_protocol", w->boot_protocol);
    if (*w->version)
        json_string("version", w->version);
    json_string("compression", w->compression);
    json_number("packed_size", w->packed_size);
    json_number("size", image->size);
    json_close('}');
}

static void json_image(const struct image *image)
{
    json_open(NULL, '{');
    json_string("image", image->path);
    json_wrapper(image);
    json_number("elf_class", image->is_32bit ? 32 : 64);
    json_number("elf_entry", image->elf_entry);
    json_number("symbols", image->nr_symbols);
    json_bool("legacy_notes", image->notes.legacy);
    json_segments(image);
    json_notes(image);
    json_open("abis", '{');
    json_abi("PV", image->offers_pv, image->pv_entry, image->pv_refusal);
    json_abi("PVH", image->offers_pvh, image->notes.phys32_entry,
             image->pvh_refusal);
    json_close('}');
    if (image->offers_pv)
        json_number("minimum_memory", pv_layout_minimum(image, 0)
                                          << PAGE_SHIFT);
    json_engines(image);
    json_close('}');
    putchar('\n');
}

static int inspect(const char *path, bool json)
{
    struct image *image;

    if (image_open(path, &image))
        return STATUS_HOST_TROUBLE;
    if (json)
        json_image(image);
    else
        print_image(image);
    image_close(image);
    return STATUS_OK;
}

enum { OPTION_JSON = 256, OPTION_LINT, OPTION_ABI, OPTION_EXCEPT };

static int set_abi(const char *value, struct lint_wish *wish)
{
    if (!strcmp(value, "pv"))
        wish->abi = ABI_PV;
    else if (!strcmp(value, "pvh"))
        wish->abi = ABI_PVH;
    else if (!strcmp(value, "auto"))
        wish->abi = ABI_AUTO;
    else
        return cli_bad_usage(COMMAND, "there is no ABI '%s': pv, pvh, auto",
                             value);
    return STATUS_OK;
}

static int add_exception(const char *value, struct lint_wish *wish)
{
    if (wish->nr_exceptions == LINT_MAX_EXCEPTIONS)
        return cli_bad_usage(COMMAND, "--except may be given %d times at most",
                             LINT_MAX_EXCEPTIONS);
    wish->exceptions[wish->nr_exceptions++] = value;
    return STATUS_OK;
}

struct wishes {
    bool json, lint, help;
    const char *lint_only; /* an option given that --lint alone has */
    struct lint_wish wish;
};

static int set_option(int option, char **argv, struct wishes *w)
{
    switch (option) {
    case OPTION_JSON:
        w->json = true;
        return STATUS_OK;
    case OPTION_LINT:
        w->lint = true;
        return STATUS_OK;
    case OPTION_ABI:
        w->lint_only = "--abi";
        return set_abi(optarg, &w->wish);
    case OPTION_EXCEPT:
        w->lint_only = "--except";
        return add_exception(optarg, &w->wish);
    case 'h':
        w->help = true;
        return STATUS_OK;
    default:
        return cli_bad_option(COMMAND, option, argv);
    }
}

static int check_arguments(int argc, char **argv, const struct wishes *w)
{
    if (w->lint_only && !w->lint)
        return cli_bad_usage(COMMAND, "option '%s' goes with --lint",
                             w->lint_only);
    if (optind == argc)
        return cli_bad_usage(COMMAND, "an image to inspect is missing");
    if (argc - optind > 1)
        return cli_bad_usage(COMMAND, "'%s' is one argument too many",
                             argv[optind + 1]);
    return STATUS_OK;
}

int cli_inspect(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, OPTION_JSON},
        {"lint", no_argument, NULL, OPTION_LINT},
        {"abi", required_argument, NULL, OPTION_ABI},
        {"except", required_argument, NULL, OPTION_EXCEPT},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct wishes w = {.wish.abi = ABI_AUTO};
    int option, status = STATUS_OK;

    opterr = 0;
    while (status == STATUS_OK && !w.help &&
           (option = getopt_long(argc, argv, ":h", options, NULL)) != -1)
        status = set_option(option, argv, &w);
    if (status == STATUS_OK && w.help) {
        fputs(help, stdout);
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        status = check_arguments(argc, argv, &w);
    if (status != STATUS_OK)
        return status;
    w.wish.json = w.json;
    return w.lint ? lint_report(argv[optind], &w.wish)
                  : inspect(argv[optind], w.json);
}
