/* paravane traps */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/json.h"
#include "host/traps/traps.h"

#define COMMAND "traps"

static const char help[] =
    "usage: paravane traps [--json]\n"
    "\n"
    "Tries each sensitive x86 instruction on this host, in a process and in a\n"
    "guest on each engine, and prints what becomes of it: whether it traps, "
    "is\n"
    "emulated, works, or silently does something else than in ring 0. Then, "
    "by\n"
    "Popek and Goldberg's criterion, what that means.\n"
    "\n"
    "  --json      as one JSON object\n"
    "  -h, --help  this text\n";

enum place { NATIVE, PROCESS_PV, KVM_PV, KVM_PVH, NR_PLACES };

static const struct {
    char key[16], title[24];
    char engine[8];
    enum abi abi;
} places[NR_PLACES] = {
    [NATIVE] = {"native", "a process", "", ABI_AUTO},
    [PROCESS_PV] = {"process-pv", "PV on process", "process", ABI_PV},
    [KVM_PV] = {"kvm-pv", "PV on kvm", "kvm", ABI_PV},
    [KVM_PVH] = {"kvm-pvh", "PVH on kvm", "kvm", ABI_PVH},
};

/* What a reader wants to know of one try. */
enum verdict { NOT_TRIED, TRAPS, EMULATED, WRONG, WORKS };

static const char verdict_names[][12] = {
    [NOT_TRIED] = "not tried", [TRAPS] = "traps", [EMULATED] = "emulated",
    [WRONG] = "wrong",         [WORKS] = "works",
};

struct table {
    struct traps_place places[NR_PLACES];
};

/*
 * Ring 3 is the same everywhere: what traps in a process, and in a guest's
 * ring 3 does not, somebody carried out.
 */
static enum verdict judge(const struct table *t, enum place place,
                          unsigned probe)
{
    const struct probe_result *result = &t->places[place].results[probe];
    const bool in_ring3 = place == PROCESS_PV || place == KVM_PV;

    switch (result->outcome) {
    case PROBE_TRAPPED:
        return TRAPS;
    case PROBE_WRONG:
        return WRONG;
    case PROBE_RIGHT:
        return in_ring3 &&
                       t->places[NATIVE].results[probe].outcome == PROBE_TRAPPED
                   ? EMULATED
                   : WORKS;
    default:
        return NOT_TRIED;
    }
}

static const char *vector_name(unsigned vector)
{
    switch (vector) {
    case 6:
        return "#UD";
    case 10:
        return "#TS";
    case 11:
        return "#NP";
    case 12:
        return "#SS";
    case 13:
        return "#GP";
    case 14:
        return "#PF";
    default:
        return NULL;
    }
}

static void say_vector(const struct probe_result *result, char *text,
                       size_t size)
{
    const char *name = vector_name(result->vector);

    if (name)
        snprintf(text, size, "%s", name);
    else
        snprintf(text, size, "vector %u", result->vector);
}

static void say_cell(const struct table *t, enum place place, unsigned probe,
                     char *text, size_t size)
{
    const struct probe_result *result = &t->places[place].results[probe];
    const enum verdict verdict = judge(t, place, probe);

    if (verdict == TRAPS)
        say_vector(result, text, size);
    else if (verdict != NOT_TRIED && probe_has_value(probe))
        snprintf(text, size, "%s: %#lx", verdict_names[verdict], result->value);
    else
        snprintf(text, size, "%s", verdict_names[verdict]);
}

static void print_row(const struct table *t, unsigned probe)
{
    char cell[64];

    printf("%-14s", probe_name(probe));
    for (unsigned place = 0; place < NR_PLACES; place++) {
        if (!t->places[place].tried)
            continue;
        say_cell(t, place, probe, cell, sizeof cell);
        printf("  %-25s", cell);
    }
    putchar('\n');
}

static unsigned count(const struct table *t, enum place place,
                      enum verdict wanted)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < probe_count(); i++)
        nr += judge(t, place, i) == wanted;
    return nr;
}

static void print_names(const struct table *t, enum place place,
                        enum verdict wanted)
{
    const char *between = "";

    for (unsigned i = 0; i < probe_count(); i++) {
        if (judge(t, place, i) != wanted)
            continue;
        printf("%s%s", between, probe_name(i));
        between = ", ";
    }
    putchar('\n');
}

