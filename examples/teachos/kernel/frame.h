/*
 * kernel/frame.h: page frames that programs have, each counted: after a fork
 * two programs have the same frame until one of them writes to it.
 */
#ifndef TEACHOS_FRAME_H
#define TEACHOS_FRAME_H

#include <stdbool.h>

/* False: no memory for the book. */
bool frame_init(void);

/* A page of zeros that one has; NULL when memory is used up. */
void *frame_new(void);

/* One more has it, or one less; the last one frees it. */
void frame_share(void *page);
void frame_drop(void *page);

/* Does one alone have it? */
bool frame_is_own(const void *page);

#endif
