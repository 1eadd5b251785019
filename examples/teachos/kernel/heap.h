/*
 * kernel/heap.h: malloc for the kernel, and for the disk driver, which asks the
 * program it is part of for memory.
 */
#ifndef TEACHOS_HEAP_H
#define TEACHOS_HEAP_H

#include <stddef.h>

void *malloc(size_t size);
void *calloc(size_t nr, size_t size);
void free(void *memory);

#endif
