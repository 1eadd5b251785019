/*
 * pvguest/page.h: memory by the page: all RAM the domain was given, mapped
 * linearly, so that an address, a pfn and (as PV, through the p2m) a mfn name
 * the same page. malloc (musl) stands on this.
 */
#ifndef PVGUEST_PAGE_H
#define PVGUEST_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul

/* (nr) pages in a row, zeroed or not; NULL when there are none. */
void *page_alloc(size_t nr);
void *page_alloc_zeroed(size_t nr);

/* Any part of what was allocated; a page that is lent must not be freed. */
void page_free(void *pages, size_t nr);

/* Pages free now, including those that nobody has touched or mapped yet. */
size_t page_nr_free(void);

/* Pages of RAM that the domain was given, all told. */
size_t page_nr_ram(void);

/*
 * The frame behind (address), which must lie in RAM, as the hypervisor counts
 * them: a machine frame as PV, a guest frame as PVH.
 */
uint64_t page_mfn(const void *address);

/*
 * And the other way: where the page of frame (mfn), as page tables have it, is
 * mapped. NULL if no page of ours has that frame.
 */
void *page_of_mfn(uint64_t mfn);

/*
 * Pages of RAM are numbered from 0, with holes where there is no RAM: the
 * number of the page at (address), which lies in RAM, and one more than the
 * highest: for tables of something about each page.
 */
size_t page_pfn(const void *address);
size_t page_nr_pfns(void);

/*
 * Map frame (mfn), not RAM of ours (shared_info, a grant table frame),
 * at a fresh address, for good: there are about 500 such. NULL when they are
 * used up or the hypervisor refuses.
 */
void *page_map_frame(uint64_t mfn, bool writable);

/*
 * Give (nr) free pages back to the hypervisor, or take as many again as were
 * given before. How many worked: fewer when there are no more, or the
 * hypervisor has none left.
 */
size_t page_give_back(size_t nr);
size_t page_take_again(size_t nr);

#endif
