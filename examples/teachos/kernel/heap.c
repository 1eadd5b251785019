/*
 * kernel/heap.c: what is small comes from lists of pieces of 32, 64, ... bytes
 * that pages are cut into, what is large in whole pages. A header in front of
 * each piece tells which.
 */
#include "heap.h"

#include <stdint.h>
#include <string.h>

#include <pvguest/page.h>

#define SMALLEST  32u
#define NR_ORDERS 7 /* 32 to 2048 */

struct header {
    size_t order; /* or NR_ORDERS and more: so many pages less NR_ORDERS */
    struct header *next; /* while free */
};

static struct header *free_pieces[NR_ORDERS];

static size_t piece_size(size_t order)
{
    return SMALLEST << order;
}

static struct header *cut_page(size_t order)
{
    char *page = page_alloc(1);

    if (!page)
        return NULL;
    for (size_t at = 0; at < PAGE_SIZE; at += piece_size(order)) {
        struct header *piece = (struct header *)(page + at);

        piece->order = order;
        piece->next = free_pieces[order];
        free_pieces[order] = piece;
    }
    return free_pieces[order];
}

static void *alloc_pages(size_t size)
{
    size_t nr = (size + PAGE_SIZE - 1) / PAGE_SIZE;
    struct header *header = page_alloc(nr);

    if (!header)
        return NULL;
    header->order = NR_ORDERS + nr;
    return header + 1;
}

void *malloc(size_t size)
{
    struct header *piece;
    size_t order = 0;

    if (size > SIZE_MAX - PAGE_SIZE)
        return NULL;
    size += sizeof *piece;
    while (order < NR_ORDERS && piece_size(order) < size)
        order++;
    if (order == NR_ORDERS)
        return alloc_pages(size);
    piece = free_pieces[order];
    if (!piece)
        piece = cut_page(order);
    if (!piece)
        return NULL;
    free_pieces[order] = piece->next;
    return piece + 1;
}

void *calloc(size_t nr, size_t size)
{
    void *memory;

    if (nr == 0 || size == 0 || nr > SIZE_MAX / size)
        return NULL;
    memory = malloc(nr * size);
    return memory ? memset(memory, 0, nr * size) : NULL;
}

void free(void *memory)
{
    struct header *piece = (struct header *)memory - 1;

    if (!memory)
        return;
    if (piece->order >= NR_ORDERS) {
        page_free(piece, piece->order - NR_ORDERS);
        return;
    }
    piece->next = free_pieces[piece->order];
    free_pieces[piece->order] = piece;
}
