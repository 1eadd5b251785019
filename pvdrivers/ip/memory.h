/*
 * pvdrivers/ip/memory.h: memory for lwIP, under the library's lock. (private)
 */
#ifndef PVDRIVERS_IP_MEMORY_H
#define PVDRIVERS_IP_MEMORY_H

#include <stddef.h>

/*
 * As malloc and free; ip_free takes back what malloc and calloc gave, too. Of
 * more than a quarter of a page and at most half of one, most lie in one page.
 */
void *ip_malloc(size_t size);
void ip_free(void *bytes);

#endif
