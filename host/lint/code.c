/* From bytes to findings. */
#include <stdlib.h>
#include <string.h>

#include "host/lint/lint.h"
#include "host/log.h"

#define FIRST_ROOM 64

/* Room for one more: doubled each time it is full. */
static bool make_room(struct lint *lint)
{
    const size_t nr = lint->nr_findings;
    struct lint_finding *more;

    if (nr & (nr - 1) || (nr && nr < FIRST_ROOM))
        return true; /* not at the end of the room */
    more = reallocarray(lint->findings, nr ? 2 * nr : FIRST_ROOM, sizeof *more);
    if (!more) {
        log_error("no memory for what the linter found");
        return false;
    }
    lint->findings = more;
    return true;
}

static bool add(struct lint *lint, const struct sensitive_code *code,
                const uint8_t *bytes, uint64_t va)
{
    struct lint_finding *finding;

    if (lint->nr_findings == LINT_MAX_FINDINGS) {
        lint->nr_unlisted++;
        return true;
    }
    if (!make_room(lint))
        return false;
    finding = &lint->findings[lint->nr_findings++];
    *finding = (struct lint_finding){
        .va = va, .what = code->what, .length = code->length};
    memcpy(finding->bytes, bytes, code->length);
    return true;
}

/* All instructions of [bytes, bytes + size). */
static bool sweep(struct lint *lint, const uint8_t *bytes, size_t size,
                  uint64_t va)
{
    struct sensitive_code code;

    for (size_t i = 0; i < size; i += code.length) {
        if (sensitive_look(bytes + i, size - i, &code)) {
            code.length = 1;
            lint->nr_undecoded++;
            continue;
        }
        lint->nr_instructions++;
        lint->nr_hypercalls += code.hypercall;
        if (code.what && !add(lint, &code, bytes + i, va + i))
            return false;
    }
    return true;
}

/* The index of the first symbol at (va) or behind. */
static size_t first_symbol(const struct lint *lint, uint64_t va)
{
    size_t low = 0, high = lint->nr_symbols;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (lint->symbols[middle].va < va)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where the next symbol is that begins behind symbol (i), within (end). */
static uint64_t next_start(const struct lint *lint, size_t i, uint64_t end)
{
    const uint64_t va = lint->symbols[i].va;

    while (i < lint->nr_symbols && lint->symbols[i].va == va)
        i++;
    return i < lint->nr_symbols && lint->symbols[i].va < end
               ? lint->symbols[i].va
               : end;
}

/* Sweeps never overlap: each begins where the one before ended, or later. */
bool lint_code(struct lint *lint, const uint8_t *bytes, size_t size,
               uint64_t va)
{
    const uint64_t end = va + size;
    uint64_t from = va;

    for (size_t i = first_symbol(lint, va);
         i < lint->nr_symbols && lint->symbols[i].va < end; i++) {
        const struct lint_symbol *s = &lint->symbols[i];
        const uint64_t room = end - s->va;
        uint64_t to = s->va;

        if (s->va < from)
            continue;
        if (!sweep(lint, bytes + (from - va), s->va - from, from))
            return false;
        if (lint->pvh_entry && s->va == lint->pvh_entry)
            to = next_start(lint, i, end);
        else if (s->size)
            to += s->size < room ? s->size : room;
        from = s->va;
        if (to == s->va)
            continue; /* a label: up to what comes next */
        if (s->va != lint->pvh_entry && !s->is_data &&
            !sweep(lint, bytes + (from - va), to - from, from))
            return false;
        from = to;
    }
    return sweep(lint, bytes + (from - va), end - from, from);
}

size_t lint_first_finding(const struct lint *lint, uint64_t va)
{
    size_t low = 0, high = lint->nr_findings;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (lint->findings[middle].va < va)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
