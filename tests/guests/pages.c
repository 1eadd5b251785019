/*
 * All RAM the domain was given can be had, beyond what the builder mapped; and
 * pages can be given back and taken again.
 */
#include "verdict.h"

#include <pvguest/page.h>

#include <stdint.h>
#include <string.h>

/* Chain all of memory, each page marked with its own address. */
static uintptr_t *take_all(size_t *nr)
{
    uintptr_t *chain = NULL, *page;

    for (*nr = 0; (page = page_alloc(1)); ++*nr) {
        page[0] = (uintptr_t)chain;
        page[1] = (uintptr_t)page;
        page[511] = ~(uintptr_t)page;
        chain = page;
    }
    return chain;
}

static bool free_all(uintptr_t *chain, size_t nr)
{
    bool intact = true;

    while (chain) {
        uintptr_t *next = (uintptr_t *)chain[0];

        intact &= chain[1] == (uintptr_t)chain && chain[511] == ~chain[1];
        page_free(chain, 1);
        chain = next;
        nr--;
    }
    return intact && nr == 0;
}

static void all_of_it(void)
{
    size_t free_before = page_nr_free(), nr;
    uintptr_t *chain = take_all(&nr);

    promise(nr + 256 > page_nr_ram() - 1024, "most of RAM can be had");
    promise(page_nr_free() <= 2, "until there is none");
    promise(free_before - nr < 1 + page_nr_ram() / 256,
            "no more was spent than page tables take");
    promise(free_all(chain, nr), "every page was ours alone");
    promise(page_nr_free() >= nr, "and is free again");
}

static void in_a_row(void)
{
    size_t before = page_nr_free(), nr = before / 2;
    char *pages = page_alloc_zeroed(nr);
    bool zero = pages != NULL;

    for (size_t i = 0; zero && i < nr * PAGE_SIZE; i += 512)
        zero = pages[i] == 0;
    promise(zero, "half of RAM can be had in a row, zeroed");
    if (pages)
        page_free(pages, nr);
    promise(page_nr_free() == before, "and freed in a row");
    promise(!page_alloc(before + 1), "more than there is cannot");
}

static void balloon(void)
{
    size_t before = page_nr_free(), nr = 100, given, taken;
    char *page;

    given = page_give_back(nr);
    promise(given == nr, "a hundred pages are given back");
    promise(page_nr_free() == before - given, "they are not free any more");
    taken = page_take_again(nr);
    promise(taken == nr, "and taken again");
    promise(page_nr_free() == before, "they are free");
    promise(page_take_again(1) == 0, "there are no more than were given");
    page = page_alloc(nr);
    if (page) {
        memset(page, 0x5a, nr * PAGE_SIZE);
        page_free(page, nr);
    }
    promise(page != NULL, "and can be written to");
}

int main(void)
{
    all_of_it();
    in_a_row();
    balloon();
    return verdict();
}
