#include "frame.h"

#include <stdint.h>

#include <pvguest/page.h>

/* Drivers need pages, too, and have nobody to tell when there is none. */
#define RESERVE 64

static uint16_t *nr_users; /* by page number; as many as processes at most */

bool frame_init(void)
{
    size_t size = page_nr_pfns() * sizeof *nr_users;

    nr_users = page_alloc_zeroed((size + PAGE_SIZE - 1) / PAGE_SIZE);
    return nr_users != NULL;
}

void *frame_new(void)
{
    void *page = page_nr_free() > RESERVE ? page_alloc_zeroed(1) : NULL;

    if (page)
        nr_users[page_pfn(page)] = 1;
    return page;
}

void frame_share(void *page)
{
    nr_users[page_pfn(page)]++;
}

void frame_drop(void *page)
{
    if (--nr_users[page_pfn(page)] == 0)
        page_free(page, 1);
}

bool frame_is_own(const void *page)
{
    return nr_users[page_pfn(page)] == 1;
}
