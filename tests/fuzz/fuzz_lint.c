/*
 * Any bytes as code, any symbols over it: each byte is read once at most, and
 * what is found lies in it.
 */
#include "input.h"

#include "host/lint/lint.h"

#define MAX_SYMBOLS 8
#define VA          UINT64_C(0xffffffff80000000)

/* By address, as the linter has them. */
static size_t take_symbols(struct input *in, struct lint_symbol *symbols)
{
    const size_t nr = input_u8(in) % (MAX_SYMBOLS + 1);
    uint64_t va = VA - 16;

    for (size_t i = 0; i < nr; i++) {
        const uint8_t how = input_u8(in);

        va += input_u8(in);
        symbols[i] = (struct lint_symbol){
            .va = va,
            .size = how & 1   ? input_u8(in)
                    : how & 2 ? UINT64_MAX
                              : 0,
            .is_data = how & 4,
        };
    }
    return nr;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lint_symbol symbols[MAX_SYMBOLS];
    struct input in = {data, size};
    struct lint lint = {.symbols = symbols};
    uint64_t last = 0;

    lint.nr_symbols = take_symbols(&in, symbols);
    if (input_u8(&in) & 1 && lint.nr_symbols)
        lint.pvh_entry = symbols[0].va;
    PROMISE(lint_code(&lint, in.data, in.left, VA));
    PROMISE(lint.nr_instructions + lint.nr_undecoded <= in.left);
    PROMISE(lint.nr_findings <= lint.nr_instructions);
    for (size_t i = 0; i < lint.nr_findings; i++) {
        const struct lint_finding *f = &lint.findings[i];

        PROMISE(f->va >= VA && f->va + f->length <= VA + in.left);
        PROMISE(i == 0 || f->va >= last);
        PROMISE(f->length > 0 && f->length <= sizeof f->bytes && f->what);
        PROMISE(!memcmp(f->bytes, in.data + (f->va - VA), f->length));
        last = f->va + f->length;
    }
    lint.symbols = NULL;
    lint_destroy(&lint);
    return 0;
}
