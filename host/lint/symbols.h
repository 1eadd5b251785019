/*
 * host/lint/symbols.h: the symbols of an image by address. (private)
 */
#ifndef HOST_LINT_SYMBOLS_H
#define HOST_LINT_SYMBOLS_H

#include "host/lint/lint.h"

/* Fill lint->symbols: 0, or -errno with a sentence; an image may have none. */
int lint_read_symbols(const struct image *image, struct lint *lint);

/* Name the function of each finding. */
void lint_name_functions(struct lint *lint);

#endif
