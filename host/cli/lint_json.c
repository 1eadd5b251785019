#include <stdio.h>

#include "host/cli/json.h"
#include "host/cli/lint.h"

static const char *place_name(enum lint_place place)
{
    switch (place) {
    case LINT_REPLACED:
        return "replaced";
    case LINT_REPLACEMENT:
        return "replacement";
    default:
        return "plain";
    }
}

static void put_finding(const struct lint_report *r,
                        const struct lint_finding *f)
{
    json_open(NULL, '{');
    json_number("address", f->va);
    json_string("instruction", f->what->name);
    json_string("group", lint_group_name(f->what->group));
    json_bool("counts", lint_counts(r, f));
    json_string("place", place_name(f->place));
    if (f->function) {
        json_string("function", f->function);
        json_number("offset", f->offset);
    }
    if (f->file) {
        json_string("file", f->file);
        json_number("line", f->line);
    }
    json_string("happens", f->what->happens);
    json_string("instead", f->what->instead);
    json_close('}');
}

static void put_counts(const struct lint_report *r)
{
    json_open("counts", '{');
    for (unsigned group = 0; group < NR_SENSITIVE_GROUPS; group++)
        json_number(lint_group_name(group), r->counts[group]);
    json_number("alternatives", r->nr_alternatives);
    json_number("excepted", r->nr_excepted);
    json_number("unlisted", r->lint.nr_unlisted);
    json_close('}');
}

void lint_print_json(const struct lint_report *r)
{
    const struct lint *lint = &r->lint;

    json_open(NULL, '{');
    json_string("image", r->image->path);
    json_string("abi", r->as_pv ? "pv" : "pvh");
    json_number("instructions", lint->nr_instructions);
    if (!r->as_pv) {
        json_number("vm_calls", r->vm_calls.found);
        json_number("vm_calls_replaced", r->vm_calls.replaced);
    }
    json_number("undecoded_bytes", lint->nr_undecoded);
    json_number("syscalls", lint->nr_hypercalls);
    json_number("symbols", lint->nr_symbols);
    json_bool("patches_itself", lint->patches_itself);
    json_bool("lines", lint->has_lines && !*lint->lines_trouble);
    if (*lint->lines_trouble)
        json_string("lines_trouble", lint->lines_trouble);
    json_open("missing", '[');
    for (unsigned i = 0; i < r->nr_lacks; i++)
        json_string(NULL, r->lacks[i]);
    json_close(']');
    put_counts(r);
    json_open("findings", '[');
    for (size_t i = 0; i < lint->nr_findings; i++)
        put_finding(r, &lint->findings[i]);
    json_close(']');
    json_number("to_mend", r->to_mend);
    json_close('}');
    putchar('\n');
}
