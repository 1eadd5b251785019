#include "host/lint/symbols.h"

#include <errno.h>
#include <stdlib.h>

#include "host/build/elf.h"
#include "host/log.h"

/* Symbols may lie inside of others: so many are tried for the outer one. */
#define MAX_NESTED 32

/* Labels in assembly have no type, and some no size. */
static bool is_of_code_or_data(const Elf64_Sym *symbol)
{
    const unsigned type = ELF64_ST_TYPE(symbol->st_info);

    if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS ||
        symbol->st_name == 0)
        return false;
    return type == STT_FUNC || type == STT_NOTYPE ||
           (type == STT_OBJECT && symbol->st_size);
}

/* By address; of those at the same one, the one that tells most is first. */
static int compare(const void *a, const void *b)
{
    const struct lint_symbol *x = a, *y = b;

    if (x->va != y->va)
        return x->va < y->va ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

static void take(struct lint *lint, const Elf64_Sym *from, size_t nr,
                 uint64_t strings_size)
{
    for (size_t i = 0; i < nr; i++) {
        if (!is_of_code_or_data(&from[i]) || from[i].st_name >= strings_size)
            continue;
        lint->symbols[lint->nr_symbols++] = (struct lint_symbol){
            .va = from[i].st_value,
            .size = from[i].st_size,
            .name = from[i].st_name,
            .is_data = ELF64_ST_TYPE(from[i].st_info) == STT_OBJECT,
        };
    }
    qsort(lint->symbols, lint->nr_symbols, sizeof *lint->symbols, compare);
}

int lint_read_symbols(const struct image *image, struct lint *lint)
{
    void *table, *strings;
    int rc;

    if (!image->nr_symbols)
        return 0;
    rc = elf_read_part(image, "symbol table", image->symbols_offset,
                       image->nr_symbols * sizeof(Elf64_Sym), &table);
    if (rc)
        return rc;
    rc = elf_read_part(image, "symbol name table", image->strings_offset,
                       image->strings_size, &strings);
    if (!rc) {
        lint->strings = strings;
        lint->symbols = calloc(image->nr_symbols, sizeof *lint->symbols);
        rc = lint->symbols ? 0 : -ENOMEM;
    }
    if (!rc)
        take(lint, table, image->nr_symbols, image->strings_size);
    else if (rc == -ENOMEM)
        log_error("no memory for the symbols of %s", image->path);
    free(table);
    return rc;
}

static bool holds(const struct lint_symbol *symbol, uint64_t va)
{
    return !symbol->is_data &&
           (!symbol->size || va - symbol->va < symbol->size);
}

/* The last one that begins at (va) or before and does not end before. */
static const struct lint_symbol *find(const struct lint *lint, uint64_t va)
{
    size_t low = 0, high = lint->nr_symbols;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (lint->symbols[middle].va <= va)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i > 0 && low - i < MAX_NESTED; i--)
        if (holds(&lint->symbols[i - 1], va))
            return &lint->symbols[i - 1];
    return NULL;
}

void lint_name_functions(struct lint *lint)
{
    for (size_t i = 0; i < lint->nr_findings; i++) {
        struct lint_finding *finding = &lint->findings[i];
        const struct lint_symbol *symbol = find(lint, finding->va);

        if (!symbol)
            continue;
        finding->function = lint->strings + symbol->name;
        finding->offset = finding->va - symbol->va;
    }
}
