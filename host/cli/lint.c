#include "host/cli/lint.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "host/build/image.h"
#include "host/cli/cli.h"
#include "host/cli/print.h"

static const struct {
    char name[12];
    char title[80];
} groups[NR_SENSITIVE_GROUPS] = {
    [SENSITIVE_SILENT] =
        {"silent", "silently wrong: ring 3 runs them, to another effect"},
    [SENSITIVE_FAULTS] = {"faults", "faults: the kernel gets the trap back"},
    [SENSITIVE_STACK] = {"stack",
                         "on the stack: what any event or trap overwrites"},
    [SENSITIVE_EMULATED] = {"emulated",
                            "emulated: right, at the price of a trap each"},
};

const char *lint_group_name(enum sensitive_group group)
{
    return groups[group].name;
}

static bool is_excepted(const struct lint_wish *wish,
                        const struct lint_finding *finding)
{
    for (unsigned i = 0; i < wish->nr_exceptions; i++) {
        const char *pattern = wish->exceptions[i];

        if (finding->function && !fnmatch(pattern, finding->function, 0))
            return true;
        if (finding->file && !fnmatch(pattern, finding->file, 0))
            return true;
    }
    return false;
}

bool lint_counts(const struct lint_report *report,
                 const struct lint_finding *finding)
{
    return finding->place == LINT_PLAIN && !is_excepted(report->wish, finding);
}

static void count(struct lint_report *r)
{
    for (size_t i = 0; i < r->lint.nr_findings; i++) {
        const struct lint_finding *finding = &r->lint.findings[i];

        if (finding->place != LINT_PLAIN)
            r->nr_alternatives++;
        else if (is_excepted(r->wish, finding))
            r->nr_excepted++;
        else
            r->counts[finding->what->group]++;
    }
    r->to_mend = r->nr_lacks + r->lint.nr_unlisted;
    for (unsigned group = 0; group < NR_SENSITIVE_GROUPS; group++)
        if (group != SENSITIVE_EMULATED)
            r->to_mend += r->counts[group];
}

/* What the loader will ask for, and what the kernel will want to call. */
static void find_lacks(struct lint_report *r)
{
    const struct image *image = r->image;

    if (!image->notes.any)
        snprintf(r->lacks[r->nr_lacks++], sizeof r->lacks[0],
                 "it carries no Xen notes: the least are XEN_VERSION "
                 "\"xen-3.0\", LOADER \"generic\", ENTRY, VIRT_BASE, "
                 "PADDR_OFFSET and HYPERCALL_PAGE");
    else if (!image->offers_pv)
        snprintf(r->lacks[r->nr_lacks++], sizeof r->lacks[0],
                 "it is not acceptable as a PV kernel: %s", image->pv_refusal);
    if (!image->is_32bit && !image->notes.has_hypercall_page &&
        !r->lint.nr_hypercalls)
        snprintf(r->lacks[r->nr_lacks++], sizeof r->lacks[0],
                 "it can make no hypercall: it has neither the note "
                 "HYPERCALL_PAGE nor a SYSCALL instruction");
}

static void print_place(const struct lint_finding *f)
{
    printf("    0x%016lx", f->va);
    if (f->function) {
        fputs("  ", stdout);
        print_text(f->function);
        printf("+0x%lx", f->offset);
    }
    if (f->file) {
        fputs("  ", stdout);
        print_text(f->file);
        printf(":%u", f->line);
    }
    putchar('\n');
}

/* All findings of one instruction; nothing if there are none. */
static void print_instruction(const struct lint_report *r,
                              const struct sensitive *what)
{
    uint64_t nr = 0;

    for (size_t i = 0; i < r->lint.nr_findings; i++) {
        const struct lint_finding *f = &r->lint.findings[i];

        if (f->what != what || !lint_counts(r, f))
            continue;
        if (!nr++)
            printf("  %s: %s\n    instead: %s\n", what->name, what->happens,
                   what->instead);
        print_place(f);
    }
}

static void print_group(const struct lint_report *r, enum sensitive_group group)
{
    const struct sensitive *what;

    if (!r->counts[group])
        return;
    printf("%s (%lu)\n", groups[group].title, r->counts[group]);
    for (size_t i = 0; (what = sensitive_at(i)); i++)
        if (what->group == group)
            print_instruction(r, what);
}