/* For each place, what a kernel there has to do without. */
static void print_place(const struct table *t, enum place place)
{
    const struct traps_place *p = &t->places[place];

    if (!p->tried) {
        printf("%s: not tried: %s\n", places[place].title, p->why);
        return;
    }
    printf("%s: %u trap, %u emulated, %u work, %u silently wrong\n",
           places[place].title, count(t, place, TRAPS),
           count(t, place, EMULATED), count(t, place, WORKS),
           count(t, place, WRONG));
    if (count(t, place, WRONG)) {
        fputs("  silently wrong: ", stdout);
        print_names(t, place, WRONG);
    }
    if (*p->why)
        printf("  not all came to an end: %s\n", p->why);
}

static bool is_virtualizable(const struct table *t)
{
    return t->places[NATIVE].tried && !count(t, NATIVE, WRONG);
}

static void print_verdict(const struct table *t)
{
    if (!t->places[NATIVE].tried)
        return;
    if (is_virtualizable(t))
        printf("verdict: all that is sensitive traps in ring 3: by Popek and "
               "Goldberg's criterion a kernel can be run there by trapping and "
               "emulating, as it is.\n");
    else
        printf("verdict: %u sensitive instructions do not trap in ring 3: by "
               "Popek and Goldberg's criterion no kernel can be run there as "
               "it is. It is paravirtualized (see inspect --lint), or gets a "
               "ring 0 from the CPU's virtualization (PVH).\n",
               count(t, NATIVE, WRONG));
}

static void print_table(const struct table *t)
{
    printf("%-14s", "in ring");
    for (unsigned place = 0; place < NR_PLACES; place++)
        if (t->places[place].tried)
            printf("  %-25s", place == KVM_PVH ? "0" : "3");
    printf("\n%-14s", "instruction");
    for (unsigned place = 0; place < NR_PLACES; place++)
        if (t->places[place].tried)
            printf("  %-25s", places[place].title);
    putchar('\n');
    for (unsigned i = 0; i < probe_count(); i++)
        print_row(t, i);
    putchar('\n');
    for (unsigned place = 0; place < NR_PLACES; place++)
        print_place(t, place);
    print_verdict(t);
}

static void json_result(const struct table *t, enum place place, unsigned probe)
{
    const struct probe_result *result = &t->places[place].results[probe];
    const enum verdict verdict = judge(t, place, probe);

    json_open(probe_name(probe), '{');
    json_string("verdict", verdict_names[verdict]);
    if (verdict == TRAPS) {
        json_number("vector", result->vector);
        json_number("error", result->error);
    } else if (verdict != NOT_TRIED && probe_has_value(probe)) {
        json_number("value", result->value);
    }
    json_close('}');
}

static void json_place(const struct table *t, enum place place)
{
    const struct traps_place *p = &t->places[place];

    json_open(places[place].key, '{');
    json_bool("tried", p->tried);
    if (*p->why)
        json_string("why", p->why);
    json_number("ring", place == KVM_PVH ? 0 : 3);
    if (p->tried) {
        json_open("instructions", '{');
        for (unsigned i = 0; i < probe_count(); i++)
            json_result(t, place, i);
        json_close('}');
    }
    json_close('}');
}

static void json_table(const struct table *t)
{
    json_open(NULL, '{');
    json_open("places", '{');
    for (unsigned place = 0; place < NR_PLACES; place++)
        json_place(t, place);
    json_close('}');
    json_bool("virtualizable", is_virtualizable(t));
    json_close('}');
    putchar('\n');
}

static void try_all(struct table *t)
{
    traps_try_native(&t->places[NATIVE]);
    for (unsigned place = NATIVE + 1; place < NR_PLACES; place++)
        traps_try_guest(places[place].engine, places[place].abi,
                        &t->places[place]);
}

int cli_traps(int argc, char **argv)
{
    static struct table table;
    bool json = false;
    int status;

    if (!cli_report_options(argc, argv, help, &json, &status))
        return status;
    if (optind < argc)
        return cli_bad_usage(COMMAND, "'%s' is one argument too many",
                             argv[optind]);
    try_all(&table);
    if (json)
        json_table(&table);
    else
        print_table(&table);
    return table.places[NATIVE].tried ? STATUS_OK : STATUS_HOST_TROUBLE;
}
