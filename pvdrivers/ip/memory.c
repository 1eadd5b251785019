/*
 * pvdrivers/ip/memory.c: lwIP's memory: malloc's, but for what a segment on its
 * way out takes, its headers and up to 1460 bytes. A frame may lie in so many
 * pages as the ring's protocol says; so that as many segments as that can be
 * put together to one (gather.c), none may reach over the end of a page: they
 * get halves of pages, from a run of them that is set aside when the first is
 * wanted. What was used last is used first: the processor still has it.
 */
#include "memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <pvguest/page.h>

#define HALF      (PAGE_SIZE / 2)
#define HALF_FROM (PAGE_SIZE / 4 + 1) /* a smaller size is malloc's */
#define RUN_MAX   1024                /* pages: 2048 segments under way */
#define RUN_SHARE 16                  /* of the free pages, at most */

struct half {
    struct half *next;
};

static uint8_t *run;
static size_t run_bytes;
static size_t used; /* bytes of it that were ever given out */
static struct half *spare;
static bool was_begun;

static void begin(void)
{
    size_t nr = page_nr_free() / RUN_SHARE;

    was_begun = true;
    if (nr > RUN_MAX)
        nr = RUN_MAX;
    run = nr ? page_alloc(nr) : NULL;
    run_bytes = run ? nr * PAGE_SIZE : 0;
}

static void *take_half(void)
{
    struct half *half = spare;

    if (half) {
        spare = half->next;
        return half;
    }
    if (!was_begun)
        begin();
    if (used == run_bytes)
        return NULL;
    used += HALF;
    return run + used - HALF;
}

void *ip_malloc(size_t size)
{
    void *bytes = NULL;

    if (size >= HALF_FROM && size <= HALF)
        bytes = take_half();
    return bytes ? bytes : malloc(size);
}

void ip_free(void *bytes)
{
    struct half *half = bytes;

    if ((uintptr_t)bytes - (uintptr_t)run >= run_bytes) {
        free(bytes);
        return;
    }
    half->next = spare;
    spare = half;
}
