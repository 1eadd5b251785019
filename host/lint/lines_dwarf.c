/* host/lint/lines_dwarf.c: DWARF, by libdw. Runs in the child alone. */
#include "host/lint/lines.h"

#ifdef HAVE_LIBDW

#include <elfutils/libdw.h>

const bool lines_can_be_read = true;

struct reader {
    const struct lint *lint;
    lines_answer answer;
    void *to;
};

/*
 * Lines of a function that the linker left out have addresses from 0 on, and
 * the last of them may seem to reach to the first one that is real: a line
 * begins in the function that it is of.
 */
static bool begins_in_function(const struct lint_finding *finding,
                               Dwarf_Addr start)
{
    return !finding->function || finding->va - start <= finding->offset;
}

/* All findings from this line's first byte to the next line's. */
static bool take_line(const struct reader *r, Dwarf_Line *line,
                      Dwarf_Line *next)
{
    Dwarf_Addr start, end;
    const char *file;
    bool ends_here;
    int number;

    if (dwarf_lineendsequence(line, &ends_here) || ends_here ||
        dwarf_lineaddr(line, &start) || dwarf_lineaddr(next, &end) ||
        start >= end)
        return true;
    for (size_t i = lint_first_finding(r->lint, start);
         i < r->lint->nr_findings && r->lint->findings[i].va < end; i++) {
        if (!begins_in_function(&r->lint->findings[i], start))
            continue;
        file = dwarf_linesrc(line, NULL, NULL);
        if (!file || dwarf_lineno(line, &number) || number <= 0)
            return true;
        if (!r->answer(r->to, i, start, file, (unsigned)number))
            return false;
    }
    return true;
}

static bool take_unit(const struct reader *r, Dwarf_Die *unit)
{
    Dwarf_Lines *lines;
    size_t nr;

    if (dwarf_getsrclines(unit, &lines, &nr))
        return true; /* a unit without lines */
    for (size_t i = 0; i + 1 < nr; i++)
        if (!take_line(r, dwarf_onesrcline(lines, i),
                       dwarf_onesrcline(lines, i + 1)))
            return false;
    return true;
}

bool lines_read(int fd, const struct lint *lint, lines_answer answer, void *to)
{
    const struct reader reader = {lint, answer, to};
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;
    Dwarf *dwarf;
    Elf *elf;
    int rc;

    if (elf_version(EV_CURRENT) == EV_NONE)
        return false;
    elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    dwarf = elf ? dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;
    if (!dwarf)
        return false;
    while (!(rc = dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &die, NULL)))
        if (!take_unit(&reader, &die))
            return false;
    return rc == 1;
}

#else

const bool lines_can_be_read = false;

bool lines_read(int fd, const struct lint *lint, lines_answer answer, void *to)
{
    (void)fd, (void)lint, (void)answer, (void)to;
    return false;
}

#endif