static void print_how(const struct lint_report *r)
{
    const struct lint *lint = &r->lint;

    printf("  %lu instructions were read, ", lint->nr_instructions);
    if (lint->nr_symbols)
        printf("anew from each function's start");
    else
        printf("without symbols: data among them is taken for code");
    printf("; %lu bytes are none\n", lint->nr_undecoded);
    if (r->image->notes.has_hypercall_page)
        printf("  hypercalls by the page at 0x%lx",
               r->image->notes.hypercall_page);
    else
        printf("  hypercalls without a page");
    printf(", and %lu SYSCALL instructions\n", lint->nr_hypercalls);
    if (lint->pvh_entry && lint->nr_symbols)
        printf("  the 32-bit code at the PVH entry 0x%lx is left out\n",
               lint->pvh_entry);
    if (*lint->lines_trouble)
        printf("  lines of the source are missing: %s\n", lint->lines_trouble);
    else if (!lint->has_lines && lint->nr_findings)
        printf("  it has no debug information to tell lines of the source\n");
}

static void print_rest(const struct lint_report *r)
{
    if (r->nr_alternatives)
        printf("%lu more in Linux's lists of alternatives: whether they run "
               "is decided as it boots\n",
               r->nr_alternatives);
    if (r->lint.patches_itself)
        printf("Linux calls what is privileged through pv_ops, which Xen's "
               "part of it fills: the functions behind that for bare hardware "
               "are listed, but do not run as PV\n");
    if (r->nr_excepted)
        printf("%lu more excepted by name\n", r->nr_excepted);
    if (r->lint.nr_unlisted)
        printf("%lu more are not listed: %d are enough\n", r->lint.nr_unlisted,
               LINT_MAX_FINDINGS);
}

static void print_pv(const struct lint_report *r)
{
    printf("%s, as a PV kernel in ring 3:\n", r->image->path);
    print_how(r);
    for (unsigned i = 0; i < r->nr_lacks; i++)
        printf("missing: %s\n", r->lacks[i]);
    for (unsigned group = 0; group < NR_SENSITIVE_GROUPS; group++)
        print_group(r, group);
    print_rest(r);
    printf("%lu to mend, %lu emulated\n", r->to_mend,
           r->counts[SENSITIVE_EMULATED]);
}

static void print_pvh(const struct lint_report *r)
{
    printf(
        "%s, as a PVH kernel in ring 0 of a virtual machine:\n"
        "  every instruction is the CPU's own there: nothing to mend. To see "
        "what it would meet as PV: --abi pv\n",
        r->image->path);
    if (r->vm_calls.found)
        printf("  it has %lu VMCALL and VMMCALL instructions: of these %lu are "
               "the whole of a function, and made hypercalls when it is "
               "loaded; others are for KVM itself\n",
               r->vm_calls.found, r->vm_calls.replaced);
}

static bool judged_as_pv(const struct image *image, enum abi wanted)
{
    if (wanted == ABI_AUTO)
        return image->offers_pv || !image->offers_pvh;
    return wanted == ABI_PV;
}

static int look(struct image *image, struct lint_report *r)
{
    if (r->wish->abi == ABI_PVH && !image->offers_pvh) {
        snprintf(r->lacks[r->nr_lacks++], sizeof r->lacks[0], "%s",
                 image->pvh_refusal);
        return 0;
    }
    if (!r->as_pv)
        return lint_vm_calls(image, &r->vm_calls);
    if (!image->is_32bit && lint_image(image, &r->lint))
        return -1;
    find_lacks(r);
    return 0;
}

int lint_report(const char *path, const struct lint_wish *wish)
{
    struct lint_report r = {.wish = wish};
    int status = STATUS_HOST_TROUBLE;
    struct image *image;

    if (image_open_unmarked(path, &image))
        return status;
    r.image = image;
    r.as_pv = judged_as_pv(image, wish->abi);
    if (look(image, &r) == 0) {
        count(&r);
        status = r.to_mend ? STATUS_FINDINGS : STATUS_OK;
        if (wish->json)
            lint_print_json(&r);
        else if (r.as_pv)
            print_pv(&r);
        else if (r.nr_lacks)
            printf("%s: it cannot run as PVH: %s\n", path, r.lacks[0]);
        else
            print_pvh(&r);
    }
    lint_destroy(&r.lint);
    image_close(image);
    return status;
}
