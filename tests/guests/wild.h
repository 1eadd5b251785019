/* What the files of the image wild share. */
#ifndef TESTS_GUESTS_WILD_H
#define TESTS_GUESTS_WILD_H

#include <stdint.h>

/* Where the hypercall stubs jump to. */
uint64_t shim(void);

/* An address by name, or a number, or an offset into the shim (shim+7). */
uint64_t place(const char *name);

/* Go to, read from the place that is named so. */
void jump(const char *to);
void load(const char *from);

/* Have a trap, or an interruption, on a stack at (where). */
void trap_on_stack(const char *where);

void survived(void);

/* wild_memory.c: what it does to its memory, and to that of the shim. */

void unmap(const char *where);

/* All of its address space, from the end, itself among it. */
void unmap_all(const char *unused);

/* Clear the entries of every table, (order) "top" first or last. */
void clear_tables(const char *order);

/* mmuext_op's operation (what) on frames of all kinds. */
void table_op(const char *what);

/* Return every page of the domain, those in use too. */
void balloon(const char *extent);

/* More of (what) until nobody has any. */
void exhaust(const char *what);

/* Each page another mapping than its neighbours: more than a process has. */
void many_mappings(const char *number);

/*
 * Overwrite words of the shim's data, and then need it: what the host prints
 * may be anything, but it has to end.
 */
void damage(const char *seed);

#endif
